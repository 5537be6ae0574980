import type { GateEvidence } from '../../domain/gate-types.ts';
import type { PhaseAttempt, ProgrammeState } from '../../domain/programme.ts';
import type { ArtefactRef, EvaluationSummary } from '../../domain/records.ts';
import { costsOf } from './collect-costs.ts';
import { lossesOfRun } from './collect-losses.ts';
import { headlineOf, modeOf } from './headline.ts';
import type { ArtefactRows } from './artefact-rows.ts';
import { qualityReports } from './collect-quality.ts';
import { collectExperiments } from './collect-experiments.ts';
import { collectSamples } from './collect-samples.ts';
import { readRecipe } from './read-recipe.ts';
import { recipeDifferences } from './recipe-differences.ts';
import type { AccuracyRow, GateReport, PhaseReport, ReportData } from './report-data.ts';
import { wilson } from '../../domain/statistics.ts';
import { readCurve } from './training-curve.ts';

/**
 * Everything that the page shows. An artefact that cannot be read costs its own part of the report, not the report.
 *
 * @param now when the report is written
 */
export async function collectReport(state: ProgrammeState, rows: ArtefactRows, now: Date): Promise<ReportData> {
  const recipe = readRecipe(state.recipe);
  const phases: PhaseReport[] = [];
  for (const attempt of state.phases) phases.push(await phaseReport(attempt, rows));
  const gates = gateReports(state);
  const seen = new Set(gates.flatMap((gate) => gate.decisions));
  return {
    version: 1,
    run: state.run,
    recipeName: state.recipeName,
    recipeDigest: state.recipeDigest,
    description: recipe.description ?? '',
    base: recipe.base ?? '',
    dataSource: recipe.source ?? '',
    stage: state.stage,
    waiting: state.waiting,
    startedAt: state.startedAt,
    finishedAt: state.finishedAt,
    writtenAt: now.toISOString(),
    conclusion: state.conclusion,
    from: state.from ?? null,
    teacher: state.teacher && {
      name: state.teacher.name,
      simulated: isSimulated(state.teacher.name),
      attempts: state.teacher.attempts,
    },
    promoted: state.promoted && {
      phase: state.promoted.phase,
      attempt: state.promoted.attempt,
      override: state.promoted.override,
    },
    accuracies: accuracies(state),
    majority: majorityShare(state),
    phases,
    losses: lossesOfRun(state),
    gates,
    experiments: await collectExperiments(state, rows),
    strayDecisions: state.decisions.filter((decision) => !seen.has(decision)),
    unreadable: state.unreadable,
    data: dataOf(state),
    samples: await collectSamples(state, rows),
    questionQuality: await qualityReports(state, rows),
    costs: costsOf(state, recipe, now),
    recipe: {
      differences: recipeDifferences(state.recipe),
      attempts: state.phases.flatMap(({ phase, attempt, remedies }) =>
        remedies === null ? [] : [{ attempt: `${phase}${attempt}`, remedies }],
      ),
      resolved: state.recipe,
      unread: recipe.unread,
    },
    artefacts: artefactsOf(state),
  };
}

/** The simulated teacher names itself so; see activities/teacher. */
export const isSimulated = (teacher: string): boolean => /simulated/iu.test(teacher);

async function phaseReport(attempt: PhaseAttempt, rows: ArtefactRows): Promise<PhaseReport> {
  const { phase, round, remedies, outcome, steps, trainLoss, gpuSeconds, stepsRedone, losses, inexact, dataReport } =
    attempt;
  const base = {
    phase,
    attempt: attempt.attempt,
    round,
    remedies,
    outcome,
    steps,
    trainLoss,
    gpuSeconds,
    stepsRedone,
    losses,
    inexact,
    dataReport,
  };
  try {
    return {
      ...base,
      rows: attempt.corpus.rows,
      curve: await readCurve(rows<unknown>(attempt.metrics)),
      problem: null,
    };
  } catch (error) {
    const problem = `Metrics could not be read: ${error instanceof Error ? error.message : String(error)}`;
    return { ...base, rows: attempt.corpus.rows, curve: null, problem };
  }
}

