/** US dollars per million tokens, standard tier of the official API, as published on `pricesDate`. */
export type TokenPrice = { inputPerMillionUsd: number; outputPerMillionUsd: number };

export const pricesDate = '2026-03';

const price = (inputPerMillionUsd: number, outputPerMillionUsd: number): TokenPrice => ({
  inputPerMillionUsd,
  outputPerMillionUsd,
});

export const prices: Readonly<Record<string, TokenPrice>> = {
  'gpt-4.1': price(2, 8),
  'gpt-4.1-mini': price(0.4, 1.6),
  'gpt-4.1-nano': price(0.1, 0.4),
  'gpt-4o': price(2.5, 10),
  'gpt-4o-mini': price(0.15, 0.6),
  'gpt-5': price(1.25, 10),
  'gpt-5-mini': price(0.25, 2),
  'gpt-5-nano': price(0.05, 0.4),
};

/** A price of the recipe's own goes first; dated names (`gpt-4.1-nano-2025-04-14`) cost what their family does. */
export function priceOf(model: string, own: TokenPrice | 'free' | undefined): TokenPrice | null {
  if (own === 'free') return price(0, 0);
  if (own !== undefined) return own;
  return prices[model.replace(/-\d{4}-\d{2}-\d{2}$/, '')] ?? null;
}

/** What a request of a batch costs, as a share of the same request asked live (OpenAI Batch API, all models). */
const batchPriceFactor = 0.5;

/** The price of a model in batches. */
export const batchPriceOf = ({ inputPerMillionUsd, outputPerMillionUsd }: TokenPrice): TokenPrice =>
  price(inputPerMillionUsd * batchPriceFactor, outputPerMillionUsd * batchPriceFactor);

/** Dollars for the tokens of one or many calls. */
export const costUsd = (tokens: { input: number; output: number }, cost: TokenPrice): number =>
  (tokens.input * cost.inputPerMillionUsd + tokens.output * cost.outputPerMillionUsd) / 1e6;

/** Why a model cannot be priced, with the fix; null when it can. */
export const priceProblem = (model: string, own: TokenPrice | 'free' | undefined): string | null =>
  priceOf(model, own) === null
    ? `teacher.price: no price is known for ${model} (table of ${pricesDate}: ${Object.keys(prices).join(', ')}); give inputPerMillionUsd and outputPerMillionUsd, or 'free'`
    : null;
