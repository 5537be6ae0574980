import { joinReasoning, splitReasoning } from '../../domain/reasoning.ts';
import { isObject } from './error-body.ts';

/** What a message of a completion says; `text` is without the reasoning, which models and servers put in many places. */
export type Said = { text: string; refusal: string | null; reasoning: string | null; toolCalls: boolean };

type Part = { kind: 'text' | 'reasoning' | 'refusal' | 'tool'; text: string };

const textIn = (...values: unknown[]): string => {
  const text = values.find((value) => typeof value === 'string');
  return typeof text === 'string' ? text : '';
};

/** A part of a content that is a list: OpenAI's, Mistral's and Anthropic's shapes. */
function partsOf(value: unknown, depth = 0): Part[] {
  if (typeof value === 'string') return [{ kind: 'text', text: value }];
  if (depth > 4) return [];
  if (Array.isArray(value)) return value.flatMap((part) => partsOf(part, depth + 1));
  if (!isObject(value)) return [];
  const type = textIn(value['type']).toLowerCase();
  if (type.includes('refusal')) return [{ kind: 'refusal', text: textIn(value['refusal'], value['text']) }];
  if (/tool|function/.test(type)) return [{ kind: 'tool', text: '' }];
  if (/think|reason|thought/.test(type) || value['thought'] === true)
    return [{ kind: 'reasoning', text: thoughtIn(value) }];
  return partsOf(value['text'] ?? value['content'] ?? value['parts'] ?? value['value'], depth + 1);
}

/** Thoughts in whatever shape: text, or parts of it within parts. */
function thoughtIn(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value;
  if (depth > 4) return '';
  if (Array.isArray(value)) return value.map((part) => thoughtIn(part, depth + 1)).join('');
  if (!isObject(value)) return '';
  const { thinking, reasoning, text, summary, content } = value;
  return thoughtIn(thinking ?? reasoning ?? text ?? summary ?? content, depth + 1);
}

const of = (parts: readonly Part[], kind: Part['kind']): string =>
  parts.flatMap((part) => (part.kind === kind ? [part.text] : [])).join('');

const reasoningFields = ['reasoning_content', 'reasoning', 'thinking', 'reasoning_text'] as const;

/** Reads a message; null where it is none. */
export function readMessage(message: unknown): Said | null {
  if (!isObject(message)) return null;
  const parts = partsOf(message['content']);
  const { text, reasoning } = splitReasoning(of(parts, 'text'));
  // Servers say the same under two names: the first that says anything counts.
  const fields = [...reasoningFields, 'reasoning_details'].map((field) => thoughtIn(message[field]));
  const beside = fields.find((thought) => thought.trim() !== '') ?? null;
  const refusal = textIn(message['refusal']) || of(parts, 'refusal');
  const calls: unknown = message['tool_calls'];
  return {
    text,
    refusal: refusal.trim() === '' ? null : refusal,
    reasoning: joinReasoning([beside, of(parts, 'reasoning'), reasoning]),
    toolCalls:
      (Array.isArray(calls) && calls.length > 0) ||
      isObject(message['function_call']) ||
      parts.some(({ kind }) => kind === 'tool'),
  };
}
