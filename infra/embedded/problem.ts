/** The stack cannot be started or reached as configured; the message is one sentence and `fix` says what to do. */
export class StackProblem extends Error {
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(what);
    this.name = 'StackProblem';
    this.fix = fix;
  }
}
