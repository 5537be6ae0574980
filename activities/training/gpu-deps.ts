import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Scope } from '../contract.ts';
import type { Log } from '../logging.ts';
import type { Store } from '../store/store.ts';
import type { BaseFolders } from './base-model.ts';
import type { MetadataAddresses } from './host-notice.ts';
import type { TrainerServer } from './trainer-server.ts';

/** What the activities of a GPU worker are made of. */
export type GpuDeps = {
  store: Store;
  trainer: TrainerServer;
  /** Folder for work in progress, on a disk of this host. */
  workDir: string;
  bases: BaseFolders;
  log: Log;
  /** Aborted when this host or worker is told to go: save, upload, hand over. */
  notice: AbortSignal;
  /** Aborts `notice`, and lets the worker take no new work. */
  giveNotice: (why: string) => void;
  metadata: MetadataAddresses;
  /** From a request to stop until the trainer is killed. */
  graceMs: number;
  /** Leaves the folders of finished jobs where they are, to look at or to run again by hand. */
  keepWork: boolean;
};

/** Name of this process in leases. */
export const processName = (): string => `${hostname()}:${process.pid}`;

/** Folder of an attempt at a phase on this host. */
export const scopeFolder = (deps: GpuDeps, { run, phase, attempt }: Scope): string =>
  join(deps.workDir, run.replace(/[^\w.-]/g, '_'), `${phase}-${attempt}`);
