import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TrainerEvent } from '../../config/trainer-job.ts';
import { writeWhole } from '../store/files.ts';
import type { MetricsRow } from './metrics-log.ts';
import { adapterIn } from './resume.ts';

const NAME = 'finished.json';

/** What a training that has ended leaves on its host until it is in S3. */
export type Finished = {
  result: Extract<TrainerEvent, { event: 'result' }> | null;
  metrics: MetricsRow[];
  /** Folder of the adapter. */
  adapter: string;
};

/** The file is the last that is written: an adapter beside which it lies is whole. */
const Kept = z.object({
  result: TrainerEvent.nullable().transform((event) => (event?.event === 'result' ? event : null)),
  metrics: z.array(z.custom<MetricsRow>()),
});

/** Remembers an end on this host, so that an attempt after an outage of S3 does not train again what is trained. */
export const keepFinished = (attemptFolder: string, { result, metrics }: Finished): Promise<void> =>
  writeWhole(join(attemptFolder, NAME), JSON.stringify({ result, metrics }));

/**
 * The end that an earlier attempt reached on this host without being able to put it into S3.
 *
 * @param trainingFolder of all attempts on this host
 */
export async function findFinished(trainingFolder: string): Promise<Finished | null> {
  for (const name of await readdir(trainingFolder).catch(() => [])) {
    const attempt = join(trainingFolder, name);
    const text = await readFile(join(attempt, NAME), 'utf8').catch(() => null);
    if (text === null) continue;
    const { result, metrics } = Kept.parse(JSON.parse(text));
    return { result, metrics, adapter: adapterIn(attempt) };
  }
  return null;
}
