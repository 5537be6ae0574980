import { z } from 'zod';
import { inParallel } from '../store/parallel.ts';
import type { Store } from '../store/store.ts';

/**
 * The metrics of a training on their way: each checkpoint brings the rows since the one before as an object of its own
 * (`epoch-0002/metrics/000040-000060.jsonl`), so that it costs as much at the end of a training as at its beginning. What an
 * attempt contributes to a checkpoint is a segment; its parts lie end to end.
 */
export const MetricsSegment = z.object({
  epoch: z.int().min(1).describe('Attempt that wrote the parts.'),
  from: z.int().min(0).describe('Step that it went on from.'),
  to: z.int().min(0).describe('Step of the checkpoint.'),
});
export type MetricsSegment = z.infer<typeof MetricsSegment>;

/** One part: rows of the steps after `from`, up to `to`. */
type Part = { epoch: number; from: number; to: number };

const READS_AT_ONCE = 16;
const JSONL = 'application/x-ndjson';
const padded = (step: number): string => String(step).padStart(6, '0');
const folderOf = (prefix: string, epoch: number): string =>
  `${prefix}/epoch-${String(epoch).padStart(4, '0')}/metrics/`;

const partOf = (key: string): Part | null => {
  const [, epoch, from, to] = /\/epoch-(\d+)\/metrics\/(\d+)-(\d+)\.jsonl$/.exec(key) ?? [];
  return epoch === undefined ? null : { epoch: Number(epoch), from: Number(from), to: Number(to) };
};

const belongsTo = (part: Part, segments: readonly MetricsSegment[]): boolean =>
  segments.some(({ epoch, from, to }) => part.epoch === epoch && part.from >= from && part.to <= to);

/** Whether a key is that of a part which one of these segments needs. */
export function isPartOf(key: string, segments: readonly MetricsSegment[]): boolean {
  const part = partOf(key);
  return part !== null && belongsTo(part, segments);
}

/** Writes the rows of one part; may be repeated. */
export async function putPart(store: Store, prefix: string, part: Part, rows: readonly unknown[]): Promise<void> {
  const key = `${folderOf(prefix, part.epoch)}${padded(part.from)}-${padded(part.to)}.jsonl`;
  await store.objects.put(key, rows.map((row) => `${JSON.stringify(row)}\n`).join(''), JSONL);
}

/** The rows of segments, in order. One that was tried twice may be there twice. */
export async function readParts<Row>(
  store: Store,
  prefix: string,
  segments: readonly MetricsSegment[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const segment of segments) {
    const found = (await store.objects.list(folderOf(prefix, segment.epoch)))
      .flatMap((key) => ({ key, ...(partOf(key) ?? { epoch: 0, from: 0, to: 0 }) }))
      .filter((part) => belongsTo(part, [segment]))
      .sort((a, b) => a.from - b.from || a.to - b.to);
    const texts = await inParallel(
      found,
      READS_AT_ONCE,
      async ({ key }) => (await store.objects.read(key))?.body ?? '',
    );
    for (const text of texts) for (const line of text.split('\n')) if (line !== '') rows.push(JSON.parse(line) as Row);
  }
  return rows;
}

/** Removes all parts of a training, whose metrics are whole elsewhere by now. */
export async function removeParts(store: Store, prefix: string): Promise<void> {
  await store.objects.remove((await store.objects.list(`${prefix}/epoch-`)).filter((key) => partOf(key) !== null));
}
