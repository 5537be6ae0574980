import { describe, expect, it } from 'vitest';
import { answerCorpus, reasoningCorpus } from '../../domain/corpora.ts';
import type { ReasoningOptions } from '../../domain/corpora.ts';
import { dataReportLines, mergeReports, stepText, total } from '../../domain/data-report.ts';
import { filterResponses, responseReport } from '../../domain/filtering.ts';
import type { Question, TeacherResponse } from '../../domain/records.ts';
import { defaultTemplates } from '../../domain/templates.ts';
import { stratifiedSample } from '../../domain/sampling.ts';
import { normaliseRows } from '../../domain/strategyqa.ts';
import { draftRow, noData, questionRows, realRows, responseRow, responseText, sha256 } from './rows.ts';

const plain: ReasoningOptions = { filtering: 'drop-disagreements', consensusAttempts: 5, balance: 'none', seed: 42 };
const draftsOf = (questions: Question[]) => questions.map(({ id }) => draftRow(id, 'yes'));
const build = (questions: Question[], responses: TeacherResponse[], options: Partial<ReasoningOptions> = {}) =>
  reasoningCorpus(questions, draftsOf(questions), responses, defaultTemplates, { ...plain, ...options });

/** The reference run: 200 questions, 91 yes; the teacher disagrees on 52 yes and 11 no. */
const questions = questionRows(91, 109);
const errs = (index: number): boolean => index < 52 || (index >= 91 && index < 102);
const responses = questions.map((question, i) =>
  responseRow(question, errs(i) === (question.answer === 'yes') ? 'no' : 'yes'),
);

describe('Phase A rows', () => {
  it('are question and answer, in order of id', () => {
    const corpus = answerCorpus([...questionRows(1, 1)].reverse(), defaultTemplates);
    expect(corpus.rows).toEqual([
      { prompt: 'Question: Is 0 a number?\nAnswer:', completion: ' yes' },
      { prompt: 'Question: Is 1 a number?\nAnswer:', completion: ' no' },
    ]);
    expect(() => answerCorpus([], defaultTemplates)).toThrow('no questions');
  });
});

describe('Phase B rows', () => {
  it('are question and draft, then the teacher after a newline', () => {
    const [question] = questionRows(1, 0);
    const corpus = build(question ? [question] : [], question ? [responseRow(question, 'yes')] : []);
    expect(corpus.rows).toEqual([
      {
        prompt: 'Question: Is 0 a number?\nStudent draft: Answer: Yes - so.\nQuestions: Why? How?\nReasoning:',
        completion: `\n${responseText('yes')}`,
      },
    ]);
  });
  it('dropping disagreements turns 45.5/54.5 into 28.5/71.5', () => {
    const { rows, steps } = build(questions, responses);
    expect(rows).toHaveLength(137);
    expect(steps.map(stepText)).toEqual([
      'drop-disagreements: 200 → 137 rows, 45.5/54.5 % yes/no → 28.5/71.5 % yes/no; removed 63 disagreed (52 yes, 11 no)',
    ]);
  });
  it('every kept and removed row is accounted for, by reason and class', () => {
    const mixed = responses.map((row, i) =>
      i % 10 === 0
        ? responseRow(questions[i] as Question, null, 0, { class: i % 20 === 0 ? 'truncated' : 'failed' })
        : row,
    );
    for (const filtering of ['drop-disagreements', 'keep-all'] as const) {
      const [step] = build(questions, mixed.slice(0, 195), { filtering }).steps;
      const removed = step?.removed.reduce((sum, { counts }) => sum + total(counts), 0) ?? 0;
      expect(removed + total(step?.after ?? { yes: 0, no: 0 })).toBe(200);
      expect(step?.removed.map(({ reason }) => reason)).toEqual(
        expect.arrayContaining(['truncated', 'failed', 'no response']),
      );
    }
  });
  it('keep-all keeps what the teacher said, and says so', () => {
    const { rows, steps } = build(questions, responses, { filtering: 'keep-all' });
    expect(rows).toHaveLength(200);
    expect(rows[0]?.completion).toContain('**NO**');
    expect(steps.at(-1)).toEqual({
      name: 'answers as trained',
      before: { yes: 91, no: 109 },
      after: { yes: 50, no: 150 },
      removed: [],
    });
  });
  it('names a question without a draft and a corpus without rows', () => {
    expect(() => reasoningCorpus(questions, [], responses, defaultTemplates, plain)).toThrow(
      'question q0052 has no draft',
    );
    expect(() => build(questions, [])).toThrow('no row is left after filtering by drop-disagreements: 200 no response');
  });
});

describe('consensus', () => {
  const [question] = questionRows(1, 0) as [Question];
  const outcome = (answers: ('yes' | 'no' | null)[], k = answers.length) => {
    const attempts = answers.map((answer, attempt) =>
      responseRow(question, answer, attempt, { text: `attempt ${attempt}` }),
    );
    const { kept, steps } = filterResponses([question], attempts, 'consensus', k);
    return kept[0]?.response.text ?? steps[0]?.removed[0]?.reason;
  };
  it.each([
    [['no', 'yes', 'yes'], 'attempt 1'],
    [['yes', 'no', 'no'], 'majority disagreed'],
    [['yes', 'no'], 'tied'],
    [['yes', null, null], 'attempt 0'],
    [[null, null, null], 'unparsable'],
  ] as const)('%j: %s', (answers, expected) => {
    expect(outcome([...answers])).toBe(expected);
  });
  it('counts the asked attempts only and needs all of them', () => {
    expect(outcome(['yes', 'no', 'no'], 1)).toBe('attempt 0');
    expect(() => outcome(['yes'], 3)).toThrow('question q0000 has 1 of 3 teacher attempts');
  });
});

