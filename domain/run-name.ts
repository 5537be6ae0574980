/**
 * Why a text cannot name a run; null where it can. A name is a workflow id, a folder of this machine and a part of S3 keys
 * at once, so that `..`, slashes and line breaks would lead out of its place.
 */
export function runNameProblem(name: string): string | null {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name)) return null;
  const shown = JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
  return `${shown.replaceAll(/[^\x20-\x7e]/g, escaped)} cannot name a run`;
}

/** What turns a message around or ends its line is shown as what it is. */
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** What to do about it. */
export const runNameFix =
  'use letters, digits, dots, dashes and underscores, 100 at most, beginning with a letter or digit';
