import { expect, test } from 'vitest';
import { evidenceText } from '../../cli/gates/evidence-text.ts';
import type { Finding, GateEvidence } from '../../domain/gate-types.ts';
import type { Paint } from '../../cli/terminal.ts';

const plain = new Proxy({}, { get: () => (text: string) => text }) as Paint;
const finding = (cause: Finding['cause'], found: boolean | null, text: string): Finding => ({
  ...{ cause, found, text, numbers: {}, remedies: {} },
});

test('a check that was not measured is not listed as ruled out', () => {
  const evidence: GateEvidence = {
    ...{
      gate: 'B',
      attempt: 1,
      verdict: 'fail',
      criteria: [],
      evaluations: [],
      options: ['skip'],
      digest: 'd'.repeat(64),
    },
    diagnosis: [
      finding('truncation', true, '9 % of the answers ended by the token limit'),
      finding('answer-collapse', false, '51 % of the answers are yes'),
      finding('over-fitting', null, 'not measured: nothing was held out, or too few epochs'),
    ],
    recommendation: { choice: 'skip', reason: 'r' },
  };
  expect(evidenceText(evidence, plain).slice(2, 5)).toEqual([
    '  found         truncation: 9 % of the answers ended by the token limit',
    '  ruled out     answer-collapse: 51 % of the answers are yes',
    '  not measured  over-fitting: nothing was held out, or too few epochs',
  ]);
});
