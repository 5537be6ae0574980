/** Whoever moves folders between this host and a bucket; `bench/checkpoint-upload.ts` measures them side by side. */
export type Contestant = {
  name: string;
  /** How each end verifies what came, in words. */
  checks: string;
  /** What to try for `wholeFiles`: each file in one request, or large ones in parts. */
  settings: readonly boolean[];
  /**
   * Moves a folder; uploads find nothing at `prefix`, downloads no `directory`.
   *
   * @param wholeFiles one of the settings
   * @returns seconds
   * @throws whatever says that it did not work, a checksum that differs included
   */
  move: (way: Way, directory: string, prefix: string, wholeFiles: boolean) => Promise<number>;
  stop: () => Promise<void> | void;
};

export type Way = 'up' | 'down';

/** Where the bucket is and what opens it, for programs that read AWS's own variables. */
export type Place = { bucket: string; env: Record<string, string> };

/** Seconds that something took. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
