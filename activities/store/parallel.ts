import pLimit from 'p-limit';

/** The same work, which begins with nothing more after its first error. */
function untilBroken<Item, Result>(work: (item: Item) => Promise<Result>) {
  let broken = false;
  return async (item: Item): Promise<Result | undefined> => {
    if (broken) return undefined;
    try {
      return await work(item);
    } catch (error) {
      broken = true;
      throw error;
    }
  };
}

/**
 * Runs `work` over all items, a few at a time. After the first error nothing more is begun, and the error comes out
 * only when all that had begun has ended: nothing goes on behind the caller's back.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const limit = pLimit(concurrency);
  const guarded = untilBroken(work);
  const settled = await Promise.allSettled(items.map((item) => limit(guarded, item)));
  return settled.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value as Result;
  });
}

/**
 * The same over a stream: an item is taken only when there is room for it, so memory does not grow with their number. An
 * error of the stream itself comes out in the same way.
 */
export async function eachInParallel<Item>(
  items: AsyncGenerator<Item>,
  concurrency: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const guarded = untilBroken(work);
  // All take from the one stream, each its next item when it is done with the last.
  const takers = Array.from({ length: concurrency }, async () => {
    for await (const item of items) await guarded(item);
  });
  const broke = (await Promise.allSettled(takers)).find(({ status }) => status === 'rejected');
  if (broke?.status === 'rejected') throw broke.reason;
}

/** Work that is awaited later: when something else fails first, nobody is there to hear that it failed too. */
export function forLater<Result>(work: Promise<Result>): Promise<Result> {
  work.catch(() => undefined);
  return work;
}

/** The items, so many at a time; the last ones may be fewer, or none. */
export async function* inChunks<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  atOnce: number,
): AsyncGenerator<Item[]> {
  let chunk: Item[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < atOnce) continue;
    yield chunk;
    chunk = [];
  }
  yield chunk;
}
