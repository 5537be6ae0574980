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
import type { Purse } from './purse.ts';
import { extendEvaluations, questionsLeft } from './extend.ts';
import { enter } from './programme.ts';
import { orchestrator } from './tasks.ts';

const workflows = { A: phaseA, B: phaseB, C: phaseC };

/**
 * One step of the ratchet: run the phase, hold its gate, and do what was decided, until the phase is promoted, skipped
 * or the run stops. The model moves only by `approve`.
 *
 * @param round of Phase C; its attempts count on through the rounds
 * @returns false when the run stops here
 */
export async function climb(
  state: ProgrammeState,
  gatekeeper: Gatekeeper,
  purse: Purse,
  phase: PhaseName,
  recipe: Recipe,
  round = 1,
): Promise<boolean> {
  let attemptRecipe = recipe;
  let remedies: Decision['remedies'] | null = null;
  const before = round === 1 ? 0 : state.phases.filter((attempt) => attempt.phase === phase).length;
  for (let tried = 1; ; tried += 1) {
    enter(state, `phase${phase}`);
    const record = await runPhase(state, purse, {
      phase,
      attempt: before + tried,
      recipe: attemptRecipe,
      remedies: remedies ?? null,
      ...(round > 1 && { round: { number: round, try: tried, teacherStage: state.phases.length + 1 } }),
    });
    const fixesLeft = recipe.gates.maxFixes - tried + 1;
    const held = { recipe, attemptRecipe, fixesLeft };
    const { evidence, decision } = await settle(state, gatekeeper, purse, record, held);
    if (decision.choice === 'approve') return promote(state, record, decision);
    record.outcome = 'rejected';
    if (decision.choice === 'skip') return true;
    if (decision.choice === 'abort') return stop(state, phase, decision, evidence);
    remedies = decision.remedies ?? (decision.choice === 'fix' ? evidence.recommendation.remedies : undefined);
    if (remedies) attemptRecipe = applyRemedies(attemptRecipe, remedies).recipe;
  }
}

type Attempt = Pick<PhaseInput, 'phase' | 'attempt' | 'recipe' | 'remedies' | 'round'>;

async function runPhase(state: ProgrammeState, purse: Purse, attempt: Attempt): Promise<PhaseAttempt> {
  const { run, data, drafts, teacher } = state;
  if (!data || !drafts || !teacher) throw new Error('A phase needs data, drafts and teacher responses.');
  const child: (input: PhaseInput) => Promise<PhaseResult> = workflows[attempt.phase];
  const input = { ...attempt, run, adapter: state.promoted?.adapter ?? null, data, drafts, teacher };
  const result = await purse.spend(
    (budget) =>
      executeChild(child, {
        workflowId: `${run}/phase${attempt.phase}-${attempt.attempt}`,
        args: [{ ...input, budget }],
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      }),
    ({ attempt: { gpuSeconds }, teacherUsd, teacherCalls, judgeUsd, judgeCalls }) => ({
      ...{ teacherUsd, teacherCalls, judgeUsd, judgeCalls, gpuSeconds },
    }),
  );
  state.teacher = result.teacher;
  state.phases.push(result.attempt);
  return result.attempt;
}

type Held = { recipe: Recipe; attemptRecipe: Recipe; fixesLeft: number };

/**
 * Phase C, the self-guided loop: round after round from what the round before promoted, as long as gates pass. A round
 * that did not pass, also one that was overridden, is the last.
 *
 * @returns false when the run stops here
 */
export async function climbRounds(
  state: ProgrammeState,
  gatekeeper: Gatekeeper,
  purse: Purse,
  recipe: Recipe,
): Promise<boolean> {
  for (let round = 1; ; round += 1) {
    const goesOn = await climb(state, gatekeeper, purse, 'C', recipe, round);
    const passed = state.phases.at(-1)?.outcome === 'promoted';
    // A recipe of an older version has no rounds.
    if (!goesOn || !passed || !(round < recipe.phaseC.rounds)) return goesOn;
    await orchestrator.saveState({ state });
  }
}

/** Holds the gate, again on more items each time that is decided, until something else is. */
async function settle(
  state: ProgrammeState,
  gatekeeper: Gatekeeper,
  purse: Purse,
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
    await extendEvaluations(state, purse, record, recipe, evidence.extension?.items ?? left, name);
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
    ...(record.round && { round: { number: record.round.number, try: record.round.try } }),
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
  const [phaseA, phaseB, phaseC] = [candidateOf('A'), candidateOf('B'), candidateOf('C')];
  return {
    candidate,
    ...(phase === 'A' ? {} : { direct: `${own}/direct`, reasoning: `${own}/reasoning` }),
    ...(phase === 'C' ? { noDraft: `${own}/no-draft`, shuffledDraft: `${own}/shuffled-draft` } : {}),
    ...(phaseA ? { phaseA } : {}),
    ...(phaseB ? { phaseB } : {}),
    ...(phaseC ? { phaseC } : {}),
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
