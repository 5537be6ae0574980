import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { canonicalJson } from '../../domain/canonical.ts';
import { joinReasoning, splitReasoning } from '../../domain/reasoning.ts';
import { failure } from '../failure.ts';
import { throughOutage } from '../store/outage.ts';
import type { Store } from '../store/store.ts';

/** A response as it lies in S3 under `teacher/<request digest>.json`; written before it is used. */
export const StoredResponse = z.object({
  model: z.string(),
  text: z.string(),
  refusal: z.string().nullable(),
  reasoning: z.string().optional().describe('What the model thought before `text`, which is without it.'),
  completionId: z.string().optional().describe('As the server numbers its answers.'),
  finish: z.string(),
  inputTokens: z.number(),
  cachedInputTokens: z.number().optional().describe('Of inputTokens; absent = none, or the server does not tell.'),
  outputTokens: z.number(),
  costUsd: z.number(),
  paidBy: z.string().describe('Scope that paid for it (`run/teacher-1`); every other use is free.'),
});
export type StoredResponse = z.infer<typeof StoredResponse>;

/** All stored responses of all runs lie here, each as `<request digest>.json`. */
export const responseFolder = 'teacher/';
const keyOf = (digest: string): string => `${responseFolder}${digest}.json`;

/** The stored response to a request, or null. What is stored and answers nothing is none. */
export const findResponse = async (store: Store, digest: string): Promise<StoredResponse | null> =>
  (await lookUp(store, digest)).response;

/** An object in its place, and the answer that it holds, which may be none. */
async function lookUp(store: Store, digest: string): Promise<{ response: StoredResponse | null; etag: string | null }> {
  const found = await store.getJson(keyOf(digest));
  if (found === null) return { response: null, etag: null };
  const stored = StoredResponse.safeParse(found.value);
  if (stored.success) return { response: asAnswer(stored.data), etag: found.etag };
  throw failure('ArtefactDamaged', `${store.uriOf(keyOf(digest))} is not a stored response; remove it to ask again`);
}

/** A response with its reasoning apart from its text; null where nothing was said and that had no reason. */
function asAnswer(stored: StoredResponse): StoredResponse | null {
  const split = splitReasoning(stored.text);
  const reasoning = joinReasoning([stored.reasoning ?? null, split.reasoning]);
  const ended = stored.finish === 'length' || stored.finish === 'content_filter';
  if (split.text.trim() === '' && stored.refusal === null && !ended) return null;
  return { ...stored, text: split.text, ...(reasoning !== null && { reasoning }) };
}

/** Stores a response unless there is an answer; whichever was first is the one that counts, for everybody. */
export async function keepResponse(store: Store, digest: string, response: StoredResponse): Promise<StoredResponse> {
  if (await store.objects.putIfAbsent(keyOf(digest), canonicalJson(response))) return response;
  const first = await lookUp(store, digest);
  if (first.response !== null) return first.response;
  if (first.etag === null) throw failure('StorageUnavailable', `${store.uriOf(keyOf(digest))} was there and is gone`);
  await store.objects.swap(keyOf(digest), canonicalJson(response), first.etag);
  // Another one may have written between the two.
  return (await findResponse(store, digest)) ?? response;
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
