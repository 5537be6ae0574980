import { inParallel } from '../store/parallel.ts';
import type { Store } from '../store/store.ts';
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

/** The stored responses of requests, by index; null where there is none. */
export const findKnown = (
  store: Store,
  requests: readonly ApiRequest[],
  stored: StoredDigests,
): Promise<(StoredResponse | null)[]> =>
  inParallel(requests, lookUps, ({ digest }) =>
    stored === null || stored.has(digest) ? findResponse(store, digest) : Promise.resolve(null),
  );
