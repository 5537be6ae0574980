import { expect, it } from 'vitest';
import { classified } from '../../activities/teacher/classify.ts';
import type { TeacherRequest } from '../../activities/teacher/requests.ts';
import type { StoredResponse } from '../../activities/teacher/response-store.ts';
import { dataReportLines } from '../../domain/data-report.ts';
import { responseReport } from '../../domain/filtering.ts';
import { draftOf, draftReport } from '../../domain/parse-draft.ts';
import { questionRow, responseText } from './rows.ts';

const half = '\ud83d';

it('a teacher’s half character is replaced and counted', () => {
  const request = { question: questionRow(1, 'yes'), attempt: 0, digest: 'd' } as TeacherRequest;
  const stored = (text: string) =>
    ({
      text,
      refusal: null,
      finish: 'stop',
      inputTokens: 1,
      outputTokens: 1,
      costUsd: 0,
      paidBy: 'x',
    }) as StoredResponse;
  const rows = [`${half}${responseText('yes')}`, responseText('yes')].map((text) =>
    classified(request, stored(text), 'x'),
  );
  expect(rows.map(({ text }) => text.isWellFormed())).toEqual([true, true]);
  expect(rows[0]).toMatchObject({
    text: `\ufffd${responseText('yes')}`,
    answer: 'yes',
    class: 'valid',
    repaired: true,
  });
  expect(rows[1]).not.toHaveProperty('repaired');
  const report = responseReport(rows);
  expect(report.repaired).toBe(1);
  expect(dataReportLines({ steps: [], responses: report })[0]).toContain('half characters replaced in 1');
});

it('a student’s half character is replaced and counted', () => {
  const drafts = [`Answer: Yes - ${half}.`, 'Answer: Yes - so.'].map((text, i) =>
    draftOf({ id: `q000${i}`, text, tokens: 3, finish: 'stop' }),
  );
  expect(drafts.map(({ text }) => text)).toEqual(['Answer: Yes - \ufffd.', 'Answer: Yes - so.']);
  expect(draftReport(drafts, [questionRow(0, 'yes'), questionRow(1, 'yes')])).toMatchObject({
    n: 2,
    correct: 2,
    repaired: 1,
  });
});
