/** The stack cannot be started or reached as configured; the message is one sentence and `fix` says what to do. */
export class StackProblem extends Error {
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(what);
    this.name = 'StackProblem';
    this.fix = fix;
  }
}

const diskProblems: Readonly<Record<string, [what: string, fix: string]>> = {
  ENOSPC: ['The disk is full', 'Free some space'],
  EDQUOT: ['The disk quota is used up', 'Free some space'],
  EROFS: ['The disk cannot be written to', 'Make it writable'],
  EACCES: ['The folder belongs to somebody else', 'Make it yours'],
  EPERM: ['The folder belongs to somebody else', 'Make it yours'],
  ENOTDIR: ['A part of its path is no folder', 'Remove that'],
  EEXIST: ['There is something else of this name', 'Remove that'],
};

/** What went wrong with the folder of a stack's state, in words and with its fix; any other error as it is. */
export function asDiskProblem(error: unknown, home: string): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  const known = diskProblems[code];
  if (error instanceof StackProblem || known === undefined) return error;
  return new StackProblem(`${known[0]}: ${home} (${code}).`, `${known[1]}, or set RATCHET_HOME to another folder.`);
}
