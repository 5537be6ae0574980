import type { CriterionVerdict, Decision, Remedies, Verdict } from './gate-types.ts';
import type { PhaseAttempt, ProgrammeState, Round } from './programme.ts';
import type { ArtefactRef, DataReport } from './records.ts';

/** One training on the way to a model: what went into it, what its gate said, who decided. */
export type LineageStep = {
  run: string;
  /** `B2`: second attempt at Phase B. */
  attempt: string;
  outcome: PhaseAttempt['outcome'];
  adapter: ArtefactRef;
  /** A later round of Phase C was made from these and not from the run's. */
  round?: Round;
  remedies: Remedies | null;
  /** Training rows; how they came from the questions is in `dataReport`. */
  corpus: ArtefactRef;
  dataReport: DataReport;
  templateDigest: string;
  gate: { verdict: Verdict; evidence: string; criteria: Pick<CriterionVerdict, 'verdict' | 'text'>[] } | null;
  /** Items of the evaluations that the gate judged. */
  evaluations: { name: string; items: ArtefactRef }[];
  /** What was accepted at this gate; more than one where more evidence was asked for first. */
  decisions: Decision[];
};

/** Everything behind a model, from the base on. */
export type Lineage = {
  model: ArtefactRef | null;
  base: unknown;
  /** True when a gate on the way was passed by override. */
  overridden: boolean;
  runs: {
    run: string;
    recipe: string;
    recipeDigest: string;
    questions: { train: ArtefactRef; evaluation: ArtefactRef } | null;
    drafts: { train: ArtefactRef; evaluation: ArtefactRef } | null;
    /** As of the end of the run. */
    teacher: { name: string; server?: string; responses: ArtefactRef; report: DataReport['responses'] } | null;
  }[];
  steps: LineageStep[];
};

const nameOf = ({ phase, attempt }: PhaseAttempt): string => `${phase}${attempt}`;
const isPromoted = ({ outcome }: PhaseAttempt): boolean => outcome.startsWith('promoted');

/** The run that trained an adapter, from where it lies; null for anything else. */
export const runOfUri = (uri: string): string | null => /\/runs\/([^/]+)\//.exec(uri)?.[1] ?? null;

/**
 * The attempt that a name means: an adapter's URI (or its folder's), an attempt such as `B2`, or, for `''`, the last that
 * was promoted.
 */
export function attemptOf(state: ProgrammeState, name: string): PhaseAttempt | null {
  const attempts = state.phases;
  if (name === '') return attempts.findLast(isPromoted) ?? null;
  return attempts.find((each) => nameOf(each) === name || each.adapter.uri === name || within(name, each)) ?? null;
}

const within = (folder: string, { adapter }: PhaseAttempt): boolean =>
  folder.includes('://') && adapter.uri.startsWith(folder.endsWith('/') ? folder : `${folder}/`);

/** Each training goes on from what was promoted before it, so the way back is the promoted attempts before. */
function ancestry(state: ProgrammeState, attempt: PhaseAttempt): PhaseAttempt[] {
  const before = state.phases.slice(0, state.phases.indexOf(attempt)).filter(isPromoted);
  return [...before, attempt];
}

function stepOf(owner: ProgrammeState, attempt: PhaseAttempt): LineageStep {
  const { evidence } = attempt;
  const quality = attempt.experiments?.questionQuality;
  return {
    run: owner.run,
    attempt: nameOf(attempt),
    outcome: attempt.outcome,
    adapter: attempt.adapter,
    ...(attempt.round && { round: attempt.round }),
    remedies: attempt.remedies,
    corpus: attempt.corpus,
    dataReport: attempt.dataReport,
    templateDigest: attempt.templateDigest,
    gate: evidence && {
      verdict: evidence.verdict,
      evidence: evidence.digest,
      criteria: evidence.criteria.map(({ verdict, text }) => ({ verdict, text })),
    },
    evaluations: [
      ...attempt.evaluations.map(({ name, items }) => ({ name, items })),
      ...(quality ? [{ name: `${nameOf(attempt)}/question-quality`, items: quality.verdicts }] : []),
    ],
    decisions: owner.decisions.filter(
      (decision) => decision.accepted && decision.gate === attempt.phase && decision.attempt === attempt.attempt,
    ),
  };
}

/**
 * Everything behind one attempt's adapter.
 *
 * @param older states of the runs that this one started from: they hold the decisions on the phases taken over
 */
export function lineageOf(
  state: ProgrammeState,
  attempt: PhaseAttempt | null,
  older: readonly ProgrammeState[] = [],
): Lineage {
  const known = [state, ...older];
  const ownerOf = (each: PhaseAttempt): ProgrammeState =>
    known.find(({ run }) => run === runOfUri(each.adapter.uri)) ?? state;
  const steps = (attempt === null ? [] : ancestry(state, attempt)).map((each) => stepOf(ownerOf(each), each));
  return {
    model: attempt?.adapter ?? null,
    base: (state.recipe as { model?: unknown } | null)?.model ?? null,
    overridden: steps.some(({ outcome }) => outcome === 'promoted-by-override'),
    runs: known.map(({ run, recipeName, recipeDigest, data, drafts, teacher }) => ({
      run,
      recipe: recipeName,
      recipeDigest,
      questions: data && { train: data.train, evaluation: data.evaluation },
      drafts: drafts && { train: drafts.train, evaluation: drafts.evaluation },
      teacher: teacher && {
        name: teacher.name,
        ...(teacher.server !== undefined && { server: teacher.server }),
        responses: teacher.responses,
        report: teacher.report,
      },
    })),
    steps,
  };
}