function accuracies(state: ProgrammeState): AccuracyRow[] {
  const row = (
    summary: EvaluationSummary,
    of: Pick<AccuracyRow, 'phase' | 'attempt' | 'round' | 'headline' | 'outcome'>,
  ): AccuracyRow => ({
    name: summary.name,
    mode: modeOf(summary.name),
    ...of,
    accuracy: { successes: summary.correct, n: summary.n, ...wilson(summary.correct, summary.n, 0.95) },
    unparsable: summary.unparsable,
    truncated: summary.truncated,
    predictedYes: summary.predictedYes,
  });
  const base = state.baseEvaluation;
  return [
    ...(base === null ? [] : [row(base, { phase: null, attempt: 0, headline: true, outcome: 'base' })]),
    ...state.phases.flatMap((attempt) =>
      attempt.evaluations.map((summary) =>
        row(summary, {
          phase: attempt.phase,
          attempt: attempt.attempt,
          round: attempt.round,
          headline: summary === headlineOf(attempt),
          outcome: attempt.outcome,
        }),
      ),
    ),
  ];
}

function majorityShare(state: ProgrammeState): number | null {
  const summary = state.baseEvaluation ?? state.phases[0]?.evaluations[0];
  if (!summary || summary.n === 0) return null;
  return Math.max(summary.truthYes, summary.n - summary.truthYes) / summary.n;
}

function gateReports(state: ProgrammeState): GateReport[] {
  const report = (evidence: GateEvidence, outcome: GateReport['outcome'], earlier: GateEvidence[] = []): GateReport => {
    const decisions = state.decisions.filter(
      (decision) => decision.gate === evidence.gate && decision.attempt === evidence.attempt,
    );
    return { evidence, earlier, decisions, outcome };
  };
  return [
    ...state.phases.flatMap(({ evidence, earlierEvidence, outcome }) =>
      evidence === null ? [] : [report(evidence, outcome, earlierEvidence)],
    ),
    ...(state.budget?.reached ?? []).map((evidence) => report(evidence, 'pending')),
  ];
}

function dataOf(state: ProgrammeState): ReportData['data'] {
  return {
    prepared: state.data?.report ?? null,
    drafts:
      state.drafts === null
        ? []
        : [
            { set: 'training', ...state.drafts.trainReport },
            { set: 'evaluation', ...state.drafts.evaluationReport },
          ],
    responses: state.teacher?.report ?? null,
  };
}

function artefactsOf(state: ProgrammeState): ReportData['artefacts'] {
  const named: [string, ArtefactRef | undefined][] = [
    ['training questions', state.data?.train],
    ['held-out questions', state.data?.evaluation],
    ['drafts, training', state.drafts?.train],
    ['drafts, evaluation', state.drafts?.evaluation],
    ['teacher responses', state.teacher?.responses],
    ...state.phases.flatMap((attempt): [string, ArtefactRef | undefined][] => {
      const name = `${attempt.phase}${attempt.attempt}`;
      return [
        ...(attempt.round === undefined
          ? []
          : ([
              [`${name} drafts, training`, attempt.round.drafts],
              [`${name} teacher responses`, attempt.round.responses],
            ] as [string, ArtefactRef][])),
        [`${name} corpus`, attempt.corpus],
        [`${name} adapter`, attempt.adapter],
        [`${name} metrics`, attempt.metrics],
        ...attempt.evaluations.map((evaluation): [string, ArtefactRef] => [evaluation.name, evaluation.items]),
        [`${name}/question-quality`, attempt.experiments?.questionQuality?.verdicts],
        ...Object.entries(attempt.experiments?.attribution ?? {}).map(([when, summary]): [string, ArtefactRef] => [
          `${name} attribution ${when} DPO`,
          summary.rows,
        ]),
      ];
    }),
  ];
  return named.flatMap(([name, ref]) => (ref === undefined ? [] : [{ name, ref }]));
}
