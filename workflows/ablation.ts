import { ApplicationFailure } from '@temporalio/common';
import type { Recipe } from '../config/recipe.ts';
import type { AblationStart, AblationState, PlannedArm, TrainedArm } from '../domain/ablation.ts';
import type { AblationTable } from '../domain/ablation-table.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import type { ArtefactRef, EvaluationSummary, TrainingRecord } from '../domain/records.ts';
import { readStart } from '../domain/start-input.ts';
import { climb } from './climb.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { adoptOlderRun, adoptRecipe, createProgramme, enter } from './programme.ts';
import { finish, keep } from './ending.ts';
import type { Outcome } from './ending.ts';
import { collect } from './self-improvement.ts';
import { isBudgetStop, runPurse } from './purse.ts';
import type { Purse } from './purse.ts';
import { gpuTasks, orchestrator } from './tasks.ts';

/** What a finished ablation answers; `table` is null where there is no model to start from. */
export type AblationOutcome = Outcome & { table: AblationTable | null };

/**
 * Which part of the schedule helps: trains every arm from one adapter, on the same pairs, with the same seed, and asks
 * all of them the same questions. Where no older run is named, Phases A and B come first, with the recipe's gates; no
 * arm is promoted.
 */
export async function ablation(start: AblationStart): Promise<AblationOutcome> {
  const { start: read, refusal } = readStart<AblationStart>(start);
  const from = 'from' in read && { run: read.from.run, at: 'phaseC' as const };
  const state = createProgramme({ recipe: read.recipe, ...(from && { from }) });
  try {
    if (refusal !== null) throw ApplicationFailure.nonRetryable(refusal, 'InvalidRecipe');
    return await trainAndCompare(state, read).catch(async (error: unknown) => {
      if (isBudgetStop(error)) return { ...(await finish(state, 'stopped')), table: null };
      throw error;
    });
  } catch (error) {
    await keep(state, error);
    throw error;
  }
}

async function trainAndCompare(state: ProgrammeState, start: AblationStart): Promise<AblationOutcome> {
  const gatekeeper = createGatekeeper(state);
  const resolved = await orchestrator.resolveAblation({ start, run: state.run });
  const { recipe } = resolved;
  adoptRecipe(state, resolved);
  const purse = runPurse(state, recipe, gatekeeper);
  const own: AblationState = { planned: resolved.arms, arms: [], reference: null, pairs: null, table: null };
  state.ablation = own;
  if (state.from) adoptOlderRun(state, await orchestrator.loadState({ run: state.from.run }), state.from.at);
  else {
    await collect(state, purse, recipe);
    for (const phase of ['A', 'B'] as const) {
      const goesOn = await climb(state, gatekeeper, purse, phase, recipe);
      await orchestrator.saveState({ state });
      if (!goesOn) return { ...(await finish(state, 'stopped')), table: null };
    }
  }
  own.table = await compare(state, purse, own, recipe);
  state.conclusion = own.table.findings.join(' ');
  return { ...(await finish(state, 'done')), table: own.table };
}

async function compare(
  state: ProgrammeState,
  purse: Purse,
  own: AblationState,
  recipe: Recipe,
): Promise<AblationTable> {
  const { run, data, drafts, teacher, promoted } = state;
  if (!data || !drafts || !teacher || !promoted) throw new Error('An ablation needs pairs and a model to start from.');
  enter(state, 'ablation');
  const scope = { run, phase: 'ablation', attempt: 1 } as const;
  const gpu = gpuTasks(recipe.reliability, purse);
  const sources = { questions: data.train, drafts: drafts.train, responses: teacher.responses };
  const { rows: pairs } = await orchestrator.buildPairs({ scope, recipe, ...sources });
  own.pairs = pairs;

  const evaluate = (of: Parameters<typeof gpu.evaluate>[0]['scope'], name: string, adapter: ArtefactRef) => {
    const asked = { mode: 'reasoning', questions: data.evaluation, drafts: drafts.evaluation } as const;
    return gpu.evaluate({ scope: of, recipe, name: `${name}/reasoning`, ...asked, adapter });
  };
  const { phase, attempt, adapter } = promoted;
  own.reference = { phase, attempt, adapter, evaluation: (await evaluate(scope, 'reference', adapter)).summary };
  for (const arm of own.planned) {
    const armScope = { run, phase: `arm-${arm.name}`, attempt: arm.repetition } as const;
    const varied = { ...recipe, seed: arm.seed, phaseC: { ...recipe.phaseC, stages: arm.stages } };
    const training = await gpu.trainDpo({ scope: armScope, recipe: varied, pairs, adapter });
    // With the recipe's seed, whatever the arm's: where answers are sampled, all sample alike.
    const evaluated = await evaluate(armScope, `${arm.name}-${arm.repetition}`, training.adapter);
    own.arms.push(trainedArm(arm, training, evaluated));
    await orchestrator.saveState({ state });
  }
  return orchestrator.compareArms({ reference: own.reference.evaluation, arms: own.arms });
}

const trainedArm = (
  arm: PlannedArm,
  { adapter, metrics, steps, trainLoss, gpuSeconds, stepsRedone, losses, ledger }: TrainingRecord,
  evaluated: { summary: EvaluationSummary; gpuSeconds: number },
): TrainedArm => ({
  ...arm,
  ...{ adapter, metrics, steps, trainLoss, stepsRedone, losses },
  gpuSeconds: gpuSeconds + evaluated.gpuSeconds,
  evaluation: evaluated.summary,
  ...(ledger && { ledger }),
});
