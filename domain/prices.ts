import table from './price-table.json' with { type: 'json' };

/** US dollars per million tokens of one model. */
export type TokenPrice = {
  inputPerMillionUsd: number;
  /** Of input that the provider had in its prompt cache; absent = as other input. */
  cachedInputPerMillionUsd?: number | undefined;
  outputPerMillionUsd: number;
  /** What a batch costs against the same calls made at once: 0.5 is half; absent = 1. */
  batchFactor?: number | undefined;
};

/** A price as a recipe gives it. */
export type OwnPrice = TokenPrice | 'free';

/** Tokens of one or many calls. `cachedInput` is a part of `input`. */
export type TokenCount = { input: number; cachedInput?: number | undefined; output: number };

/** Month in which the table was held against its source, for whoever reads an estimate. */
export const pricesDate: string = table.date;

/** The table of price-table.json. */
export const prices: Readonly<Record<string, TokenPrice>> = table.models;

/** A price of the recipe's own goes first; dated names (`gpt-4.1-nano-2025-04-14`) cost what their family does. */
export function priceOf(model: string, own: OwnPrice | undefined): TokenPrice | null {
  if (own === 'free') return { inputPerMillionUsd: 0, outputPerMillionUsd: 0 };
  if (own !== undefined) return own;
  return prices[model.replace(/-\d{4}-\d{2}-\d{2}$/, '')] ?? null;
}

/** The price of a model in batches; where the recipe's own price does not say what a batch costs, that of live calls. */
export const batchPriceOf = ({ inputPerMillionUsd, outputPerMillionUsd, batchFactor = 1 }: TokenPrice): TokenPrice => ({
  inputPerMillionUsd: inputPerMillionUsd * batchFactor,
  outputPerMillionUsd: outputPerMillionUsd * batchFactor,
});

/**
 * Dollars for the tokens of one or many calls. In a batch nothing is taken off for cached input as well: providers do
 * that for some models only, and the cap must hold for all.
 */
export function costUsd(tokens: TokenCount, price: TokenPrice, { batch = false } = {}): number {
  if (batch) return costUsd({ input: tokens.input, output: tokens.output }, batchPriceOf(price));
  const { inputPerMillionUsd, cachedInputPerMillionUsd = inputPerMillionUsd, outputPerMillionUsd } = price;
  const cached = tokens.cachedInput ?? 0;
  return (
    ((tokens.input - cached) * inputPerMillionUsd +
      cached * cachedInputPerMillionUsd +
      tokens.output * outputPerMillionUsd) /
    1e6
  );
}

/** Why a model cannot be priced, with the fix; null when it can. */
export const priceProblem = (model: string, own: OwnPrice | undefined): string | null =>
  priceOf(model, own) === null
    ? `teacher.price: no price is known for ${model} (table of ${pricesDate}: ${Object.keys(prices).join(', ')}); give inputPerMillionUsd and outputPerMillionUsd, or 'free'`
    : null;
