import { describe, expect, it } from 'vitest';
import {
  allocate,
  countByAnswer,
  heldOut,
  limitEvaluation,
  normaliseQuestion,
  splitQuestions,
  stratifiedSample,
} from '../../domain/sampling.ts';
import { derangement, shuffled } from '../../domain/shuffle.ts';
import { normaliseRows } from '../../domain/strategyqa.ts';
import { noData, questionRows, realRows, sha256 } from './rows.ts';

describe('stratifiedSample', () => {
  const rows = questionRows(455, 545);
  it('is proportional, and the same whatever the order of the input', () => {
    const drawn = stratifiedSample(rows, 200, 42);
    expect(countByAnswer(drawn)).toEqual({ yes: 91, no: 109 });
    expect(stratifiedSample([...rows].reverse(), 200, 42)).toEqual(drawn);
    expect(stratifiedSample(shuffled(rows, 7), 200, 42)).toEqual(drawn);
  });
  it('differs by seed, has no row twice, takes seed 0 and 2^32', () => {
    const ids = (seed: number): string =>
      stratifiedSample(rows, 200, seed)
        .map(({ id }) => id)
        .join();
    expect(new Set([0, 1, 42].map(ids)).size).toBe(3);
    expect(ids(2 ** 32)).toHaveLength(ids(42).length);
    expect(new Set(stratifiedSample(rows, 200, 1).map(({ id }) => id)).size).toBe(200);
  });
  it('takes all rows when as many are asked', () => {
    expect(stratifiedSample(rows, 1000, 1)).toEqual(rows);
  });
  it.each([
    [[], 2, 'the data set is empty'],
    [questionRows(3, 3), 200, '200 samples asked, but there are 6 questions'],
    [questionRows(0, 9), 4, 'leave none with answer yes'],
    [questionRows(1, 99), 10, 'leave none with answer yes'],
  ] as const)('refuses %#', (few, samples, message) => {
    expect(() => stratifiedSample(few, samples, 42)).toThrow(message);
  });
  it('gives the larger remainder the odd row', () => {
    expect(allocate({ yes: 2, no: 1 }, 2)).toEqual({ yes: 1, no: 1 });
    expect(allocate({ yes: 3, no: 1 }, 3)).toEqual({ yes: 2, no: 1 });
    expect(allocate({ yes: 5, no: 5 }, 3)).toEqual({ yes: 2, no: 1 });
  });
});

describe('holding out by question hash', () => {
  it('puts repeated questions on one side', () => {
    expect(normaliseQuestion('  "Is IT\n so?!" ')).toBe('is it so');
    const spellings = ['Is it so?', 'is  it so', '"IS IT SO?"'];
    for (const share of [0.1, 0.5, 0.9]) {
      expect(new Set(spellings.map((question) => heldOut(question, share, sha256))).size).toBe(1);
    }
  });
  it('keeps a question on its side whatever else there is, and grows with the share', () => {
    const rows = questionRows(500, 500);
    const { train, evaluation } = splitQuestions(rows, 0.3, sha256);
    expect(train.length + evaluation.length).toBe(1000);
    expect(Math.abs(evaluation.length - 300)).toBeLessThan(45);
    const half = splitQuestions(rows.slice(0, 500), 0.3, sha256).evaluation;
    expect(half).toEqual(evaluation.filter(({ id }) => rows.slice(0, 500).some((row) => row.id === id)));
    const more = new Set(splitQuestions(rows, 0.6, sha256).evaluation);
    expect(evaluation.every((row) => more.has(row))).toBe(true);
    expect(splitQuestions(rows, 0, sha256).evaluation).toEqual([]);
    expect(splitQuestions(rows, 1, sha256).train).toEqual([]);
  });
  it('takes megabytes of punctuation', () => {
    expect(normaliseQuestion(`a${'?!'.repeat(1_000_000)}b`)).toHaveLength(2_000_002);
    expect(normaliseQuestion('?'.repeat(2_000_000))).toBe('');
  });
});

it('limits the evaluation, stratified; −1 takes all', () => {
  const rows = questionRows(40, 60);
  expect(limitEvaluation(rows, -1, 1)).toHaveLength(100);
  expect(countByAnswer(limitEvaluation(rows, 50, 1))).toEqual({ yes: 20, no: 30 });
});

describe('derangement', () => {
  it('gives everybody somebody else’s place, once', () => {
    const ids = questionRows(50, 51).map(({ id }) => id);
    const mapped = derangement(ids, 42);
    expect(ids.filter((id) => mapped.get(id) === id)).toEqual([]);
    expect(new Set(mapped.values()).size).toBe(101);
    expect(derangement([...ids].reverse(), 42)).toEqual(mapped);
    expect([...derangement(ids, 43)]).not.toEqual([...mapped]);
  });
  it('refuses a single item', () => {
    expect(() => derangement(['a'], 1)).toThrow('at least two');
  });
});

describe('real StrategyQA', () => {
  const rows = realRows();
  it.skipIf(rows === null)(rows === null ? noData : 'is normalised, split and sampled', () => {
    const questions = normaliseRows(rows ?? []);
    expect(questions).toHaveLength((rows ?? []).length);
    const { train, evaluation } = splitQuestions(questions, 0.3, sha256);
    const all = countByAnswer(questions);
    expect(all.yes + all.no).toBe(questions.length);
    expect(Math.abs(evaluation.length / questions.length - 0.3)).toBeLessThan(0.04);
    const held = new Set(evaluation.map(({ question }) => normaliseQuestion(question)));
    expect(train.some(({ question }) => held.has(normaliseQuestion(question)))).toBe(false);
    const drawn = stratifiedSample(train, 200, 42);
    const trainShare = countByAnswer(train).yes / train.length;
    expect(Math.abs(countByAnswer(drawn).yes / 200 - trainShare)).toBeLessThanOrEqual(0.0025);
    expect(() => stratifiedSample(train, questions.length, 42)).toThrow(`there are ${train.length} questions`);
  });
});
