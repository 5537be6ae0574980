import pLimit from 'p-limit';

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
  let broken = false;
  const guarded = async (item: Item): Promise<Result | undefined> => {
    if (broken) return undefined;
    try {
      return await work(item);
    } catch (error) {
      broken = true;
      throw error;
    }
  };
  const settled = await Promise.allSettled(items.map((item) => limit(guarded, item)));
  return settled.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value as Result;
  });
}
