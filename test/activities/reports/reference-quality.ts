import { combineOrders, countPairs } from '../../../domain/judging.ts';
import type { JudgedPair, Said } from '../../../domain/judging.ts';
import type { QuestionQuality } from '../../../domain/question-quality.ts';

const pair = (index: number, first: Said, second: Said): JudgedPair => {
  const judgements = [first, second].map((said, order) => ({
    ...{ said, afterFirst: order === 1, reason: said === 'first' ? 'It comes first.' : 'It asks for more.' },
    ...{ requestDigest: `r${index}-${order}`, inputTokens: 200, outputTokens: 30, costUsd: 0.005, reused: false },
  }));
  return {
    ...{ id: `q${index}`, question: `Could a llama swim ${index} miles?`, before: 'Why?', after: 'How far is it?' },
    ...{ beforeChars: 4, afterChars: 14, by: 'judge', judgements },
    ...combineOrders(judgements),
  };
};

/** Seven wins, two losses, three pairs that flip with the order. */
export const judgedPairs = (): JudgedPair[] => [
  ...Array.from({ length: 7 }, (_, index) => pair(index, 'second', 'first')),
  ...[7, 8].map((index) => pair(index, 'first', 'second')),
  ...[9, 10, 11].map((index) => pair(index, 'first', 'first')),
];

export function questionQuality(): QuestionQuality {
  const ref = (name: string) => ({ uri: `s3://ratchet/${name}.jsonl`, sha256: 'd', bytes: 1, rows: 12 });
  return {
    judge: {
      ...{ name: 'simulated-judge', promptDigest: 'abcdef0123456789', temperature: 0, maxTokens: 300 },
      ...{ bothOrders: true, structuredOutput: true },
    },
    compared: countPairs(judgedPairs()),
    lengthControl: null,
    calibration: {
      table: { win: { win: 2, loss: 0, tie: 0 }, loss: { win: 0, loss: 2, tie: 0 } },
      unjudged: 0,
      flipped: 0,
    },
    verdicts: ref('verdicts'),
    drafts: ref('drafts'),
  };
}
