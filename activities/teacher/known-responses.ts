import { inParallel } from '../store/parallel.ts';
import type { Store } from '../store/store.ts';
import type { TeacherRequest } from './requests.ts';
import { findResponse, responseFolder } from './response-store.ts';
import type { StoredResponse } from './response-store.ts';

/** Fewer requests than this are simply looked up. */
const fewRequests = 32;
/** Stored responses per request up to which listing them all (1,000 a call) beats a look-up each. */
const worthListing = 20;

/** The stored responses of requests, null where there is none; few calls where little is stored. */
export async function findKnown(
  store: Store,
  requests: readonly TeacherRequest[],
  concurrency: number,
): Promise<(StoredResponse | null)[]> {
  const stored = await storedKeys(store, requests.length);
  return inParallel(requests, concurrency, ({ digest }) =>
    stored === null || stored.has(digest) ? findResponse(store, digest) : Promise.resolve(null),
  );
}

/** Digests of all stored responses; null where there are too many to list. Digests are even, so a sample tells. */
async function storedKeys(store: Store, requests: number): Promise<Set<string> | null> {
  if (requests < fewRequests) return null;
  const sample = await store.objects.list(`${responseFolder}00`);
  if (sample.length * 256 > requests * worthListing) return null;
  const keys = await store.objects.list(responseFolder);
  return new Set(keys.map((key) => key.slice(responseFolder.length, -'.json'.length)));
}
