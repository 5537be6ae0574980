/** Numbers as reports and gates print them: one decimal, U+2212 for minus, `59.4 %`, `−7.9 points`. */

const oneDecimal = (fraction: number): string => {
  const text = (Math.abs(fraction) * 100).toFixed(1);
  return fraction < 0 && text !== '0.0' ? `−${text}` : text;
};

/** 0.594 → `59.4 %`. */
export const percent = (fraction: number): string => `${oneDecimal(fraction)} %`;

/** 0.6 → `60 %`, 0.625 → `62.5 %`: for thresholds, which people write without decimals. */
export const threshold = (fraction: number): string => `${oneDecimal(fraction).replace(/\.0$/, '')} %`;

/** 0.557, 0.63 → `55.7–63.0 %`. */
export const percentRange = (low: number, high: number): string => `${oneDecimal(low)}–${oneDecimal(high)} %`;

const signed = (text: string): string => (text.startsWith('−') || text === '0.0' || text === '0' ? text : `+${text}`);

/** −0.079 → `−7.9 points`, 0.07 → `+7.0 points`. */
export const points = (fraction: number): string => `${signed(oneDecimal(fraction))} points`;

/** 0.07 → `+7 points`. */
export const pointsThreshold = (fraction: number): string =>
  `${signed(oneDecimal(fraction).replace(/\.0$/, ''))} points`;

/** −0.13, −0.027 → `−13.0 to −2.7 points`; signed numbers do not go with a dash. */
export const pointsRange = (low: number, high: number): string => `${signed(oneDecimal(low))} to ${points(high)}`;

/** 408, 687 → `59.4 % (408/687)`; `no items` for n = 0. */
export const share = (part: number, whole: number): string =>
  whole === 0 ? 'no items' : `${percent(part / whole)} (${part}/${whole})`;

/** A probability in at most three significant digits: 0.0312 → `0.0312`, 0.025 → `0.025`. */
export const figure = (probability: number): string => String(Number(probability.toPrecision(3)));

/** A figure between −1 and 1 with two decimals: −0.12 → `−0.12`. */
export const signedFigure = (value: number): string => value.toFixed(2).replace('-', '−');
