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
import type { TeacherConnection } from './connect.ts';
import { markedBySpaces } from './dialect.ts';
import { simulatedMetadata } from './simulated.ts';

/** One request to a paid model, whoever asks what. */
export type ApiRequest = {
  /** Key of its stored response: sha256 over server, model, messages, parameters and attempt. */
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

/** What a recipe says of its teacher or judge that decides how a request looks. */
export type RequestSettings = Pick<
  Recipe['teacher'],
  'model' | 'temperature' | 'maxTokens' | 'systemRole' | 'extraBody' | 'headers' | 'tokenLimitField'
>;

/** Who is asked. */
export type RequestServer = Pick<TeacherConnection, 'server' | 'official'> & { simulated: boolean };

/**
 * A request to the recipe's teacher or judge. Its digest says who is asked, so that what a proxy or a mock answered under a
 * model's name is not taken for the model's own, and what is asked; not in which words server and model want it.
 *
 * @param prompt whole texts of the two messages
 * @param more what else the body says; part of the digest
 * @param attempt counts from 0; part of the digest, so that what is asked again is answered again, and on the wire from the
 *   second on, so that a cache on the way does not answer it
 * @param marked how an attempt is marked where no refusal can be learnt from; default: by `seed`
 */
export function apiRequest(
  settings: RequestSettings,
  prompt: { system: string; user: string },
  more: Pick<Body, 'metadata' | 'response_format'>,
  attempt: number,
  { server, official, simulated }: RequestServer,
  marked: 'seed' | 'spaces' = 'seed',
): ApiRequest {
  const { model, temperature, maxTokens, extraBody, headers, tokenLimitField } = settings;
  const messages = messagesOf(prompt, settings);
  const parameters = { temperature, maxTokens, ...more };
  const extra = { ...(extraBody && { extraBody }), ...(headers && { headers }) };
  const limit = tokenLimitField ?? (official ? 'max_completion_tokens' : 'max_tokens');
  // The simulated server has the attempt in its metadata.
  const seed = attempt === 0 || simulated || marked === 'spaces' ? {} : { seed: attempt };
  return {
    digest: sha256(canonicalJson({ server, model, messages, parameters, ...extra, attempt })),
    body: {
      ...(extraBody as Partial<Body> | undefined),
      model,
      messages: marked === 'spaces' ? markedBySpaces(messages, attempt) : messages,
      ...(temperature !== null && { temperature }),
      [limit]: maxTokens,
      ...seed,
      ...more,
    },
    ...tokenBounds([prompt.system, prompt.user, ...(extraBody ? [JSON.stringify(extraBody)] : [])], maxTokens),
  };
}

function messagesOf(
  { system, user }: { system: string; user: string },
  { systemRole }: Pick<RequestSettings, 'systemRole'>,
): Body['messages'] {
  if (systemRole === 'user') return [{ role: 'user', content: `${system}\n\n${user}` }];
  return [
    { role: 'system', content: system },
    { role: 'user', content: user },
  ];
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
  server: RequestServer,
): AsyncGenerator<TeacherRequest> {
  const { teacher } = recipe;
  // What a batch is refused for costs a round of it: there attempts are marked in a way that no server refuses.
  const marked = teacher.mode === 'batch' && !server.official ? 'spaces' : 'seed';
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
      yield { question, attempt, ...template, ...apiRequest(teacher, text, metadata, attempt, server, marked) };
    }
  }
}
