/** What the `ratchet` command exits with. docs/cli.md holds the same table; a test compares. */
export const exitCodes = {
  ok: 0,
  /** A fault of ratchet itself. */
  unexpected: 1,
  /** A wrong option, an unknown recipe or run, a decision that was refused. */
  badInput: 2,
  /** The run failed. */
  failed: 3,
  /** The run was stopped by a decision at a gate, or cancelled. */
  stopped: 4,
  /** The run waits at a gate, and there is no terminal to ask on. */
  waiting: 5,
  /** Temporal or S3 cannot be reached, or no worker answers. */
  unreachable: 6,
  /** Ctrl-C: the run goes on without the watcher. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
