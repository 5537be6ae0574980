import { setTimeout as delay } from 'node:timers/promises';
import type { OperatorService } from '@temporalio/client';
import { StackProblem } from './problem.ts';

/** Search attributes that workflows set; a real cluster must have them too. */
export const searchAttributes = ['RatchetPhase', 'RatchetGate', 'RatchetRecipe'] as const;

/** Temporal's `IndexedValueType`: Keyword. */
const KEYWORD: number = 2;

/** A server may take a moment until it lists what was added. */
const LISTED_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 200;

type Operator = Pick<OperatorService, 'listSearchAttributes' | 'addSearchAttributes'>;

/**
 * Refuses a namespace without ratchet's search attributes: a workflow that sets one which is not there fails its task for
 * ever, and cannot even say so.
 *
 * @throws StackProblem with the command that makes them; the server's own error where it cannot be asked
 */
export async function checkSearchAttributes(operator: Operator, namespace: string): Promise<void> {
  const { customAttributes: types } = await operator.listSearchAttributes({ namespace });
  const create = (names: readonly string[]) =>
    `temporal operator search-attribute create --namespace ${namespace} --type Keyword ${flags(names)}`;
  const wrong = searchAttributes.filter((name) => Object.hasOwn(types, name) && Number(types[name]) !== KEYWORD);
  if (wrong.length > 0) {
    const remove = `temporal operator search-attribute remove --namespace ${namespace} ${flags(wrong)}`;
    const what = `search attributes in namespace ${namespace} are not of type Keyword: ${wrong.join(', ')}`;
    throw new StackProblem(what, `${remove} && ${create(wrong)}`);
  }
  const missing = searchAttributes.filter((name) => !Object.hasOwn(types, name));
  if (missing.length === 0) return;
  const what = `search attributes missing in namespace ${namespace}: ${missing.join(', ')}`;
  throw new MissingAttributes(what, create(missing), missing);
}

const flags = (names: readonly string[]): string => names.map((name) => `--name ${name}`).join(' ');

class MissingAttributes extends StackProblem {
  readonly missing: readonly string[];
  constructor(what: string, fix: string, missing: readonly string[]) {
    super(what, fix);
    this.missing = missing;
  }
}

/**
 * The same before something is started: what is missing is made where that is allowed. Where the server does not let
 * itself be asked, that is said and no more: it may well have them.
 *
 * @throws StackProblem with the command that makes them, and why it could not be done from here
 */
export async function ensureSearchAttributes(
  operator: Operator,
  namespace: string,
  say: (text: string) => void,
): Promise<void> {
  try {
    await checkSearchAttributes(operator, namespace);
  } catch (error) {
    if (error instanceof MissingAttributes) {
      await make(operator, namespace, error);
      say(`made search attributes in namespace ${namespace}: ${error.missing.join(', ')}`);
    } else if (error instanceof StackProblem) throw error;
    else say(`the search attributes of namespace ${namespace} could not be looked at (${wordsOf(error)})`);
  }
}

async function make(operator: Operator, namespace: string, problem: MissingAttributes): Promise<void> {
  const wanted = Object.fromEntries(problem.missing.map((name) => [name, KEYWORD]));
  // Another worker may make them at the same time: what counts is whether they are there then.
  const refusal: unknown = await operator.addSearchAttributes({ namespace, searchAttributes: wanted }).then(
    () => null,
    (error: unknown) => error,
  );
  const deadline = performance.now() + LISTED_WITHIN_MS;
  for (;;) {
    try {
      await checkSearchAttributes(operator, namespace);
      return;
    } catch (error) {
      if (!(error instanceof MissingAttributes)) throw error;
      const why =
        refusal === null ? 'made, but the server does not list them' : `could not be made: ${wordsOf(refusal)}`;
      if (refusal !== null || performance.now() > deadline) {
        throw new StackProblem(`${error.message} (${why})`, error.fix);
      }
    }
    await delay(LOOK_EVERY_MS);
  }
}

const wordsOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 300) ?? '';