describe('balance', () => {
  it('upsample repeats the rarer class evenly, the same rows every time', () => {
    const corpus = build(questions, responses, { balance: 'upsample' });
    expect(corpus.steps.at(-1)).toEqual({
      name: 'upsample',
      before: { yes: 39, no: 98 },
      after: { yes: 98, no: 98 },
      removed: [],
    });
    const counts = new Map<string, number>();
    for (const { prompt } of corpus.rows) counts.set(prompt, (counts.get(prompt) ?? 0) + 1);
    expect([...counts.values()].filter((n) => n > 1).sort()).toEqual([
      ...Array<number>(19).fill(2),
      ...Array<number>(20).fill(3),
    ]);
    expect(build([...questions].reverse(), [...responses].reverse(), { balance: 'upsample' })).toEqual(corpus);
  });
  it('weighted loss: mean 1, both classes weigh the same', () => {
    const { rows } = build(questions, responses, { balance: 'weighted-loss' });
    const weightOf = (answer: string): number =>
      rows
        .filter(({ completion }) => completion.includes(`**${answer}**`))
        .reduce((sum, { weight }) => sum + (weight ?? NaN), 0);
    expect(weightOf('YES')).toBeCloseTo(68.5, 9);
    expect(weightOf('NO')).toBeCloseTo(68.5, 9);
  });
  it('balances what is trained, not what is true', () => {
    const { rows } = build(questions, responses, { filtering: 'keep-all', balance: 'upsample' });
    expect(rows.filter(({ completion }) => completion.includes('**YES**'))).toHaveLength(150);
  });
  it('refuses a corpus of one class', () => {
    const yes = questionRows(4, 0);
    expect(() =>
      build(
        yes,
        yes.map((row) => responseRow(row, 'yes')),
        { balance: 'upsample' },
      ),
    ).toThrow('no row with answer no is left');
  });
});

describe('holding out for early stopping', () => {
  it('comes before balancing, so that no row is on both sides', () => {
    const { rows, heldOut, steps } = build(questions, responses, {
      balance: 'upsample',
      earlyStopping: { heldOutShare: 0.1 },
    });
    expect(heldOut).toHaveLength(14);
    const held = new Set(heldOut.map(({ prompt }) => prompt));
    expect(rows.some(({ prompt }) => held.has(prompt))).toBe(false);
    expect(steps.map(({ name }) => name)).toEqual(['drop-disagreements', 'held out for early stopping', 'upsample']);
    expect(steps[1]).toMatchObject({ before: { yes: 39, no: 98 }, after: { yes: 35, no: 88 } });
  });
  it('refuses to hold out of nearly nothing', () => {
    expect(() =>
      build(questions.slice(52, 55), responses.slice(52, 55), { earlyStopping: { heldOutShare: 0.1 } }),
    ).toThrow('3 rows are too few');
  });
});

it('the data report reads as one line per step and kind', () => {
  const report = mergeReports(
    { steps: [{ name: 'sampled', before: { yes: 1, no: 2 }, after: { yes: 1, no: 1 }, removed: [] }] },
    { steps: build(questions, responses).steps, responses: responseReport(responses) },
  );
  const lines = dataReportLines({
    ...report,
    drafts: { n: 200, truncated: 10, unparsable: 4, lenient: 6, correct: 120 },
    pairs: { n: 137, flipped: 100, duplicates: 1, meanChosenChars: 300.4, meanRejectedChars: 200 },
  });
  expect(lines).toEqual([
    'sampled: 3 → 2 rows, 33.3/66.7 % yes/no → 50.0/50.0 % yes/no',
    'drop-disagreements: 200 → 137 rows, 45.5/54.5 % yes/no → 28.5/71.5 % yes/no; removed 63 disagreed (52 yes, 11 no)',
    'drafts: 200, right 60.0 % (120/200), truncated 5.0 % (10/200), unparsable 2.0 % (4/200), not in the asked form 3.0 % (6/200)',
    'teacher responses: 200, valid 68.5 % (137/200), disagreed 31.5 % (63/200), unparsable 0.0 % (0/200), not in the asked form 0.0 % (0/200)',
    'pairs: 137, flipped 73.0 % (100/137), duplicates dropped 1, chosen 300 characters against 200 (gap 100)',
  ]);
});

describe('real StrategyQA', () => {
  const rows = realRows();
  it.skipIf(rows === null)(
    rows === null ? noData : 'a teacher erring on 31.5 % collapses the balance; upsampling mends it',
    () => {
      const drawn = stratifiedSample(normaliseRows(rows ?? []), 200, 42);
      const teacher = drawn.map((question) => {
        const fate = Number.parseInt(sha256(`42:${question.question}:0`).slice(0, 8), 16) / 2 ** 32;
        const wrong = fate < (question.answer === 'yes' ? 0.571 : 0.101);
        return responseRow(question, wrong === (question.answer === 'yes') ? 'no' : 'yes');
      });
      const [dropped] = build(drawn, teacher).steps;
      const before = dropped?.before ?? { yes: 0, no: 0 };
      const after = dropped?.after ?? { yes: 0, no: 0 };
      expect(before.yes / total(before)).toBeGreaterThan(0.45);
      expect(after.yes / total(after)).toBeLessThan(0.35);
      const mended = build(drawn, teacher, { balance: 'upsample' }).steps.at(-1)?.after;
      expect(mended?.yes).toBe(mended?.no);
    },
  );
});
