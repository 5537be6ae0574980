import type { SweepOptions, SweepReport } from '../activities/checkpoints/sweep.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import type { Check, Environment, StackEvent } from '../infra/embedded/index.ts';
import type { Programmes } from './temporal/programmes.ts';
import type { Terminal } from './terminal.ts';

/** The embedded stack as the commands use it. */
export type StackControl = {
  /** True where the environment names no Temporal of its own. */
  embedded: () => boolean;
  isUp: () => boolean;
  /** Brings it up in a process of its own, and returns when it is ready. */
  upDetached: (onEvent: (event: StackEvent) => void) => Promise<void>;
  /** Holds it in this process until Ctrl-C or SIGTERM; returns at once where it was up already. */
  upAttached: (onEvent: (event: StackEvent) => void, onReady: () => void) => Promise<void>;
  /** Names of what was running. */
  down: () => Promise<string[]>;
  doctor: () => Promise<Check[]>;
  services: () => { name: string; running: boolean; pid: number; ports: Readonly<Record<string, number>> }[];
  uiAddress: () => string;
};

/** What the commands reach the world through; tests hand in their own. */
export type Context = {
  terminal: Terminal;
  env: Environment;
  now: () => Date;
  /** Connects; throws a CommandProblem with the address when that fails. */
  programmes: () => Promise<Programmes>;
  stack: StackControl;
  /** Builds the report from S3 on this machine, and says where it lies. */
  writeReport: (state: ProgrammeState) => Promise<string>;
  /** State of a run that Temporal no longer knows, from the bucket; null if there is none. */
  storedState: (run: string) => Promise<ProgrammeState | null>;
  /** Frees what lost attempts left in the bucket. */
  sweep: (options: SweepOptions) => Promise<SweepReport>;
  /** Aborts at the first Ctrl-C; the second one ends the process at once. */
  interrupt: () => AbortSignal;
  /** Asks one question on the terminal; rejects when the signal aborts. */
  question: (prompt: string, signal: AbortSignal) => Promise<string>;
};
