import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { ResponseProblem } from '../../domain/records.ts';
import type { Store } from '../store/store.ts';

/** Answers to one request that came and were of no use: how many, and what was wrong with the last. */
type Wasted = { times: number; problem: ResponseProblem; message: string };

const Kept = z.object({ run: z.string(), wasted: z.record(z.string(), z.custom<Wasted>()) });
/** As it lies in S3 in the folder of a stage. */
type Kept = z.infer<typeof Kept>;

const keyOf = (folder: string): string => `${folder}/unreadable.json`;

/** Counts them over all tries of a stage. */
export type WastedAnswers = {
  /** One more. @returns the count */
  count(digest: string, problem: ResponseProblem, message: string): number;
  of(digest: string): Wasted | undefined;
  /** For the next try. */
  keep(): Promise<void>;
};

/** A stage that a person lets go on is another run of its workflow: it asks anew what was given up. */
const currentRun = (): string => Context.current().info.workflowExecution?.runId ?? '';

/** What earlier tries of a stage have counted. @param folder of the stage alone */
export async function openWasted(store: Store, folder: string): Promise<WastedAnswers> {
  const found = Kept.safeParse((await store.getJson(keyOf(folder)))?.value).data;
  const run = currentRun();
  const wasted = new Map(Object.entries(found?.run === run ? found.wasted : {}));
  const { log } = Context.current();
  return {
    count(digest, problem, message) {
      const times = (wasted.get(digest)?.times ?? 0) + 1;
      wasted.set(digest, { times, problem, message });
      return times;
    },
    of: (digest) => wasted.get(digest),
    async keep() {
      if (wasted.size === 0) return;
      const kept: Kept = { run, wasted: Object.fromEntries(wasted) };
      await store.putJson(keyOf(folder), kept).catch((error: unknown) => {
        log.warn('how often answers could not be read is not kept', { reason: String(error) });
      });
    },
  };
}
