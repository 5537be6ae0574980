import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

type Tokenizer = { countTokens: (text: string) => number };
let tokenizer: Tokenizer | undefined;

/**
 * Tokens of a text by OpenAI's o200k_base, which current models of theirs use; other tokenisers differ by a few percent.
 * Its vocabulary takes a third of a second to load, so that only who asks waits for it.
 */
export function countTokens(text: string): number {
  tokenizer ??= require('gpt-tokenizer/encoding/o200k_base') as Tokenizer;
  return tokenizer.countTokens(text);
}
