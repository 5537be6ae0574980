import type { Choice, DecisionInput, GateName, Remedies } from './gate-types.ts';
import { nearestName } from './nearest.ts';
import { flag, isObject, number, positiveInteger, shown, text } from './plain-json.ts';
import type { Check } from './plain-json.ts';
import { templateProblems } from './templates.ts';

/**
 * Reads what people send to a gate. Nothing is guessed: a wrong type, an unknown field or a typo refuses the whole, with
 * the field and what would be right. No library here, since this runs inside workflows.
 */

export const gateNames: readonly GateName[] = ['A', 'B', 'C', 'budget'];
export const choices: readonly Choice[] = [
  ...(['approve', 'retry', 'fix', 'skip', 'redesign', 'extend', 'abort'] as const),
  ...(['raise', 'stop'] as const),
];

const hint = (name: string, candidates: readonly string[]): string => {
  const close = nearestName(name, candidates);
  return close === null ? '' : `; did you mean ${close}?`;
};

const oneOf =
  (candidates: readonly string[]): Check =>
  (value, name) =>
    typeof value === 'string' && candidates.includes(value)
      ? null
      : `${name} must be one of ${candidates.join(', ')}, is ${shown(value)}${typeof value === 'string' ? hint(value, candidates) : ''}`;

/** An object of exactly these optional or `required` fields. */
const object =
  (checks: Record<string, Check>, required: readonly string[] = []): Check =>
  (value, name) => {
    if (!isObject(value))
      return `${name} must be an object like {"${Object.keys(checks).slice(0, 2).join('": …, "')}": …}, is ${shown(value)}`;
    const names = Object.keys(checks);
    for (const [field, member] of Object.entries(value)) {
      const check = Object.hasOwn(checks, field) ? checks[field] : undefined;
      if (check === undefined)
        return `${name} has an unknown field ${field.slice(0, 60)}${hint(field, names)}; known: ${names.join(', ')}`;
      const problem = member === undefined ? null : check(member, name === 'the decision' ? field : `${name}.${field}`);
      if (problem !== null) return problem;
    }
    const missing = required.find((field) => value[field] === undefined);
    return missing === undefined
      ? null
      : (checks[missing]?.(undefined, name === 'the decision' ? missing : `${name}.${missing}`) ?? null);
  };

const template =
  (kind: 'reasoning' | 'teacherSystem' | 'teacherUser'): Check =>
  (value, name) => {
    const problem = text(20_000)(value, name) ?? templateProblems(kind, String(value))[0] ?? null;
    return problem === null || problem.startsWith(name) ? problem : `${name} ${problem}`;
  };

const remediesCheck = object({
  balance: oneOf(['none', 'upsample', 'weighted-loss']),
  filtering: oneOf(['drop-disagreements', 'keep-all', 'consensus']),
  consensusAttempts: positiveInteger(15),
  sharedTemplate: flag,
  learningRate: number('a number above 0 and at most 1', (value) => value > 0 && value <= 1),
  epochs: number('a number above 0 and at most 1000', (value) => value > 0 && value <= 1000),
  earlyStopping: object(
    {
      patienceEpochs: positiveInteger(1000),
      heldOutShare: number('a number between 0 and 0.5', (value) => value > 0 && value < 0.5),
    },
    ['patienceEpochs', 'heldOutShare'],
  ),
  templates: object({
    reasoning: template('reasoning'),
    teacherSystem: template('teacherSystem'),
    teacherUser: template('teacherUser'),
  }),
});

const decisionCheck = object(
  {
    gate: oneOf(gateNames),
    choice: oneOf(choices),
    by: text(200),
    note: text(4000),
    remedies: remediesCheck,
    capUsd: number('dollars above 0', (value) => value > 0 && Number.isFinite(value)),
    evidence: text(200),
  },
  ['gate', 'choice'],
);

/** What a signal, an Update or a command sent, or why it cannot be read. */
export function parseDecision(raw: unknown): { decision: DecisionInput } | { refusal: string } {
  const problem = decisionCheck(raw, 'the decision');
  return problem === null ? { decision: raw as DecisionInput } : { refusal: problem };
}

/** The same for remedies alone, as a command takes them. */
export function parseRemedies(raw: unknown): { remedies: Remedies } | { refusal: string } {
  const problem = remediesCheck(raw, 'remedies');
  return problem === null ? { remedies: raw as Remedies } : { refusal: problem };
}
