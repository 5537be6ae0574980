import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { appendFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainerEvent } from '../../config/trainer-job.ts';
import { putPart, readParts } from '../checkpoints/metrics-parts.ts';
import type { MetricsSegment } from '../checkpoints/metrics-parts.ts';
import type { Lease } from '../checkpoints/lease.ts';
import type { Log } from '../logging.ts';
import { linesOf } from '../store/lines.ts';
import type { Store } from '../store/store.ts';
import { attemptFolder } from './resume.ts';

const NAME = 'metrics.jsonl';
/** Rows that are written at once when an attempt begins, so that nothing else waits for long. */
const ROWS_AT_ONCE = 1000;

/** One step or eval event, as it stands in the metrics artefact. */
export type MetricsRow = Extract<TrainerEvent, { event: 'step' | 'eval' }>;

/** The metrics of an attempt, those of the attempts before it included. */
export type MetricsLog = {
  /** Of every step once, in order. */
  rows: MetricsRow[];
  /** Keeps a row, here and on this host's disk. */
  add: (row: MetricsRow) => void;
  /** Held-out loss as last measured by this step. */
  evalLossAt: (step: number) => number | null;
  /** Brings what S3 lacks up to this step there. @returns what a checkpoint of the step needs */
  putUpTo: (step: number) => Promise<MetricsSegment[]>;
  close: () => void;
};

export type MetricsOptions = {
  store: Store;
  lease: Lease;
  /** Of all attempts at this training on this host. */
  trainingFolder: string;
  /** Step that the attempt goes on from. */
  step: number;
  log: Log;
};

/**
 * Opens the metrics of an attempt. Each row goes to a file on this host as it comes, for an attempt that goes on here; each
 * checkpoint takes those since the one before to S3, for one that goes on elsewhere.
 */
export async function openMetrics(options: MetricsOptions): Promise<MetricsLog> {
  const { store, lease, step: start } = options;
  const base = lease.record().checkpoints.findLast(({ step }) => step <= start)?.metrics ?? [];
  const rows = await rowsUpTo(options, base);
  const disk = await openFile(options, rows);
  const evals = rows.filter(({ event }) => event === 'eval');
  const begun = base.at(-1)?.to ?? 0;
  const inS3 = { step: begun, count: rows.findIndex(({ step }) => step > begun) };
  if (inS3.count < 0) inS3.count = rows.length;

  return {
    rows,
    add: (row) => {
      rows.push(row);
      if (row.event === 'eval') evals.push(row);
      disk.write(row);
    },
    evalLossAt: (step) => evals.findLast((row) => row.step <= step)?.loss ?? null,
    putUpTo: async (step) => {
      let end = inS3.count;
      for (let row = rows[end]; row !== undefined && row.step <= step; row = rows[end]) end += 1;
      if (end > inS3.count) {
        const part = { epoch: lease.epoch, from: inS3.step, to: Math.max(step, inS3.step) };
        await putPart(store, lease.prefix, part, rows.slice(inS3.count, end));
        Object.assign(inS3, { step: part.to, count: end });
      }
      return step > begun ? [...base, { epoch: lease.epoch, from: begun, to: step }] : base;
    },
    close: disk.close,
  };
}

/** What this host's disk holds up to the step; where that is not all, with what S3 holds before it. */
async function rowsUpTo(
  { store, lease, trainingFolder, step }: MetricsOptions,
  base: readonly MetricsSegment[],
): Promise<MetricsRow[]> {
  if (step === 0) return [];
  const local = await rowsOnHost(trainingFolder, step);
  if (local.at(-1)?.step === step && (local[0]?.step ?? 0) <= 1) return local;
  const rows = new Map<string, MetricsRow>();
  for (const row of [...(await readParts<MetricsRow>(store, lease.prefix, base)), ...local]) {
    const name = `${row.event} ${row.step}`;
    if (row.step <= step && !rows.has(name)) rows.set(name, row);
  }
  return [...rows.values()].sort((a, b) => a.step - b.step);
}

/** The file of an attempt here that reaches furthest towards the step, up to it. */
async function rowsOnHost(trainingFolder: string, step: number): Promise<MetricsRow[]> {
  let best: MetricsRow[] = [];
  for (const attempt of (await readdir(trainingFolder).catch(() => [])).sort().reverse()) {
    const rows = await readRows(join(trainingFolder, attempt, NAME), step);
    if ((rows.at(-1)?.step ?? 0) > (best.at(-1)?.step ?? 0)) best = rows;
    if (best.at(-1)?.step === step) break;
  }
  return best;
}

/** The last line of a killed writer may be cut. */
async function readRows(path: string, step: number): Promise<MetricsRow[]> {
  const rows: MetricsRow[] = [];
  try {
    for await (const line of linesOf(createReadStream(path))) {
      const row = JSON.parse(line) as MetricsRow;
      if (row.step <= step) rows.push(row);
    }
  } catch {
    // What stands before it counts.
  }
  return rows;
}

/** The attempt's own file, with what was before it; the files of earlier attempts are then of no more use. */
async function openFile({ trainingFolder, lease, log }: MetricsOptions, before: readonly MetricsRow[]) {
  const own = join(attemptFolder(trainingFolder, lease.epoch), NAME);
  let file: number | null = null;
  const fail = (error: unknown): void => {
    log.warn('the metrics are not kept on this host, training goes on', { reason: String(error) });
    close();
  };
  const close = (): void => {
    if (file !== null) closeSync(file);
    file = null;
  };
  try {
    await writeFile(own, '');
    for (let from = 0; from < before.length; from += ROWS_AT_ONCE) {
      await appendFile(
        own,
        before
          .slice(from, from + ROWS_AT_ONCE)
          .map(lineOf)
          .join(''),
      );
    }
    for (const attempt of await readdir(trainingFolder)) {
      const path = join(trainingFolder, attempt, NAME);
      if (path !== own) await rm(path, { force: true });
    }
    file = openSync(own, 'a');
  } catch (error) {
    fail(error);
  }
  return {
    write: (row: MetricsRow): void => {
      if (file === null) return;
      try {
        writeSync(file, lineOf(row));
      } catch (error) {
        fail(error);
      }
    },
    close,
  };
}

const lineOf = (row: MetricsRow): string => `${JSON.stringify(row)}\n`;
