import { parseArgs } from 'node:util';
import { killedTrainings } from './chaos/equality.ts';
import { longOutages } from './chaos/outages.ts';
import { disturbedProgrammes } from './chaos/programmes.ts';

export const about =
  'runs that differ from an undisturbed one: trainings killed at random (--minutes N: whole programmes; --outages)';

/**
 * Prints what was killed and, last, how many results differ from those of a run that nothing disturbed.
 *
 * `--kills N` of each kind of training; `--minutes N`: two programmes at a time, for about so long; `--outages`: Temporal,
 * S3 and both away for `--seconds`. `--seed` repeats the same choice of moments and victims.
 */
export async function measure(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      kills: { type: 'string', default: '20' },
      minutes: { type: 'string' },
      outages: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  console.log(`--seed ${values.seed}`);
  let differing: number;
  if (values.outages) differing = await longOutages(Number(values.seconds));
  else if (values.minutes !== undefined) differing = await disturbedProgrammes(Number(values.minutes), values.seed);
  else differing = await killedTrainings(Number(values.kills), values.seed);
  console.log(String(differing));
}
