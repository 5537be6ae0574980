import { inParallel } from '../store/parallel.ts';
import type { Store } from '../store/store.ts';
import type { Collected } from './batches/collected.ts';
import type { ApiRequest } from './requests.ts';
import { findResponse, responseFolder } from './response-store.ts';
import type { StoredResponse } from './response-store.ts';

/** Fewer requests than this are simply looked up. */
const fewRequests = 32;
/** Stored responses per request up to which listing them all (1,000 a call) beats a look-up each. */
const worthListing = 20;
/** Look-ups at once. */
const lookUps = 32;

/** Digests of what is stored; null where there are too many to list, or so few requests that it is not worth it. */
export type StoredDigests = Set<string> | null;

/**
 * Lists what is stored, where that is less work than a look-up per request. Digests are even, so a sample tells how many
 * there are.
 */
export async function listStored(store: Store, requests: number): Promise<StoredDigests> {
  if (requests < fewRequests) return null;
  const sample = await store.objects.list(`${responseFolder}00`);
  if (sample.length * 256 > requests * worthListing) return null;
  const keys = await store.objects.list(responseFolder);
  return new Set(keys.map((key) => key.slice(responseFolder.length, -'.json'.length)));
}

/** Answers that need not be paid, by index of the request (null = none), and what the stage itself has paid so far. */
export type Known = { responses: (StoredResponse | null)[]; paidUsd: number };

/**
 * Looks up what is answered already.
 *
 * @param collected what the stage's own batches brought: it is not looked up again
 * @param payer scope of the stage, as in {@link StoredResponse}
 */
export async function findKnown(
  store: Store,
  requests: readonly ApiRequest[],
  { stored, collected, payer }: { stored: StoredDigests; collected: Collected | undefined; payer: string },
): Promise<Known> {
  let paidUsd = collected?.paidUsd ?? 0;
  const responses = await inParallel(requests, lookUps, async ({ digest }) => {
    const own = collected?.responses.get(digest);
    if (own !== undefined) return own;
    const found = stored === null || stored.has(digest) ? await findResponse(store, digest) : null;
    // What this stage paid before it was lost counts against the cap like what it pays now.
    if (found?.paidBy === payer) paidUsd += found.costUsd;
    return found;
  });
  return { responses, paidUsd };
}
