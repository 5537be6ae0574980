import type { Store } from '../../activities/store/store.ts';
import type { TrainerServer } from '../../activities/training/trainer-server.ts';
import type { ArtefactRef } from '../../domain/records.ts';
import { smallCorpus, startTestTrainer } from './gpu.ts';
import { startTestS3 } from './s3.ts';
import type { TestS3 } from './s3.ts';

/** What a file of training tests runs on; call `stop` in afterAll. */
export type TrainingRig = {
  s3: TestS3;
  store: Store;
  /** Warm. */
  trainer: TrainerServer;
  /** Folder of the base that it has warmed up. */
  base: string;
  /** 32 rows, in S3. */
  corpus: ArtefactRef;
  stop: () => Promise<void>;
};

/** Starts it. */
export async function startTrainingRig(): Promise<TrainingRig> {
  const s3 = await startTestS3();
  const store = s3.newStore();
  const { trainer, base } = await startTestTrainer();
  const corpus = await store.putRows('t/corpus.jsonl', smallCorpus(32));
  const stop = async (): Promise<void> => {
    await trainer.stop();
    await s3.stop();
  };
  return { s3, store, trainer, base, corpus, stop };
}
