/**
 * Why a text cannot name a run; null where it can. A name is a workflow id, a folder of this machine and a part of S3 keys
 * at once, so that `..`, slashes and line breaks would lead out of its place.
 */
export function runNameProblem(name: string): string | null {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name)) return null;
  const shown = JSON.stringify(name.length > 60 ? `${name.slice(0, 59)}…` : name);
  return `${shown} cannot name a run`;
}

/** What to do about it. */
export const runNameFix =
  'use letters, digits, dots, dashes and underscores, 100 at most, beginning with a letter or digit';
