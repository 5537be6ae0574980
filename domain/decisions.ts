import type { Choice, DecisionInput, EvidenceParts, GateEvidence, GateName, Policy } from './gate-types.ts';

export { parseDecision, parseRemedies } from './decision-input.ts';

/** What each gate offers. */
export const gateOptions: Readonly<Record<GateName, readonly Choice[]>> = {
  A: ['approve', 'retry', 'abort'],
  B: ['approve', 'fix', 'skip', 'redesign', 'abort'],
  C: ['approve', 'retry', 'abort'],
  budget: ['raise', 'stop'],
};

/** What Gate C offers from the second round on: `skip` leaves the round out and ends the loop with the model as it stands. */
export const laterRoundOptions: readonly Choice[] = ['approve', 'retry', 'skip', 'abort'];

/** What makes the phase be done again; a gate offers it as long as `gates.maxFixes` allows. */
const repetitions: readonly Choice[] = ['retry', 'fix', 'redesign'];

/** What a gate offers with its repetitions used up or not. */
export const optionsOf = (offered: readonly Choice[], fixesLeft: number): Choice[] =>
  offered.filter((choice) => fixesLeft > 0 || !repetitions.includes(choice));

/** Why a gate does not offer what such gates do, as an end of the refusal. */
function whyNot(gate: GateName, choice: Choice): string {
  if (repetitions.includes(choice) && gateOptions[gate].includes(choice))
    return `: the phase was repeated as often as gates.maxFixes allows; abort, and start a run from this one whose recipe allows more (ratchet run RECIPE --from RUN --at PHASE --set gates.maxFixes=N)`;
  return choice === 'extend'
    ? ': its criteria are not open, gates.maxExtensions is used up, or no held-out questions are left'
    : '';
}

/** Whether a decision stands; `refusal` is undefined when accepted. `override` marks approving what did not pass. */
export type Ruling =
  { accepted: true; refusal?: undefined; override: boolean } | { accepted: false; refusal: string; override: false };

const refuse = (refusal: string): Ruling => ({ accepted: false, refusal, override: false });

/** Digests may be shortened as people do with commits, but not below this. */
const shortestDigest = 8;

const namesDigest = (named: string, digest: string): boolean =>
  named === digest || (named.length >= shortestDigest && digest.startsWith(named));

/** What differs between two pieces of evidence, in words: `adapter`, `evaluation B1/direct`. */
export function evidenceDifferences(named: EvidenceParts, open: EvidenceParts): string[] {
  const fields = (['adapter', 'prompts', 'criteria', 'recipe', 'attributions', 'failedExperiments'] as const).filter(
    (part) => named[part] !== open[part],
  );
  const evaluations = [...new Set([...Object.keys(named.evaluations), ...Object.keys(open.evaluations)])].filter(
    (name) => named.evaluations[name] !== open.evaluations[name],
  );
  return [
    ...(named.gate === open.gate ? [] : [`gate (${named.gate}, now ${open.gate})`]),
    ...(named.attempt === open.attempt ? [] : [`attempt (${named.attempt}, now ${open.attempt})`]),
    ...evaluations.map((name) => `evaluation ${name}`),
    ...fields,
  ];
}

/** Refusal of a decision on other evidence than the gate's, with the difference where that evidence was this run's. */
function stale(named: string, open: GateEvidence, earlier: readonly GateEvidence[]): string {
  const meant = earlier.find(({ digest }) => namesDigest(named, digest));
  const differences =
    meant?.parts === undefined || open.parts === undefined
      ? meant === undefined
        ? 'this run never had that evidence'
        : `that was attempt ${meant.attempt} at gate ${meant.gate}`
      : `since then changed: ${evidenceDifferences(meant.parts, open.parts).join(', ')}`;
  return `the decision was made on evidence ${named}, but the gate's evidence is ${open.digest} (${differences}); look at it again and decide on that`;
}

function remediesProblem({ choice, remedies }: DecisionInput, evidence: GateEvidence): string | null {
  if (choice === 'redesign') {
    const wordings = Object.keys(remedies?.templates ?? {}).length;
    return wordings > 0 ? null : 'redesign needs remedies.templates with a new reasoning, teacherSystem or teacherUser';
  }
  if (choice !== 'fix')
    return remedies === undefined ? null : `remedies go with fix or redesign, not with ${choice}; remove them`;
  if (remedies?.templates !== undefined) return 'remedies.templates goes with redesign, not with fix';
  const wanted = remedies ?? evidence.recommendation.remedies ?? {};
  return Object.keys(wanted).length > 0 ? null : 'fix needs remedies: the evidence recommends none; name at least one';
}

function capProblem({ choice, capUsd }: DecisionInput, { budget }: GateEvidence): string | null {
  if (choice !== 'raise') return capUsd === undefined ? null : `capUsd goes with raise, not with ${choice}; remove it`;
  const least = budget?.leastCapUsd ?? 0;
  if (capUsd !== undefined && capUsd >= least) return null;
  const is = capUsd === undefined ? '' : `, is ${capUsd}`;
  return `raise needs capUsd, the new cap of the run: at least ${least}${is}; less would be reached again at once`;
}

/**
 * Holds a decision against the gate that is open. The same for a signal, an Update and a command, so that all refuse
 * alike. `fix` without remedies means those that the evidence recommends.
 *
 * @param open evidence of the open gate, null when none is
 * @param earlier evidence that this run had before, so that a stale decision can be told what changed
 */
export function checkDecision(
  open: GateEvidence | null,
  input: DecisionInput,
  earlier: readonly GateEvidence[] = [],
): Ruling {
  if (open === null) return refuse(`gate ${input.gate} is not open; no gate waits for a decision`);
  if (open.gate !== input.gate) return refuse(`gate ${input.gate} is not open; gate ${open.gate} is`);
  if (!open.options.includes(input.choice)) {
    const offers = `gate ${open.gate} does not offer ${input.choice}; it offers ${open.options.join(', ')}`;
    return refuse(`${offers}${whyNot(open.gate, input.choice)}`);
  }
  if (input.evidence !== undefined && !namesDigest(input.evidence, open.digest)) {
    return refuse(stale(input.evidence, open, earlier));
  }
  const problem = remediesProblem(input, open) ?? capProblem(input, open);
  if (problem !== null) return refuse(problem);
  const override = input.choice === 'approve' && open.verdict !== 'pass';
  if (override && (input.note ?? '').trim() === '') {
    return refuse(
      `gate ${open.gate} did not pass (${open.verdict}); approving it is an override and needs a note that says why`,
    );
  }
  return { accepted: true, override };
}

/**
 * What a policy decides by itself: `manual` nothing, `auto` approves what passed, `recommended` takes the recommendation.
 * Null = a person decides. More money is no policy's to give: the budget gate always waits.
 */
export function policyDecision(policy: Policy, evidence: GateEvidence): DecisionInput | null {
  if (evidence.gate === 'budget') return null;
  if (policy === 'manual' || (policy === 'auto' && evidence.verdict !== 'pass')) return null;
  const { choice, reason, remedies } = evidence.recommendation;
  const decided: Choice = policy === 'auto' ? 'approve' : choice;
  return {
    gate: evidence.gate,
    choice: decided,
    by: `policy ${policy}`,
    note: reason,
    evidence: evidence.digest,
    ...(decided === 'fix' && remedies !== undefined ? { remedies } : {}),
  };
}
