import type { Decision } from './gate-types.ts';
import { printed } from './plain-json.ts';

/**
 * What a run remembers of what it was told. Accepted decisions are its history and stay, whole. What was refused or could
 * not be read may come in floods, by anyone who can send a message, and must not make the state too large to be saved.
 */
export type Unreadable = { at: string; text: string; refusal: string };

/** Newest refused and newest unreadable messages that are kept. */
const mostKept = 100;

/** Bytes of JSON that each of them may take. */
const mostBytes = 1024;

/** Adds a decision. A refused one is cut, and the oldest refused ones make room for it. */
export function withDecision(decisions: readonly Decision[], decision: Decision): Decision[] {
  const all = [...decisions, decision.accepted ? decision : cut(decision)];
  let tooMany = all.filter(({ accepted }) => !accepted).length - mostKept;
  return all.filter(({ accepted }) => accepted || tooMany-- <= 0);
}

/** Adds what could not be read as a decision, as text. */
export function withUnreadable(before: readonly Unreadable[], at: string, raw: unknown, refusal: string): Unreadable[] {
  const entry = { at, text: cutText(printed(raw, 500), 450), refusal: cutText(refusal, 450) };
  return [...before, entry].slice(-mostKept);
}

function cut(decision: Decision): Decision {
  const json = JSON.stringify(decision);
  if (json.length <= mostBytes && jsonBytes(json) <= mostBytes) return decision;
  const { by, note, evidence, refusal } = decision;
  const kept: Decision = {
    ...decision,
    ...(by !== undefined && { by: cutText(by, 90) }),
    ...(note !== undefined && { note: cutText(note, 140) }),
    ...(evidence !== undefined && { evidence: cutText(evidence, 80) }),
    ...(refusal !== undefined && { refusal: cutText(refusal, 420) }),
  };
  delete kept.remedies;
  return kept;
}

/** The beginning of a text that takes so many bytes as JSON, marked where something is missing. */
function cutText(text: string, bytes: number): string {
  let left = bytes;
  let kept = '';
  for (const character of text) {
    left -= jsonBytes(JSON.stringify(character)) - 2;
    if (left < 0) return `${kept}…`;
    kept += character;
  }
  return kept;
}

/** UTF-8 bytes of what JSON.stringify gave. */
function jsonBytes(json: string): number {
  let bytes = 0;
  for (const character of json) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
