import { log, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import type { Recipe } from '../config/recipe.ts';
import { withDecision, withUnreadable } from '../domain/decision-log.ts';
import { checkDecision, parseDecision, policyDecision } from '../domain/decisions.ts';
import type { Decision, DecisionInput, GateEvidence } from '../domain/gate-types.ts';
import type { ProgrammeState } from '../domain/programme.ts';
import { waitWithReminders } from './gate-reminders.ts';
import { decideSignal, decideUpdate, gatesQuery, refusalSignal, searchAttributes } from './messages.ts';

/** Opens gates and waits for decisions; one per workflow, since it owns the `decide` messages. */
export type Gatekeeper = {
  /**
   * Resolves with an accepted decision. Waits for a person unless the policy decides; also where what the policy or the
   * deadline would decide is refused, since nothing refused is ever acted on.
   */
  decide(evidence: GateEvidence, gates: Recipe['gates']): Promise<Decision>;
};

/**
 * Installs the message handlers; decisions are kept in `state.decisions`, refused ones with their reason. The handlers take
 * whatever was sent, and must not throw: that would stop the run for good.
 */
export function createGatekeeper(state: ProgrammeState): Gatekeeper {
  let open: GateEvidence | null = null;
  let waitingSince: string | null = null;
  let accepted: Decision | null = null;

  const record = (decision: Decision): Decision => {
    state.decisions = withDecision(state.decisions, decision);
    if (decision.accepted) {
      accepted = decision;
      open = null;
    } else log.warn('decision refused', { ...state.decisions.at(-1) });
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
    else if (typeof refusal !== 'string') recordUnreadable(state, raw, 'recordRefusal needs the refusal, a text');
    else record({ ...rule(parsed.decision, 'update'), accepted: false, override: false, refusal });
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
      const decided = byPolicy && record(rule(byPolicy, 'policy'));
      if (decided?.accepted) return decided;
      waitingSince = new Date().toISOString();
      state.waiting = evidence.gate;
      upsertSearchAttributes([{ key: searchAttributes.gate, value: evidence.gate }]);
      accepted = await untilDecided(
        () => accepted,
        { evidence, waitingSince, gates },
        () => record(rule(recommended(evidence), 'deadline')),
      );
      state.waiting = null;
      waitingSince = null;
      upsertSearchAttributes([{ key: searchAttributes.gate, value: null }]);
      return accepted;
    },
  };
}

type Opened = { evidence: GateEvidence; waitingSince: string; gates: Recipe['gates'] };

/** Waits for a person, until the deadline; where what the deadline decides is refused, on without one. */
async function untilDecided(
  accepted: () => Decision | null,
  { evidence, waitingSince, gates }: Opened,
  atDeadline: () => Decision,
): Promise<Decision> {
  const decided = (): boolean => accepted() !== null;
  await waitWithReminders(decided, evidence, waitingSince, gates);
  const first = accepted() ?? atDeadline();
  if (first.accepted) return first;
  const timing = { ...gates.timing, deadlineMinutes: undefined };
  for (;;) {
    await waitWithReminders(decided, evidence, waitingSince, { ...gates, timing }, 'again');
    const decision = accepted();
    if (decision !== null) return decision;
  }
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
  state.unreadable = withUnreadable(state.unreadable, new Date().toISOString(), raw, refusal);
  log.warn('decision not readable', { ...state.unreadable.at(-1) });
}
