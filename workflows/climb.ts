import { ChildWorkflowCancellationType, executeChild } from '@temporalio/workflow';
import type { GateRoles } from '../activities/contract.ts';
import type { Recipe } from '../config/recipe.ts';
import type { Decision, GateEvidence } from '../domain/gate-types.ts';
import type { PhaseAttempt, ProgrammeState } from '../domain/programme.ts';
import type { PhaseName } from '../domain/records.ts';
import { applyRemedies } from '../domain/remedies.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import type { PhaseInput, PhaseResult } from './phases/phase.ts';
import { phaseA } from './phases/phase-a.ts';
import { phaseB } from './phases/phase-b.ts';
import { phaseC } from './phases/phase-c.ts';
import { extendEvaluations, questionsLeft } from './extend.ts';
import { enter } from './programme.ts';
import { orchestrator } from './tasks.ts';

const workflows = { A: phaseA, B: phaseB, C: phaseC };

/**
 * One step of the ratchet: run the phase, hold its gate, and do what was decided, until the phase is promoted, skipped
 * or the run stops. The model moves only by `approve`.
 *
 * @returns false when the run stops here
 */
export async function climb(
  state: ProgrammeState,
  gatekeeper: Gatekeeper,
  phase: PhaseName,
  recipe: Recipe,
): Promise<boolean> {
  let attemptRecipe = recipe;
  let remedies: Decision['remedies'] | null = null;
  for (let attempt = 1; ; attempt += 1) {
    enter(state, `phase${phase}`);
    const record = await runPhase(state, { phase, attempt, recipe: attemptRecipe, remedies: remedies ?? null });
    const fixesLeft = recipe.gates.maxFixes - attempt + 1;
    const { evidence, decision } = await settle(state, gatekeeper, record, { recipe, attemptRecipe, fixesLeft });
    if (decision.choice === 'approve') return promote(state, record, decision);
    record.outcome = 'rejected';
    if (decision.choice === 'skip') return true;
    if (decision.choice === 'abort') return stop(state, phase, decision, evidence);
    remedies = decision.remedies ?? (decision.choice === 'fix' ? evidence.recommendation.remedies : undefined);
    if (remedies) attemptRecipe = applyRemedies(attemptRecipe, remedies).recipe;
  }
}

type Attempt = Pick<PhaseInput, 'phase' | 'attempt' | 'recipe' | 'remedies'>;

async function runPhase(state: ProgrammeState, attempt: Attempt): Promise<PhaseAttempt> {
  const { run, data, drafts, teacher } = state;
  if (!data || !drafts || !teacher) throw new Error('A phase needs data, drafts and teacher responses.');
  const child: (input: PhaseInput) => Promise<PhaseResult> = workflows[attempt.phase];
  const result = await executeChild(child, {
    workflowId: `${run}/phase${attempt.phase}-${attempt.attempt}`,
    args: [{ ...attempt, run, adapter: state.promoted?.adapter ?? null, data, drafts, teacher }],
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
  state.teacher = result.teacher;
  state.spent.teacherUsd += result.teacherUsd;
  state.spent.teacherCalls += result.teacherCalls;
  state.spent.gpuSeconds += result.attempt.gpuSeconds;
  state.phases.push(result.attempt);
  return result.attempt;
}

type Held = { recipe: Recipe; attemptRecipe: Recipe; fixesLeft: number };

/** Holds the gate, again on more items each time that is decided, until something else is. */
async function settle(
  state: ProgrammeState,
  gatekeeper: Gatekeeper,
  record: PhaseAttempt,
  { recipe, attemptRecipe, fixesLeft }: Held,
): Promise<{ evidence: GateEvidence; decision: Decision }> {
  // Fixed before the first look, since each spends its part of the error.
  const extensions = questionsLeft(state) > 0 ? recipe.gates.maxExtensions : 0;
  for (let extension = 0; ; extension += 1) {
    const left = extension < extensions ? questionsLeft(state) : 0;
    const looks = { looks: extensions + 1, questionsLeft: left };
    const evidence = await holdGate(state, record, attemptRecipe, { fixesLeft, ...looks });
    await orchestrator.saveState({ state });
    const decision = await gatekeeper.decide(evidence, recipe.gates);
    if (decision.choice !== 'extend') return { evidence, decision };
    record.earlierEvidence = [...(record.earlierEvidence ?? []), evidence];
    const name = `${record.phase}${record.attempt}-extension-${extension + 1}`;
    await extendEvaluations(state, record, recipe, evidence.extension?.items ?? left, name);
  }
}

async function holdGate(
  state: ProgrammeState,
  record: PhaseAttempt,
  recipe: Recipe,
  limits: { fixesLeft: number; looks: number; questionsLeft: number },
): Promise<GateEvidence> {
  const promoted = state.phases.filter((attempt) => attempt.outcome.startsWith('promoted'));
  record.evidence = await orchestrator.judgeGate({
    scope: { run: state.run, phase: record.phase, attempt: record.attempt },
    recipe,
    gate: record.phase,
    evaluations: [...promoted, record].flatMap((attempt) => attempt.evaluations),
    roles: gateRoles(record, promoted),
    dataReport: record.dataReport,
    trainedTemplateDigest: record.templateDigest,
    adapter: record.adapter,
    metrics: record.metrics,
    ...(record.experiments && { experiments: record.experiments }),
    ...limits,
  });
  return record.evidence;
}

/** Which evaluation is the candidate and which it is compared with. */
function gateRoles({ phase, attempt, candidate }: PhaseAttempt, promoted: PhaseAttempt[]): GateRoles {
  const own = `${phase}${attempt}`;
  const candidateOf = (earlier: PhaseName) => promoted.findLast((each) => each.phase === earlier)?.candidate;
  const [phaseA, phaseB] = [candidateOf('A'), candidateOf('B')];
  return {
    candidate,
    ...(phase === 'A' ? {} : { direct: `${own}/direct`, reasoning: `${own}/reasoning` }),
    ...(phase === 'C' ? { noDraft: `${own}/no-draft`, shuffledDraft: `${own}/shuffled-draft` } : {}),
    ...(phaseA ? { phaseA } : {}),
    ...(phaseB ? { phaseB } : {}),
  };
}

function promote(state: ProgrammeState, record: PhaseAttempt, decision: Decision): true {
  record.outcome = decision.override ? 'promoted-by-override' : 'promoted';
  const override = decision.override || (state.promoted?.override ?? false);
  state.promoted = { phase: record.phase, attempt: record.attempt, adapter: record.adapter, override };
  return true;
}

function stop(state: ProgrammeState, phase: PhaseName, decision: Decision, evidence: GateEvidence): false {
  const kept = state.promoted
    ? `the adapter of Phase ${state.promoted.phase} stays the model`
    : 'the base stays the model';
  state.conclusion = `Stopped at Gate ${phase} (${evidence.verdict}) by ${decision.by ?? decision.source}: ${kept}.`;
  return false;
}
