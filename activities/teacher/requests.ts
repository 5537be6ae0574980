import { setImmediate } from 'node:timers/promises';
import type OpenAI from 'openai';
import { canonicalJson } from '../../domain/canonical.ts';
import { failure } from '../failure.ts';
import type { Question, TeacherResponse } from '../../domain/records.ts';
import { teacherWordings } from '../../domain/teacher-wordings.ts';
import type { TeacherWording } from '../../domain/teacher-wordings.ts';
import { fillTemplate } from '../../domain/templates.ts';
import type { Recipe } from '../../config/recipe.ts';
import { sha256 } from '../store/files.ts';
import { simulatedMetadata } from './simulated.ts';

/** One request to a paid model, whoever asks what. */
export type ApiRequest = {
  /** Key of its stored response: sha256 over model, messages, parameters and attempt. */
  digest: string;
  body: OpenAI.ChatCompletionCreateParamsNonStreaming;
  /** With this no reservation is too small. */
  mostInputTokens: number;
  /** As a provider estimates it against its limit of tokens per minute: what goes in, and the limit of what comes out. */
  usualTokens: number;
};

/** One question put to the teacher for the n-th time; `template` is that of several wordings which it has. */
export type TeacherRequest = ApiRequest & Pick<TeacherResponse, 'template'> & { question: Question; attempt: number };

/** All requests of a stage, made when they are walked through. */
export type Requests<Request> = { count: number; each: () => Iterable<Request> | AsyncIterable<Request> };

/** So many requests are made in one go; then what was made is sent, and the rest of the process has its turn. */
const madeAtOnce = 128;

/** Requests with their place in the order of the stage. */
export async function* numbered<Request>({
  each,
}: Requests<Request>): AsyncGenerator<{ request: Request; index: number }> {
  let index = 0;
  for await (const request of each()) {
    yield { request, index };
    index += 1;
    if (index % madeAtOnce === 0) await setImmediate();
  }
}

/** Of the longest request. */
export async function mostInputTokensOf({ each }: Requests<ApiRequest>): Promise<number> {
  let most = 0;
  for await (const { mostInputTokens } of each()) most = Math.max(most, mostInputTokens);
  return most;
}

/** Tokens of the chat format around a message; four are usual. */
const messageOverhead = 8;
/** Of English text, about. */
const bytesPerToken = 4;

/** No tokeniser makes more tokens than there are bytes. */
export const mostTokensOf = (messages: readonly string[]): number =>
  messages.reduce((sum, message) => sum + Buffer.byteLength(message) + messageOverhead, 0);

/** What a request of these messages may use of a budget and of a limit per minute. */
function tokenBounds(
  messages: readonly string[],
  maxTokens: number,
): Pick<ApiRequest, 'mostInputTokens' | 'usualTokens'> {
  const mostInputTokens = mostTokensOf(messages);
  const bytes = mostInputTokens - messages.length * messageOverhead;
  return { mostInputTokens, usualTokens: Math.ceil(bytes / bytesPerToken) + messageOverhead + maxTokens };
}

type Body = ApiRequest['body'];

/**
 * A request to the recipe's teacher or judge.
 *
 * @param prompt whole texts of the two messages
 * @param more what else the body says; part of the digest
 * @param attempt counts from 0; part of the digest, so that what is asked again is answered again
 * @param server.official decides the name of the token limit, which is not part of the digest
 */
export function apiRequest(
  { model, temperature, maxTokens }: { model: string; temperature: number; maxTokens: number },
  { system, user }: { system: string; user: string },
  more: Pick<Body, 'metadata' | 'response_format'>,
  attempt: number,
  { official }: { official: boolean },
): ApiRequest {
  const messages: Body['messages'] = [
    { role: 'system', content: system },
    { role: 'user', content: user },
  ];
  const limit = official ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens };
  return {
    digest: sha256(canonicalJson({ model, messages, parameters: { temperature, maxTokens, ...more }, attempt })),
    body: { model, messages, temperature, ...limit, ...more },
    ...tokenBounds([system, user], maxTokens),
  };
}

/** A question in one wording; attempts that share it share the text. */
function promptOf({ name, system, user }: TeacherWording, values: { question: string; draft: string }) {
  const template = name === null ? {} : { template: { name, digest: sha256(canonicalJson({ system, user })) } };
  return { text: { system, user: fillTemplate(user, values) }, template };
}

/**
 * All requests of a stage, in order of question, then attempt.
 *
 * @param draftOf text of the draft of a question; undefined = it has none
 * @throws InvalidData when a question has no draft
 */
export async function* teacherRequests(
  recipe: Recipe,
  questions: AsyncIterable<Question>,
  draftOf: (id: string) => Promise<string | undefined>,
  attempts: number,
  server: { simulated: boolean; official: boolean },
): AsyncGenerator<TeacherRequest> {
  const [firstWording, ...otherWordings] = teacherWordings(recipe.templates);
  for await (const question of questions) {
    const draft = await draftOf(question.id);
    if (draft === undefined)
      throw failure('InvalidData', `question ${question.id} has no draft to show to the teacher`);
    const worded = (wording: TeacherWording) => promptOf(wording, { question: question.question, draft });
    const prompts = [worded(firstWording), ...otherWordings.map(worded)] as const;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { text, template } = prompts[attempt % prompts.length] ?? prompts[0];
      const metadata = server.simulated ? { metadata: simulatedMetadata(recipe, attempt) } : {};
      yield { question, attempt, ...template, ...apiRequest(recipe.teacher, text, metadata, attempt, server) };
    }
  }
}
