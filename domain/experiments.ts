import { completenessError, draftShare, median, relativeError, tokenShare } from './attribution.ts';
import { figure, percent, percentRange, points, pointsRange } from './figures.ts';
import type { CriterionVerdict, Experiment, GateCriterion } from './gate-types.ts';
import { isGain, judgeCriteria } from './gate-verdict.ts';
import type { GateItems } from './gate-verdict.ts';
import { invalid } from './invalid.ts';
import { meanInterval, meanOf, meanP, sampleOf } from './means.ts';
import type { AttributedItem, AttributionSummary } from './records.ts';

/** Attributions of the same answers under the adapter that DPO began with and under the one it made. */
export type Attributions = Record<
  'before' | 'after',
  { summary: AttributionSummary; items: readonly AttributedItem[] }
>;

const confidence = 0.95;

/** What the plan asks of the experiments (the specification's table of validation experiments). */
type Planned = { name: Experiment['name']; measure: string; needs: keyof GateItems; criterion: GateCriterion };
const planned: readonly Planned[] = [
  {
    name: 'no-draft',
    measure: 'full draft minus no draft',
    needs: 'noDraft',
    criterion: { metric: 'ablation-gain', atLeast: 0.03, confidence },
  },
  {
    name: 'shuffled-draft',
    measure: 'full draft minus shuffled draft',
    needs: 'shuffledDraft',
    criterion: { metric: 'shuffle-drop', over: 'full-draft', atLeast: 0, confidence },
  },
  {
    name: 'shuffled-draft',
    measure: 'no draft minus shuffled draft',
    needs: 'shuffledDraft',
    criterion: { metric: 'shuffle-drop', over: 'no-draft', atLeast: 0, confidence },
  },
  {
    name: 'attribution',
    measure: 'share on the draft, after DPO',
    needs: 'attribution',
    criterion: { metric: 'attribution', atLeast: 0.2, confidence },
  },
  {
    name: 'question-quality',
    measure: 'questions won minus lost, after training against the base',
    needs: 'questionQuality',
    criterion: { metric: 'question-quality', atLeast: 0.1, confidence },
  },
];

const fromVerdict = ({ name, measure }: Planned, verdict: CriterionVerdict, more = ''): Experiment => ({
  name,
  measure,
  unit: isGain(verdict.criterion.metric) ? 'points' : 'share',
  n: verdict.n,
  estimate: verdict.estimate,
  low: verdict.low,
  high: verdict.high,
  p: verdict.pHolm ?? verdict.p,
  atLeast: verdict.criterion.atLeast,
  verdict: verdict.verdict,
  text: `${verdict.text}${more}`,
});

/** Differences per answer, of which the plan asks nothing; `text` begins with what it says. */
function difference(measure: string, values: readonly number[], says: string): Experiment {
  const sample = sampleOf(values);
  const { estimate, low, high } = meanInterval(sample, confidence, [-1, 1]);
  const p = meanP(sample, 0);
  const text = `${says}: ${points(estimate)}, 95 % interval ${pointsRange(low, high)}, ${p < 0.001 ? 'p < 0.001' : `p = ${figure(p)}`}`;
  return {
    name: 'attribution',
    measure,
    unit: 'points',
    n: sample.n,
    estimate,
    low,
    high,
    p,
    atLeast: null,
    verdict: null,
    text,
  };
}

/** How far the integral can be believed, and who could not be asked. */
function soundness({ after }: Attributions): string {
  const errors = after.items.map(completenessError);
  const { noAnswer, noDraft } = after.summary.leftOut;
  const left = [
    ...(noAnswer > 0 ? [`${noAnswer} without a readable answer`] : []),
    ...(noDraft > 0 ? [`${noDraft} without a draft`] : []),
  ];
  const missed =
    errors.length === 0
      ? 'nothing was attributed'
      : `completeness missed by ${percent(median(errors))} of the mass (median; worst ${percent(Math.max(...errors))}), ${percent(median(after.items.map(relativeError)))} of the change (median) at ${after.summary.steps} steps`;
  return `; ${missed}${left.length === 0 ? '' : `; left out: ${left.join(', ')}`}`;
}

function checkPaired({ before, after }: Attributions): void {
  const ids = new Set(before.items.map(({ id }) => id));
  const stray = after.items.find(({ id }) => !ids.has(id));
  if (stray === undefined && ids.size === after.items.length) return;
  throw invalid(
    'InvalidData',
    `attributions before DPO (${before.items.length} answers) and after it (${after.items.length}) are not of the same items${stray === undefined ? '' : `, for example ${stray.id}`}; attribute one set under both adapters`,
  );
}

function attributionDifferences(attributions: Attributions): Experiment[] {
  const { before, after } = attributions;
  const earlier = new Map(before.items.map((item) => [item.id, draftShare(item)]));
  const shares = after.items.map(draftShare);
  const tokens = after.items.map(tokenShare);
  const { low, high, estimate } = meanInterval(sampleOf([...earlier.values()]), confidence, [0, 1]);
  const old = `${percent(estimate)} (${percentRange(low, high)}) before DPO`;
  return [
    difference(
      'share on the draft, after minus before DPO',
      after.items.map((item, index) => (shares[index] ?? 0) - (earlier.get(item.id) ?? 0)),
      `${percent(meanOf(shares))} of the attribution on the draft against ${old}, the same answers`,
    ),
    difference(
      'share on the draft minus its share of the tokens',
      shares.map((share, index) => share - (tokens[index] ?? 0)),
      `the draft is ${percent(meanOf(tokens))} of the prompt’s tokens and has ${percent(meanOf(shares))} of the attribution`,
    ),
  ];
}

/**
 * The validation experiments of Phase C, each held against what the plan asks of it by the engine of the gates, on the
 * same items, p adjusted by Holm over those that the plan asks something of. They promote nothing by themselves. What was not
 * measured is left out.
 *
 * @param looks as the gate's: how often it may be judged
 * @throws InvalidData when two sides are not of the same items, or attributed answers not of the candidate's
 */
export function judgeExperiments(
  items: Omit<GateItems, 'attribution'>,
  attributions: Attributions | undefined,
  looks = 1,
): Experiment[] {
  if (attributions) checkPaired(attributions);
  const all: GateItems = { ...items, attribution: sharesOf(attributions) };
  const measured = planned.filter(
    ({ needs, criterion }) => all[needs] && (criterion.over !== 'no-draft' || all.noDraft),
  );
  const verdicts = judgeCriteria(
    measured.map(({ criterion }) => criterion),
    all,
    looks,
  );
  const judged = measured.map((plan, index) =>
    fromVerdict(
      plan,
      verdicts[index] as CriterionVerdict,
      plan.name === 'attribution' && attributions ? soundness(attributions) : '',
    ),
  );
  return [...judged, ...(attributions ? attributionDifferences(attributions) : [])];
}

/** What the criterion `attribution` is judged by: the adapter that the gate may promote. */
export const sharesOf = (attributions: Attributions | undefined): GateItems['attribution'] =>
  attributions?.after.items.map((item) => ({ id: item.id, share: draftShare(item) }));
