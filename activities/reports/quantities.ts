/** Money, time and counts as people read them, on the page and in the terminal; shares and gains: domain/figures.ts. */

const minus = '−';
const signed = (text: string, negative: boolean) => (negative ? `${minus}${text}` : text);

/** US dollars; more digits where it is little, so that a tenth of a cent does not read as nothing. */
export function usd(amount: number): string {
  if (!Number.isFinite(amount)) return '–';
  if (amount === 0) return '$0';
  return `$${amount.toFixed(Math.abs(amount) < 0.1 ? 4 : 2)}`;
}

/** `93784` → `26 h 3 min`; `75` → `1 min 15 s`; `0.4` → `0.4 s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds < 10) return `${String(Math.round(seconds * 10) / 10)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${String(whole)} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.round(whole / 60);
  return two(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

const two = (large: number, largeUnit: string, small: number, smallUnit: string) =>
  `${String(large)} ${largeUnit}${small === 0 ? '' : ` ${String(small)} ${smallUnit}`}`;

/** `68157440` → `68.2 MB`; powers of ten, as S3's bills count. */
export function bytes(amount: number): string {
  if (!Number.isFinite(amount)) return '–';
  const unit = ['B', 'kB', 'MB', 'GB', 'TB'].map((name, power) => ({ name, size: 1000 ** power }));
  const { name, size } = unit.findLast((candidate) => amount >= candidate.size) ?? { name: 'B', size: 1 };
  return `${String(Number((amount / size).toPrecision(3)))} ${name}`;
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `8900000` → `8,900,000`. */
export const count = (value: number): string => (Number.isFinite(value) ? grouped.format(value) : '–');

/** Up to `digits` significant ones, without trailing zeros: losses, learning rates, log-probs. */
export function significant(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(Math.max(0, digits - 2)).replace('-', minus);
  return signed(String(Number(Math.abs(value).toPrecision(digits))), value < 0);
}

/** `2026-03-01T10:02:03.000Z` → `2026-03-01 10:02 UTC`; other text comes back as it is. */
export function instant(iso: string): string {
  return Number.isNaN(Date.parse(iso)) ? iso : `${new Date(iso).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** First 12 hex digits: enough to tell digests apart by eye. */
export const shortDigest = (digest: string): string => digest.slice(0, 12);
