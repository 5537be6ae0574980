import type { ArtefactRef } from '../../domain/records.ts';
import type { Store } from '../store/store.ts';

/** Rows that a job made, kept beside them under the digest of its inputs: a repeated activity finds them there. */
type Finished = { rows: ArtefactRef; gpuSeconds: number };

/**
 * Rows in S3, made now or by an earlier attempt.
 *
 * @param base key without its ending; it names everything that the rows depend on
 */
export async function rowsOnce<Row>(
  store: Store,
  base: string,
  make: () => Promise<{ rows: Row[]; gpuSeconds: number }>,
): Promise<{ rows: Row[]; ref: ArtefactRef; gpuSeconds: number }> {
  const finished = (await store.getJson(`${base}.json`))?.value as Finished | undefined;
  if (finished !== undefined)
    return { rows: await store.rows<Row>(finished.rows), ref: finished.rows, gpuSeconds: finished.gpuSeconds };
  const { rows, gpuSeconds } = await make();
  const ref = await store.putRows(`${base}.jsonl`, rows);
  const record: Finished = { rows: ref, gpuSeconds };
  await store.putJson(`${base}.json`, record);
  return { rows, ref, gpuSeconds };
}
