import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Programmes } from '../temporal/programmes.ts';

/** Adds a command to the program. Its action ends with an exit code, given to `exit`. */
export type AddCommand = (program: Command, context: Context, exit: (code: ExitCode) => void) => void;

/** Connects, works, and closes the connection whatever happens. */
export async function withProgrammes<T>(context: Context, work: (programmes: Programmes) => Promise<T>): Promise<T> {
  const programmes = await context.programmes();
  try {
    return await work(programmes);
  } finally {
    await programmes.close();
  }
}

/** JSON for programs, one document. */
export const printJson = ({ terminal }: Context, value: unknown): void => {
  terminal.out(`${JSON.stringify(value, null, 2)}\n`);
};

export const printLines = ({ terminal }: Context, lines: readonly string[]): void => {
  terminal.out(`${lines.join('\n')}\n`);
};
