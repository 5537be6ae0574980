import { CancelledFailure, Context } from '@temporalio/activity';
import type {
  GpuActivities,
  OrchestratorActivities,
  ApiActivities,
  TrainingResult,
} from '../../activities/contract.ts';
import { describeBudget } from '../../activities/gates/budget-evidence.ts';
import { Recipe } from '../../config/recipe.ts';
import { defaultArms, planArms } from '../../domain/ablation.ts';
import { ablationTable } from '../../domain/ablation-table.ts';
import type { GateEvidence, Recommendation, Verdict } from '../../domain/gate-types.ts';
import type { BudgetRoom, Cost } from '../../domain/budget.ts';
import type { ProgrammeState } from '../../domain/programme.ts';
import type { JudgeSummary } from '../../domain/question-quality.ts';
import type { ArtefactRef, DataReport, EvaluationSummary, PhaseName } from '../../domain/records.ts';

/**
 * Activities that touch nothing, so that tests of the workflows see only what the workflows decide. The server, the
 * worker and the messages are real; `calls` records what the workflow asked for, in order.
 */
export type Script = {
  recipe?: Record<string, unknown>;
  /**
   * Verdict and recommendation per gate and attempt, `B2` for the second attempt at Phase B, `B2+1` for its gate after an
   * extension. Default: pass.
   */
  gates?: Record<string, { verdict: Verdict; recommendation?: Recommendation }>;
  /** What `prepareData` answers; default: nothing was held out beyond what is evaluated. */
  dataReport?: DataReport;
  /** Runs instead of a training; may throw. */
  onTrain?: (name: string, budget: BudgetRoom | undefined) => Promise<void> | void;
  /** Runs before the teacher is asked; may throw. */
  onAsk?: (budget: BudgetRoom | undefined) => void;
  /** What the checks before the run have cost. */
  checked?: Cost;
  /** Runs when a gate's notice is posted; may throw. */
  onNotice?: () => Promise<void> | void;
  /** Runs before a report is written or a state is saved; may throw. */
  onWrite?: (what: 'report' | 'state', state: ProgrammeState) => void;
  /** Runs before answers are attributed, before drafts of an experiment are made, before a judge is asked; may throw. */
  onExperiment?: (activity: 'attribute' | 'generateDrafts' | 'judgePairs') => void;
};

type Call = { activity: string; input: Record<string, unknown> };

export const ref = (name: string, rows = 1): ArtefactRef => ({
  uri: `s3://fake/${name}`,
  sha256: name.padEnd(64, '0'),
  bytes: 1,
  rows,
});

const noSteps: DataReport = { steps: [] };
const drafted = { n: 1, truncated: 0, unparsable: 0, lenient: 0, correct: 1 };
const asked = {
  n: 1,
  byClass: { valid: 1, disagreed: 0, unparsable: 0, truncated: 0, refused: 0, failed: 0 },
  lenient: 0,
};

const judged: JudgeSummary = {
  judge: {
    ...{ name: 'simulated-fake', promptDigest: 'prompts', temperature: 0, maxTokens: 300 },
    ...{ bothOrders: true, structuredOutput: true },
  },
  compared: {
    ...{ items: 2, wins: 1, losses: 0, ties: 1, unjudged: 0, exact: 0, twice: 2 },
    ...{ flips: { first: 0, second: 0, half: 0 }, problems: {} },
  },
  lengthControl: null,
  calibration: null,
};

const summary = (name: string): EvaluationSummary => ({
  name,
  items: ref(`items-${name}`),
  n: 10,
  correct: 6,
  unparsable: 0,
  truncated: 0,
  predictedYes: 5,
  truthYes: 5,
  templateDigest: 'template',
  adapterSha256: null,
});

const options = {
  A: ['approve', 'retry', 'abort'],
  B: ['approve', 'fix', 'skip', 'redesign', 'abort'],
  C: ['approve', 'retry', 'abort'],
} as const satisfies Record<PhaseName, readonly string[]>;

