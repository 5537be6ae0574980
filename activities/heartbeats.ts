import { Context } from '@temporalio/activity';

const beatMs = 5_000;

/**
 * The activities, with heartbeats while they work: one whose worker was killed is then tried again after the heartbeat
 * timeout, and not only when all of its time is over.
 */
export const beating = <Activities extends Record<string, (input: never) => Promise<unknown>>>(
  activities: Activities,
): Activities =>
  Object.fromEntries(
    Object.entries(activities).map(([name, work]) => [
      name,
      async (input: never) => {
        const context = Context.current();
        const timer = setInterval(() => {
          context.heartbeat();
        }, beatMs);
        try {
          return await work(input);
        } finally {
          clearInterval(timer);
        }
      },
    ]),
  ) as Activities;
