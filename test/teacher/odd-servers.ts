import type { ServerResponse } from 'node:http';
import { sendJson } from './openai-server.ts';
import type { Behaviour } from './openai-server.ts';

/** What a server answers in place of what was asked for; status 200 and JSON where it does not say. */
export type Odd = { status?: number; headers?: Record<string, string>; body?: unknown; text?: string; drop?: true };

export const goodText = '## Final Assessment\nBased on this analysis, the answer is: **YES**';
/** 100 tokens in, 50 out, as the usual answer. */
export const usage = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };

/** A completion with one choice. */
export const choosing = (choice: object, more: object = {}) => ({
  ...{ object: 'chat.completion', model: 'odd-model', choices: [{ index: 0, finish_reason: 'stop', ...choice }] },
  ...{ usage, ...more },
});

/** A completion with one message. */
export const saying = (message: object, finish_reason = 'stop', more: object = {}) =>
  choosing({ message: { role: 'assistant', ...message }, finish_reason }, more);

/** One whose content is a list. */
export const parts = (...content: unknown[]) => saying({ content });

/** A body as OpenAI has it of errors. */
export const error = (message: string, code?: unknown) => ({ error: { message, code } });

export function send(response: ServerResponse, { status = 200, headers = {}, body, text, drop }: Odd): true {
  if (drop) response.destroy();
  else if (text === undefined) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    sendJson(response, status, body);
  } else response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  return true;
}

/** Answers by question, told which time it is that this one is asked; null = as usual. */
export function byQuestion(answer: (time: number, question: string, n: number) => Odd | null): Behaviour {
  const times = new Map<string, number>();
  return ({ messages }, response, n) => {
    const question = /Is fact number \d+ true\?/.exec(messages.at(-1)?.content ?? '')?.[0] ?? '';
    const time = (times.get(question) ?? 0) + 1;
    times.set(question, time);
    const odd = answer(time, question, n);
    return odd !== null && send(response, odd);
  };
}
