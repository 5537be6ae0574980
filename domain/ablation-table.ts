import type { ArmName } from './ablation.ts';
import { figure, points, pointsRange } from './figures.ts';
import { pairItems } from './gate-verdict.ts';
import { meanOf } from './means.ts';
import { detectableGain, holm, mcnemarP, pairedInterval, wilson } from './statistics.ts';
import type { Interval } from './statistics.ts';

const confidence = 0.95;

/** A difference on the same items, as fractions, with Tango's 95 % interval and exact McNemar's p. */
export type PairedDifference = Interval & {
  onlyNew: number;
  onlyOld: number;
  p: number;
  /** Adjusted by Holm over all rows of the table that are compared with the same side. */
  pHolm: number;
  /** Smallest difference that would have been shown with 80 % power at the level that Holm asks of the smallest p. */
  detectable: number;
};

/** What a training came to, beyond its answers. Means over the pairs of the last epoch; null where metrics lack them. */
export type ArmTraining = {
  steps: number;
  gpuSeconds: number;
  /** β·(h_w − h_l), nats. */
  margin: number | null;
  /** h_w: by how much training raised the log-prob of the chosen text, nats per text; below 0 it fell. */
  chosenRatio: number | null;
};

export type ArmItems = readonly { id: string; correct: boolean }[];
export type MeasuredArm = ArmTraining & { name: ArmName; seed: number; items: ArmItems };

export type ArmRow = ArmTraining & {
  name: ArmName;
  seed: number;
  accuracy: Interval & { successes: number; n: number };
  /** Against plain DPO of the same seed; null for that one itself. */
  overPlain: PairedDifference | null;
  overReference: PairedDifference;
};

/** Accuracies of an arm over its seeds. */
export type ArmSpread = { name: ArmName; seeds: number; mean: number; lowest: number; highest: number };

export type AblationTable = {
  n: number;
  /** The adapter that all arms started from. */
  reference: ArmRow['accuracy'];
  rows: ArmRow[];
  /** Of more than one seed; else empty. */
  spread: ArmSpread[];
  /** What it came to, in sentences. */
  findings: string[];
};

const accuracyOf = (items: ArmItems): ArmRow['accuracy'] => {
  const successes = items.filter(({ correct }) => correct).length;
  return { successes, n: items.length, ...wilson(successes, items.length, confidence) };
};

/** Differences in the order given, null where there is nothing to compare with; p values adjusted over all of them. */
function differences(pairs: readonly ({ candidate: ArmItems; other: ArmItems; name: string } | null)[]) {
  const counts = pairs.map((pair) => pair && pairItems(pair.candidate, pair.other, pair.name));
  const ps = counts.map((count) => count && mcnemarP(count));
  const adjusted = holm(ps);
  const tests = ps.filter((p) => p !== null).length;
  return counts.map((count, index): PairedDifference | null => {
    if (count === null) return null;
    const { onlyNew, onlyOld } = count;
    const [p, pHolm] = [ps[index] ?? 1, adjusted[index] ?? 1];
    const detectable = detectableGain(count, 1 - (1 - confidence) / tests);
    return { onlyNew, onlyOld, ...pairedInterval(count, confidence), p, pHolm, detectable };
  });
}

/**
 * Holds every arm against plain DPO of its seed and against the adapter that all started from, always on the same items.
 *
 * @param arms each seed has a row named `plain`
 * @throws InvalidData when evaluations are not of the same items
 */
export function ablationTable(reference: ArmItems, arms: readonly MeasuredArm[]): AblationTable {
  const plainOf = ({ name, seed }: MeasuredArm): MeasuredArm | undefined =>
    name === 'plain' ? undefined : arms.find((other) => other.name === 'plain' && other.seed === seed);
  const overPlain = differences(
    arms.map((arm) => {
      const plain = plainOf(arm);
      return plain === undefined ? null : { candidate: arm.items, other: plain.items, name: 'plain' };
    }),
  );
  const overReference = differences(
    arms.map(({ items }) => ({ candidate: items, other: reference, name: 'reference' })),
  );
  const rows = arms.flatMap(({ items, ...arm }, index): ArmRow[] => {
    const against = overReference[index];
    return against
      ? [{ ...arm, accuracy: accuracyOf(items), overPlain: overPlain[index] ?? null, overReference: against }]
      : [];
  });
  const names = [...new Set(arms.map(({ name }) => name))];
  const seeds = new Set(arms.map(({ seed }) => seed)).size;
  return {
    n: reference.length,
    reference: accuracyOf(reference),
    rows,
    spread: seeds < 2 ? [] : names.map((name) => spreadOf(name, rows)),
    findings: [
      finding(
        'plain DPO',
        rows.map(({ name, seed, overPlain: over }) => ({ name: label(name, seed, seeds), over })),
      ),
      finding(
        'the reference',
        rows.map(({ name, seed, overReference: over }) => ({ name: label(name, seed, seeds), over })),
      ),
    ],
  };
}

const label = (name: string, seed: number, seeds: number): string => (seeds === 1 ? name : `${name} (seed ${seed})`);

function spreadOf(name: ArmName, rows: readonly ArmRow[]): ArmSpread {
  const shares = rows.filter((row) => row.name === name).map(({ accuracy }) => accuracy.estimate);
  return {
    name,
    seeds: shares.length,
    mean: meanOf(shares),
    lowest: Math.min(...shares),
    highest: Math.max(...shares),
  };
}

/** Which differences are beyond chance after Holm, and how large one would have had to be. */
function finding(side: string, compared: readonly { name: string; over: PairedDifference | null }[]): string {
  const tested = compared.flatMap(({ name, over }) => (over === null ? [] : [{ name, over }]));
  if (tested.length === 0) return `Nothing was compared with ${side}.`;
  const shown = tested.filter(({ over }) => over.pHolm <= 1 - confidence);
  const could = tested.map(({ over }) => over.detectable);
  const words = shown.map(
    ({ name, over }) =>
      `${name} ${points(over.estimate)} (${pointsRange(over.low, over.high)}, p = ${figure(over.pHolm)})`,
  );
  const few = Math.min(...could).toFixed(6) === Math.max(...could).toFixed(6);
  const range = few
    ? points(could[0] ?? 0).replace('+', '')
    : `${points(Math.min(...could)).replace(/^\+| points/g, '')} to ${points(Math.max(...could)).replace('+', '')}`;
  const outcome =
    shown.length === 0
      ? `No arm is shown to differ from ${side}`
      : `Shown to differ from ${side}: ${words.join('; ')}${shown.length < tested.length ? '; no other arm' : ''}`;
  return `${outcome}. Differences of ${range} would have been shown with 80 % power.`;
}
