import { log, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import type { Recipe } from '../config/recipe.ts';
import { checkDecision, parseDecision, policyDecision } from '../domain/decisions.ts';
import type { Decision, DecisionInput, GateEvidence } from '../domain/gate-types.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import { waitWithReminders } from './gate-reminders.ts';
import { decideSignal, decideUpdate, gatesQuery, refusalSignal, searchAttributes } from './messages.ts';

/** Most decisions kept, so that a flood of signals cannot grow the state without bound; the newest stay. */
const keptDecisions = 500;

/** Opens gates and waits for decisions; one per workflow, since it owns the `decide` messages. */
export type Gatekeeper = {
  /** Resolves with the accepted decision. Waits for a person unless the policy decides. */
  decide(evidence: GateEvidence, gates: Recipe['gates']): Promise<Decision>;
};

/** Installs the message handlers; decisions are kept in `state.decisions`, refused ones with their reason. */
export function createGatekeeper(state: ProgrammeState): Gatekeeper {
  let open: GateEvidence | null = null;
  let waitingSince: string | null = null;
  let accepted: Decision | null = null;

  const record = (decision: Decision): Decision => {
    state.decisions.push(decision);
    if (state.decisions.length > keptDecisions) state.decisions.splice(0, state.decisions.length - keptDecisions);
    if (decision.accepted) {
      accepted = decision;
      open = null;
    } else log.warn('decision refused', { ...decision });
    return decision;
  };

  const rule = (input: DecisionInput, source: Decision['source']): Decision => judge(open, input, source, seen(state));

  setHandler(decideSignal, (raw) => {
    const parsed = parseDecision(raw);
    if ('refusal' in parsed) recordUnreadable(state, raw, parsed.refusal);
    else record(rule(parsed.decision, 'signal'));
  });
  setHandler(refusalSignal, (raw, refusal) => {
    const parsed = parseDecision(raw);
    if ('refusal' in parsed) recordUnreadable(state, raw, parsed.refusal);
    else record({ ...rule(parsed.decision, 'update'), accepted: false, refusal: refusal.slice(0, 1000) });
  });
  setHandler(decideUpdate, (input) => record(rule(input, 'update')), {
    validator: (raw) => {
      const parsed = parseDecision(raw);
      const refusal = 'refusal' in parsed ? parsed.refusal : rule(parsed.decision, 'update').refusal;
      if (refusal !== undefined) throw ApplicationFailure.nonRetryable(refusal, 'DecisionRefused');
    },
  });
  setHandler(gatesQuery, () => ({
    open,
    waitingSince,
    history: seen(state),
    decisions: state.decisions,
  }));

  return {
    async decide(evidence, gates) {
      accepted = null;
      open = evidence;
      const byPolicy = policyDecision(gates.policy, evidence);
      if (byPolicy !== null) return record(rule(byPolicy, 'policy'));
      waitingSince = new Date().toISOString();
      state.waiting = evidence.gate;
      upsertSearchAttributes([{ key: searchAttributes.gate, value: evidence.gate }]);
      await waitWithReminders(() => accepted !== null, evidence, waitingSince, gates);
      accepted ??= record(rule(recommended(evidence), 'deadline'));
      state.waiting = null;
      waitingSince = null;
      upsertSearchAttributes([{ key: searchAttributes.gate, value: null }]);
      return accepted;
    },
  };
}

/** All evidence that the run had, that of the budget gate last. */
const seen = ({ phases, budget }: ProgrammeState): GateEvidence[] => [
  ...phases.flatMap(({ evidence, earlierEvidence = [] }) => [...earlierEvidence, ...(evidence ? [evidence] : [])]),
  ...(budget?.reached ?? []),
];

/** Holds a decision against the open gate and stamps it. */
function judge(
  open: GateEvidence | null,
  input: DecisionInput,
  source: Decision['source'],
  earlier: GateEvidence[],
): Decision {
  const { refusal, override } = checkDecision(open, input, earlier);
  return {
    ...input,
    at: new Date().toISOString(),
    attempt: open?.attempt ?? null,
    accepted: refusal === undefined,
    ...(refusal === undefined ? {} : { refusal }),
    override,
    source,
  };
}

function recommended(evidence: GateEvidence): DecisionInput {
  const { choice, remedies, reason } = evidence.recommendation;
  return {
    gate: evidence.gate,
    choice,
    by: 'deadline',
    note: reason,
    evidence: evidence.digest,
    ...(remedies ? { remedies } : {}),
  };
}

/** What cannot be read as a decision is kept as text, cut to a size that fits the state. */
function recordUnreadable(state: ProgrammeState, raw: unknown, refusal: string): void {
  log.warn('decision not readable', { refusal });
  state.unreadable = [
    ...state.unreadable,
    { at: new Date().toISOString(), text: JSON.stringify(raw).slice(0, 500), refusal },
  ].slice(-100);
}
