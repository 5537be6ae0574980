import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { canonicalJson } from '../../domain/canonical.ts';
import { costUsd } from '../../domain/prices.ts';
import type { TokenPrice } from '../../domain/prices.ts';
import { failure } from '../failure.ts';
import { throughOutage } from '../store/outage.ts';
import type { Store } from '../store/store.ts';

/** The parts of a chat completion that are used; servers add much of their own. */
const Completion = z.object({
  model: z.string().default(''),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
      }),
    )
    .min(1),
  usage: z
    .object({
      prompt_tokens: z.number(),
      completion_tokens: z.number(),
      prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
    })
    .nullish(),
});

/** A response as it lies in S3 under `teacher/<request digest>.json`; written before it is used. */
export const StoredResponse = z.object({
  model: z.string(),
  text: z.string(),
  refusal: z.string().nullable(),
  finish: z.string(),
  inputTokens: z.number(),
  cachedInputTokens: z.number().optional().describe('Of inputTokens; absent = none, or the server does not tell.'),
  outputTokens: z.number(),
  costUsd: z.number(),
  paidBy: z.string().describe('Scope that paid for it (`run/teacher-1`); every other use is free.'),
});
export type StoredResponse = z.infer<typeof StoredResponse>;

/** `kind: malformed` = the answer is no chat completion. */
export type ReadCompletion =
  { kind: 'completion'; response: Omit<StoredResponse, 'paidBy'> } | { kind: 'malformed'; message: string };

/**
 * Reads what a server sent. A server that says nothing of usage is charged at most: the reserved tokens.
 *
 * @param most tokens that were reserved for the call
 */
export function readCompletion(
  raw: unknown,
  price: TokenPrice,
  most: { input: number; output: number },
): ReadCompletion {
  const parsed = Completion.safeParse(raw);
  if (!parsed.success) return { kind: 'malformed', message: `not a chat completion: ${z.prettifyError(parsed.error)}` };
  const { model, choices, usage } = parsed.data;
  const choice = choices[0];
  const input = usage?.prompt_tokens ?? most.input;
  const cachedInput = usage?.prompt_tokens_details?.cached_tokens ?? undefined;
  const output = usage?.completion_tokens ?? most.output;
  return {
    kind: 'completion',
    response: {
      model,
      text: choice?.message.content ?? '',
      refusal: choice?.message.refusal ?? (choice?.finish_reason === 'content_filter' ? 'content filter' : null),
      finish: choice?.finish_reason ?? 'stop',
      inputTokens: input,
      ...(cachedInput !== undefined && { cachedInputTokens: cachedInput }),
      outputTokens: output,
      costUsd: costUsd({ input, cachedInput, output }, price),
    },
  };
}

/** All stored responses of all runs lie here, each as `<request digest>.json`. */
export const responseFolder = 'teacher/';
const keyOf = (digest: string): string => `${responseFolder}${digest}.json`;

/** The stored response to a request, or null. */
export async function findResponse(store: Store, digest: string): Promise<StoredResponse | null> {
  const found = await store.getJson(keyOf(digest));
  if (found === null) return null;
  const stored = StoredResponse.safeParse(found.value);
  if (stored.success) return stored.data;
  throw failure('ArtefactDamaged', `${store.uriOf(keyOf(digest))} is not a stored response; remove it to ask again`);
}

/** Stores a response unless there is one; whichever was first is the one that counts, for everybody. */
export async function keepResponse(store: Store, digest: string, response: StoredResponse): Promise<StoredResponse> {
  if (await store.objects.putIfAbsent(keyOf(digest), canonicalJson(response))) return response;
  const first = await findResponse(store, digest);
  if (first === null) throw failure('StorageUnavailable', `${store.uriOf(keyOf(digest))} was there and is gone`);
  return first;
}

/** The same for an answer that has just been paid: S3 may be away for so many minutes. */
export const keepPaid = (
  store: Store,
  digest: string,
  response: StoredResponse,
  minutes: number,
): Promise<StoredResponse> => {
  const { log } = Context.current();
  return throughOutage(() => keepResponse(store, digest, response), {
    ...{ minutes, doing: 'a paid answer' },
    warn: (message, more) => {
      log.warn(message, more);
    },
  });
};