/** @returns the activities, the log of calls, and the states that were saved, by run */
export function fakeActivities(script: Script = {}) {
  const calls: Call[] = [];
  const saved = new Map<string, ProgrammeState>();
  const log = (activity: string, input: object): void => void calls.push({ activity, input: { ...input } });

  const trained = async (name: string, budget: BudgetRoom | undefined): Promise<TrainingResult> => {
    await script.onTrain?.(name, budget);
    return {
      adapter: ref(`adapter-${name}`),
      metrics: ref(`metrics-${name}`),
      steps: 3,
      trainLoss: 0.5,
      evalLoss: null,
      trainableParameters: 1,
      totalParameters: 2,
      gpuSeconds: 2,
      stepsRedone: 0,
      losses: 0,
    };
  };

  const orchestrator: OrchestratorActivities = {
    resolveRecipe: async (input) => {
      log('resolveRecipe', input);
      const recipe = Recipe.parse({ name: 'fake', description: 'fake', ...script.recipe });
      return {
        recipe,
        digest: 'recipe-digest',
        overridden: [],
        ...(script.checked && { checked: script.checked }),
        estimate: {
          ...{ teacherCalls: 1, teacherUsd: 0, teacherPriced: true, judgeCalls: 0, judgeUsd: 0, pricesDate: null },
          ...{ gpuHours: 0, gpuUsd: 0, totalUsd: 0 },
        },
      };
    },
    resolveAblation: async (input) => {
      log('resolveAblation', input);
      const { arms = [...defaultArms], seeds = 1 } = input.start;
      const resolved = await orchestrator.resolveRecipe({ start: { recipe: input.start.recipe }, run: input.run });
      return { ...resolved, arms: planArms(arms, seeds, resolved.recipe) };
    },
    compareArms: async (input) => {
      log('compareArms', input);
      return ablationTable([], []);
    },
    prepareData: async (input) => (
      log('prepareData', input),
      { train: ref('train'), evaluation: ref('evaluation'), report: script.dataReport ?? noSteps }
    ),
    buildAnswerCorpus: async (input) => (
      log('buildAnswerCorpus', input),
      { rows: ref('corpus-A'), heldOut: null, report: noSteps, templateDigest: 'template' }
    ),
    buildReasoningCorpus: async (input) => (
      log('buildReasoningCorpus', input),
      { rows: ref('corpus-B'), heldOut: null, report: noSteps, templateDigest: 'template' }
    ),
    buildPairs: async (input) => (
      log('buildPairs', input),
      { rows: ref('pairs'), heldOut: null, report: noSteps, templateDigest: 'template' }
    ),
    judgeGate: async (input) => {
      log('judgeGate', input);
      const attempt = `${input.gate}${input.scope.attempt}`;
      const looked = calls.filter(
        ({ activity, input: { gate, scope } }) =>
          activity === 'judgeGate' && `${String(gate)}${(scope as { attempt: number }).attempt}` === attempt,
      ).length;
      const name = looked === 1 ? attempt : `${attempt}+${looked - 1}`;
      const { verdict, recommendation } = script.gates?.[name] ?? { verdict: 'pass' as const };
      const extensible = verdict === 'inconclusive' && (input.questionsLeft ?? 0) > 0;
      const evidence: GateEvidence = {
        gate: input.gate,
        attempt: input.scope.attempt,
        verdict,
        criteria: [],
        diagnosis: [],
        evaluations: input.evaluations,
        ...(input.round && { round: input.round }),
        options: [
          ...options[input.gate],
          ...(input.round ? (['skip'] as const) : []),
          ...(extensible ? (['extend'] as const) : []),
        ],
        ...(extensible ? { extension: { items: 5, left: input.questionsLeft ?? 0, settles: true } } : {}),
        recommendation: recommendation ?? { choice: 'approve', reason: 'passed' },
        // No digest is the beginning of another: a shortened one would name both.
        digest: `digest-${looked === 1 ? '' : 'again-'}${attempt}`,
        parts: {
          gate: input.gate,
          attempt: input.scope.attempt,
          adapter: input.adapter.sha256,
          prompts: 'template',
          criteria: 'criteria',
          recipe: 'recipe',
          evaluations: Object.fromEntries(input.evaluations.map(({ name: of, items }) => [of, items.sha256])),
        },
      };
      return evidence;
    },
    extendEvaluation: async (input) => (log('extendEvaluation', input), ref(input.name, input.items)),
    joinRows: async (input) => (
      log('joinRows', input),
      ref(
        input.name,
        input.parts.reduce((rows, part) => rows + part.rows, 0),
      )
    ),
    budgetEvidence: async (input) => (log('budgetEvidence', input), describeBudget(input)),
    notifyGate: async (input) => {
      log('notifyGate', input);
      await script.onNotice?.();
    },
    saveState: async ({ state }) => {
      script.onWrite?.('state', state);
      saved.set(state.run, state);
      return ref('state');
    },
    loadState: async ({ run }) => {
      const state = saved.get(run);
      if (!state) throw new Error(`no state of ${run}`);
      return state;
    },
    writeReport: async ({ state }) => {
      log('writeReport', { stage: state.stage });
      script.onWrite?.('report', state);
      return { html: ref('report.html'), json: ref('report.json'), path: '/report.html' };
    },
  };
  const gpu: GpuActivities = {
    generateDrafts: async (input) => {
      log('generateDrafts', input);
      if (input.name === 'question-quality') script.onExperiment?.('generateDrafts');
      return { drafts: ref(`drafts-${input.name}`), report: drafted, gpuSeconds: 1 };
    },
    evaluate: async (input) => (log('evaluate', input), { summary: summary(input.name), gpuSeconds: 1 }),
    attribute: async (input) => {
      log('attribute', input);
      script.onExperiment?.('attribute');
      const rows = ref(`attribution-${input.name}`);
      const leftOut = { noAnswer: 0, noDraft: 0 };
      return { summary: { rows, n: 1, leftOut, steps: 50, adapterSha256: input.adapter.sha256 }, gpuSeconds: 1 };
    },
    trainSft: async (input) => (
      log('trainSft', input),
      await trained(`${input.phase}${input.scope.attempt}`, input.budget)
    ),
    trainDpo: async (input) => (
      log('trainDpo', input),
      await trained(`${input.scope.phase}${input.scope.attempt}`, input.budget)
    ),
  };
  const api: Pick<ApiActivities, 'askTeacher' | 'judgePairs'> = {
    askTeacher: async (input) => (
      log('askTeacher', input),
      script.onAsk?.(input.budget),
      {
        responses: ref(`responses-${input.attempts}`),
        report: asked,
        costUsd: 0.25,
        calls: 1,
        reused: 0,
        teacher: 'simulated-fake',
      }
    ),
    judgePairs: async (input) => {
      log('judgePairs', input);
      script.onExperiment?.('judgePairs');
      return { verdicts: ref(`verdicts-${input.name}`), summary: judged, costUsd: 0.5, calls: 4, reused: 0 };
    },
  };
  return { orchestrator, gpu, api, calls, saved };
}

/** A training that only ends by cancellation, heartbeating as the real one does. */
export async function trainUntilCancelled(): Promise<never> {
  const beat = setInterval(() => {
    Context.current().heartbeat();
  }, 50);
  try {
    return await Context.current().cancelled;
  } catch (error) {
    if (error instanceof CancelledFailure) throw new CancelledFailure('trainer stopped');
    throw error;
  } finally {
    clearInterval(beat);
  }
}
