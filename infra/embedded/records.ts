import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTimeOf } from './processes.ts';

/** What is written down about a process of the stack, in `<home>/run/<name>.json`. */
export type ProcessRecord = {
  name: string;
  pid: number;
  /** From the kernel; the same pid with another start time is another process, and none of ours. */
  startTime: string;
  argv: readonly string[];
  /** Port name to number; empty for a process that listens nowhere. */
  ports: Readonly<Record<string, number>>;
  state: 'starting' | 'ready';
  /** ISO 8601. */
  startedAt: string;
  /** How often it was started again after it died by itself, since the stack came up. */
  restarts: number;
  logFile: string;
  /** From SIGTERM to SIGKILL, whoever ends it. */
  graceMs: number;
};

/** Folder of records and ready files. */
export const runFolder = (home: string): string => join(home, 'run');

/** Where a worker writes `{"pid": …}` once it polls; handed to it as RATCHET_READY_FILE. */
export const readyFile = (home: string, name: string): string => join(runFolder(home), `${name}.ready`);

const recordFile = (home: string, name: string): string => join(runFolder(home), `${name}.json`);

/** Replaces the record in one step, so that a reader never sees half of it. */
export function writeRecord(home: string, record: ProcessRecord): void {
  mkdirSync(runFolder(home), { recursive: true });
  const partial = `${recordFile(home, record.name)}.${process.pid}.partial`;
  writeFileSync(partial, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(partial, recordFile(home, record.name));
}

/**
 * Claims a name for this process.
 *
 * @returns false if a live process holds it
 */
export function claimRecord(home: string, record: ProcessRecord): boolean {
  mkdirSync(runFolder(home), { recursive: true });
  for (;;) {
    try {
      writeFileSync(recordFile(home, record.name), `${JSON.stringify(record, null, 2)}\n`, { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (liveRecord(home, record.name)) return false;
      removeRecord(home, record.name);
    }
  }
}

/** Forgets a process that has ended. */
export function removeRecord(home: string, name: string): void {
  rmSync(recordFile(home, name), { force: true });
  rmSync(readyFile(home, name), { force: true });
}

/** Every record of this home, of dead processes too. */
export function readRecords(home: string): ProcessRecord[] {
  let names: string[];
  try {
    names = readdirSync(runFolder(home));
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => readRecord(home, name.slice(0, -'.json'.length)))
    .filter((record) => record !== undefined);
}

/** The record, if the very process that it describes is alive. */
export function liveRecord(home: string, name: string): ProcessRecord | undefined {
  const record = readRecord(home, name);
  return record && isAlive(record) ? record : undefined;
}

/** True for this process and no other that may have been given its pid since. */
export function isAlive(record: ProcessRecord): boolean {
  return startTimeOf(record.pid) === record.startTime;
}

function readRecord(home: string, name: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordFile(home, name), 'utf8')) as ProcessRecord;
  } catch {
    // Not there, or cut off by a full disk or a lost machine: nothing that it says can be relied on.
    return undefined;
  }
}
