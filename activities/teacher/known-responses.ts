import pLimit from 'p-limit';
import { eachInParallel, forLater } from '../store/parallel.ts';
import type { NewShelf } from '../store/shelf.ts';
import type { Store } from '../store/store.ts';
import type { Before } from './books.ts';
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

/** What needs not be asked. */
export type Known = {
  /** The answer that needs not be paid; undefined = none. */
  responseTo: (request: ApiRequest, index: number) => Promise<StoredResponse | undefined>;
  /** What the stage itself has paid so far. */
  paidUsd: number;
};

type Sources = {
  stored: Promise<StoredDigests>;
  /** What the stage's own batches brought: it is not looked up again. */
  collected?: Collected | undefined;
  /** Scope of the stage, as in {@link StoredResponse}. */
  payer: string;
};

/** What is stored, and not collected; null = nothing. */
const lookUp = async (store: Store, { stored, collected }: Sources, digest: string): Promise<StoredResponse | null> =>
  collected?.responses.has(digest) || (await stored)?.has(digest) === false ? null : findResponse(store, digest);

/**
 * What is answered already. What the stage has paid counts against the cap from its first call on, so a stage that was begun
 * before looks up all of it first; a fresh one looks each request up when its turn comes.
 */
export async function findKnown(
  store: Store,
  newShelf: NewShelf,
  requests: Requests<ApiRequest>,
  { before, ...sources }: Sources & { before: Before },
): Promise<Known> {
  if (!before.fresh) return findAllKnown(store, newShelf, requests, sources);
  const limit = pLimit(lookUps);
  const { collected } = sources;
  return {
    responseTo: async ({ digest }) =>
      collected?.responses.get(digest) ?? (await limit(lookUp, store, sources, digest)) ?? undefined,
    paidUsd: collected?.paidUsd ?? 0,
  };
}

/** The same, all of it. */
export type AllKnown = Known & { isAnswered: (request: ApiRequest, index: number) => boolean };

export async function findAllKnown(
  store: Store,
  newShelf: NewShelf,
  requests: Requests<ApiRequest>,
  sources: Sources,
): Promise<AllKnown> {
  const { collected, payer } = sources;
  const found = newShelf<number, StoredResponse>();
  let paidUsd = collected?.paidUsd ?? 0;
  await eachInParallel(numbered(requests), lookUps, async ({ request, index }) => {
    const response = await lookUp(store, sources, request.digest);
    if (response === null) return;
    if (response.paidBy === payer) paidUsd += response.costUsd;
    found.put(index, response);
  });
  return {
    responseTo: ({ digest }, index) => Promise.resolve(collected?.responses.get(digest) ?? found.get(index)),
    isAnswered: ({ digest }, index) => collected?.responses.has(digest) === true || found.has(index),
    paidUsd,
  };
}
