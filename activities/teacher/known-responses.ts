import { eachInParallel, forLater } from '../store/parallel.ts';
import type { NewShelf } from '../store/shelf.ts';
import type { Store } from '../store/store.ts';
import type { Collected } from './batches/collected.ts';
import { numbered } from './requests.ts';
import type { ApiRequest, Requests } from './requests.ts';
import { findResponse, responseFolder } from './response-store.ts';
import type { StoredResponse } from './response-store.ts';

/** Fewer requests than this are simply looked up. */
const fewRequests = 32;
/** Stored responses per request up to which listing them all (1,000 a call) beats a look-up each. */
const worthListing = 20;
/** Digests that memory holds at once, some 200 bytes each. */
const mostListed = 250_000;
/** Look-ups at once. */
const lookUps = 32;

/** Digests of what is stored; null where there are too many to list, or so few requests that it is not worth it. */
export type StoredDigests = Set<string> | null;

/**
 * Lists what is stored, where that is less work than a look-up per request. Digests are even, so a sample tells how many
 * there are. It takes a tenth of a second per 1,000: meanwhile requests are made.
 */
export const listStored = (store: Store, requests: number): Promise<StoredDigests> => forLater(list(store, requests));

async function list(store: Store, requests: number): Promise<StoredDigests> {
  if (requests < fewRequests) return null;
  const sample = await store.objects.list(`${responseFolder}00`);
  if (sample.length * 256 > Math.min(requests * worthListing, mostListed)) return null;
  const keys = await store.objects.list(responseFolder);
  return new Set(keys.map((key) => key.slice(responseFolder.length, -'.json'.length)));
}

/** What a stage finds before it asks. */
export type Known = {
  /** The answer that needs not be paid; undefined = none. */
  responseTo: (request: ApiRequest, index: number) => StoredResponse | undefined;
  isAnswered: (request: ApiRequest, index: number) => boolean;
  /** What the stage itself has paid so far. */
  paidUsd: number;
  /** Of the longest request. */
  mostInputTokens: number;
};

/**
 * Looks up what is answered already, all of it before the first call: what the stage has paid counts against the cap.
 *
 * @param collected what the stage's own batches brought: it is not looked up again
 * @param payer scope of the stage, as in {@link StoredResponse}
 */
export async function findKnown(
  store: Store,
  newShelf: NewShelf,
  requests: Requests<ApiRequest>,
  { stored, collected, payer }: { stored: Promise<StoredDigests>; collected: Collected | undefined; payer: string },
): Promise<Known> {
  const found = newShelf<number, StoredResponse>();
  let paidUsd = collected?.paidUsd ?? 0;
  let mostInputTokens = 0;
  await eachInParallel(numbered(requests), lookUps, async ({ request, index }) => {
    mostInputTokens = Math.max(mostInputTokens, request.mostInputTokens);
    if (collected?.responses.has(request.digest) || (await stored)?.has(request.digest) === false) return;
    const response = await findResponse(store, request.digest);
    if (response === null) return;
    if (response.paidBy === payer) paidUsd += response.costUsd;
    found.put(index, response);
  });
  return {
    responseTo: ({ digest }, index) => collected?.responses.get(digest) ?? found.get(index),
    isAnswered: ({ digest }, index) => collected?.responses.has(digest) === true || found.has(index),
    paidUsd,
    mostInputTokens,
  };
}
