import { describe, expect, it } from 'vitest';
import { batchPriceOf } from '../../domain/prices.ts';
import {
  batchRefusal,
  batchStatus,
  hasEnded,
  intoFiles,
  isOverdue,
  isUnsettled,
  lookWaitMs,
} from '../../domain/teacher-batches.ts';

describe('input files', () => {
  const lines = (...bytes: number[]) => bytes.map((size) => ({ bytes: size }));
  const sizes = (bytes: number[], limits: { requests: number; bytes: number }) =>
    [...intoFiles(lines(...bytes), limits)].map((file) => file.map((line) => line.bytes));

  it('hold as many lines as the limits allow, in order', () => {
    expect(sizes([1, 2, 3, 4, 5], { requests: 2, bytes: 100 })).toEqual([[1, 2], [3, 4], [5]]);
    expect(sizes([4, 4, 4, 4], { requests: 10, bytes: 8 })).toEqual([
      [4, 4],
      [4, 4],
    ]);
    expect(sizes([], { requests: 10, bytes: 8 })).toEqual([]);
  });

  it('hold one line at least', () => {
    expect(sizes([9, 1, 9], { requests: 10, bytes: 8 })).toEqual([[9], [1], [9]]);
  });
});

describe('refusals of a whole batch', () => {
  it('by a full queue pass', () => {
    const message = 'Enqueued token limit reached for gpt-4o in organization org-x. Limit: 90,000 enqueued tokens.';
    expect(batchRefusal([{ code: 'token_limit_exceeded', message, line: null }])).toMatchObject({
      kind: 'full',
      message,
    });
    expect(batchRefusal([{ message: 'the queue is full' }])).toMatchObject({ kind: 'full', code: 'no reason given' });
  });

  it.each(['server_error', 'internal_error', '503'])('by an error of the provider itself (%s) pass', (code) => {
    expect(batchRefusal([{ code, message: '' }])).toMatchObject({ kind: 'outage', message: code });
  });

  it('need say nothing', () => {
    expect(batchRefusal([null])).toMatchObject({ kind: 'wrong', code: 'no reason given' });
    expect(batchRefusal([{ code: null, message: null }])).toMatchObject({ message: 'no reason given' });
  });

  it('for the batch itself name line and fix', () => {
    const message = 'The provided model is not supported by the Batch API.';
    const errors = [1, 2, 3].map((line) => ({ code: 'model_not_found', message, line }));
    expect(batchRefusal(errors)).toEqual({
      kind: 'wrong',
      code: 'model_not_found',
      message: `${message} (line 1), and 2 more`,
      fix: 'check teacher.model (GPT4_MODEL): not every model is served in batches',
    });
    expect(batchRefusal([])).toMatchObject({ kind: 'wrong', message: 'no reason given' });
  });
});

it('looks come soon at first, then every pollMinutes', () => {
  expect([0, 1, 2, 3, 6, 200].map((look) => lookWaitMs(look, 10))).toEqual([
    15_000, 30_000, 60_000, 120_000, 600_000, 600_000,
  ]);
  expect(lookWaitMs(0, 0.001)).toBe(60);
});

it('a batch has ended when nothing more can come of it', () => {
  expect(['completed', 'expired', 'cancelled', 'failed', 'gone'].every((status) => hasEnded(status as 'gone'))).toBe(
    true,
  );
  expect(['validating', 'in_progress', 'finalizing', 'cancelling'].some((status) => hasEnded(status as 'gone'))).toBe(
    false,
  );
  expect(isOverdue(47 * 3_600_000, 24)).toBe(false);
  expect(isOverdue(49 * 3_600_000, 24)).toBe(true);
});

it.each([
  ['completed', 'completed'],
  ['COMPLETED', 'completed'],
  ['canceled', 'cancelled'],
  ['QUEUED', 'in_progress'],
  [undefined, 'in_progress'],
  ['constructor', 'in_progress'],
])('a status that is said as %s is %s', (said, status) => {
  expect(batchStatus(said)).toBe(status);
});

it('an ended batch may have more to say: where it is not known, and where its answers have no file', () => {
  expect(isUnsettled('gone', 0, undefined)).toBe(true);
  expect(isUnsettled('completed', 0, 5)).toBe(true);
  expect(isUnsettled('expired', 0, undefined)).toBe(true);
  expect(isUnsettled('completed', 1, 5)).toBe(false);
  expect(isUnsettled('cancelled', 0, 0)).toBe(false);
  expect(isUnsettled('failed', 0, undefined)).toBe(false);
  expect(isUnsettled('in_progress', 0, 5)).toBe(false);
});

it('a batch costs half', () => {
  expect(batchPriceOf({ inputPerMillionUsd: 0.1, outputPerMillionUsd: 0.4, batchFactor: 0.5 })).toEqual({
    inputPerMillionUsd: 0.05,
    outputPerMillionUsd: 0.2,
  });
});
