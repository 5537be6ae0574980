import type { Calibration } from './calibration.ts';
import { agreement, cohenKappa } from './calibration.ts';
import { percent, percentRange, points, pointsRange, share, signedFigure } from './figures.ts';
import { flipRate, flipsOf, signTestP, winMargin, winRate } from './judging.ts';
import type { PairCounts } from './judging.ts';
import type { LengthControl } from './length-control.ts';
import type { ArtefactRef } from './records.ts';

/** What a result of a judge depends on besides the pairs: part of every result. */
export type JudgeIdentity = {
  /** Model that answered; says so where it was simulated. */
  name: string;
  /** sha256 over both prompt templates. */
  promptDigest: string;
  /** Null = the model's own. */
  temperature: number | null;
  maxTokens: number;
  bothOrders: boolean;
  structuredOutput: boolean;
};

/** Verdicts of a judge on pairs, as they travel through history: counts, never rows. */
export type JudgeSummary = {
  judge: JudgeIdentity;
  compared: PairCounts;
  lengthControl: LengthControl | null;
  /** Null where the recipe asks for none, or the data has no questions to make one of. */
  calibration: Calibration | null;
};

/** The experiment: clarifying questions of the attempt's adapter against those of the bare base, on the same items. */
export type QuestionQuality = JudgeSummary & {
  /** Rows of {@link JudgedPair}, those of the calibration at the end. */
  verdicts: ArtefactRef;
  /** Drafts of the attempt's adapter. */
  drafts: ArtefactRef;
};

const confidence = 0.95;

/** What was found, a sentence each: verdicts, steadiness, length, calibration, judge. For terminals and reports. */
export function qualityLines({ judge, compared, lengthControl, calibration }: JudgeSummary): string[] {
  const { wins, losses, ties, unjudged, exact, items } = compared;
  const [margin, rate] = [winMargin(compared, confidence), winRate(compared, confidence)];
  const left = [
    unjudged === 0 ? '' : `${unjudged} without a verdict (${problemWords(compared)}; they count as ties)`,
    exact === 0 ? '' : `${exact} decided without a judge`,
  ].filter((part) => part !== '');
  return [
    `${wins} wins, ${losses} losses, ${ties} ties of ${items}${left.map((part) => `, ${part}`).join('')}: ${points(margin.estimate)}, 95 % ${pointsRange(margin.low, margin.high)}; win rate ${percent(rate.estimate)} (${percentRange(rate.low, rate.high)}), sign test p ${pWords(signTestP(compared))}`,
    ...flipLine(compared),
    ...lengthLine(lengthControl),
    ...(calibration === null ? [] : [calibrationLine(calibration)]),
    `judge ${judge.name}, prompts ${judge.promptDigest.slice(0, 12)}, temperature ${judge.temperature ?? 'as the model has it'}, at most ${judge.maxTokens} tokens, ${judge.bothOrders ? 'both orders' : 'one order'}`,
  ];
}

const pWords = (p: number): string => (p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`);

const problemWords = ({ problems }: PairCounts): string =>
  Object.entries(problems)
    .map(([problem, count]) => `${problem} ${count}`)
    .join(', ');

function flipLine(compared: PairCounts): string[] {
  const { flips, twice } = compared;
  if (twice === 0) return [];
  const { low, high } = flipRate(compared, confidence);
  const where = `: ${flips.first} for whichever came first, ${flips.second} second, ${flips.half} with one tie`;
  const flipped = flipsOf(compared);
  return [
    `flipped with the order: ${share(flipped, twice)}, 95 % ${percentRange(low, high)}${flipped === 0 ? '' : where}`,
  ];
}

function lengthLine(control: LengthControl | null): string[] {
  if (control === null) return [];
  const { n, plain, controlled, meanDifferenceChars } = control;
  const before = `win rate of the ${n} ${n === 1 ? 'pair' : 'pairs'} that the judge decided ${percent(plain)}`;
  const gap = `${meanDifferenceChars < 0 ? '−' : '+'}${Math.abs(meanDifferenceChars).toFixed(0)} characters on average`;
  if (controlled === null) return [`${before}; length cannot be controlled for: all differ by about as much, ${gap}`];
  const { estimate, low, high } = controlled;
  return [`${before}, at equal length ${percent(estimate)} (95 % ${percentRange(low, high)}); ${gap}`];
}

function calibrationLine(calibration: Calibration): string {
  const { right, n, low, high } = agreement(calibration, confidence);
  const kappa = cohenKappa(calibration);
  const chance = kappa === null ? '' : `, kappa ${signedFigure(kappa)}`;
  const unjudged = calibration.unjudged === 0 ? '' : `, ${calibration.unjudged} without a verdict`;
  return `agrees with known answers: ${share(right, n)}, 95 % ${percentRange(low, high)}${chance}${unjudged}`;
}
