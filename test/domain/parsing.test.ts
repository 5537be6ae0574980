import { describe, expect, it } from 'vitest';
import { decidingWord, parseDirectAnswer, parseReasoningAnswer } from '../../domain/parse-answer.ts';
import { draftOf, draftReport, parseDraft } from '../../domain/parse-draft.ts';
import { classifyResponse, parseResponse } from '../../domain/parse-response.ts';
import { draftRow, questionRows, responseText } from './rows.ts';

describe('parseDirectAnswer', () => {
  it.each([
    [' yes', 'yes', true],
    ['No.', 'no', true],
    ['**Yes**, because no one knows', 'yes', false],
    ['The answer is: no', 'no', false],
    ['Nobody knows; yesterday it was unknown', null, false],
    ['yes/no', null, false],
    ['Yes or No', null, false],
    ['', null, false],
  ] as const)('%j', (text, answer, strict) => {
    expect(parseDirectAnswer(text)).toEqual({ answer, strict });
  });
});

describe('decidingWord', () => {
  it.each([
    ['the form of the specification', responseText('yes'), '**', 'YES', 'NO'],
    ['before words that follow', '## Final Assessment\nThe answer is no. Yes, no doubt.', 'answer is ', 'no', 'yes'],
    [
      'the line that decides',
      'The answer is: Yes.\nThen no more: the answer is: **No**\n\nyes?',
      'is: **',
      'No',
      'Yes',
    ],
  ])('%s', (_, text, before, word, opposite) => {
    const found = decidingWord(text);
    expect(text.slice(0, found?.start).endsWith(before)).toBe(true);
    expect(text.slice(found?.start, found?.end)).toBe(word);
    expect(found?.opposite).toBe(opposite);
  });
  it('a text without an answer has none', () => {
    expect(decidingWord('yes and no, who knows')).toBeNull();
  });
  it('takes megabytes', () => {
    expect(decidingWord(`${'yes no '.repeat(200_000)}\nThe answer is: yes`)).toMatchObject({ opposite: 'no' });
  });
});

describe('parseReasoningAnswer', () => {
  it.each([
    ['the form of the specification', responseText('yes'), 'yes', true],
    ['lower case, no bold', 'no, wait\n## final assessment\nbased on this analysis, the answer is: yes', 'yes', false],
    ['brackets', '## Final Assessment\nthe answer is: **[NO]**', 'no', false],
    [
      'quotes and trailing text',
      '**Final Assessment:**\nThe answer is "Yes". Hope this helps! No questions?',
      'yes',
      false,
    ],
    ['bare answer under the heading', '### Final Assessment\n\n**NO**', 'no', false],
    ['heading and answer on one line', 'Steps.\nFinal Assessment: Yes', 'yes', false],
    ['two assessments: the last', `${responseText('yes')}\n\nOn reflection, the answer is: **NO**`, 'no', false],
    ['two assessments under two headings', `${responseText('yes')}\n${responseText('no')}`, 'no', true],
    ['no heading', 'I think the answer is clearly no.', 'no', false],
    ['Answer: at the end', 'Because of this.\n**Answer:** Yes', 'yes', false],
    ['echoed choice', 'Based on this analysis, the answer is: **[YES/NO]**', null, false],
    ['yes within the reasoning only', '1. Is it? Yes.\n2. No.', null, false],
    ['answer is something else', 'The answer is that no one knows', null, false],
    ['negated', 'the answer is not yes', null, false],
    ['nothing', '', null, false],
  ] as const)('%s', (_, text, answer, strict) => {
    expect(parseReasoningAnswer(text)).toEqual({ answer, strict });
  });
});

describe('parseResponse and its class', () => {
  it('is strict only about the whole form', () => {
    expect(parseResponse(responseText('no'))).toEqual({ answer: 'no', strict: true, complete: true });
    expect(parseResponse(`Sure!\n${responseText('no')}`).strict).toBe(false);
    expect(parseResponse(responseText('no').replace('## Step-by-Step', '## Step by Step')).strict).toBe(false);
    expect(parseResponse(`${responseText('yes')}\n${responseText('no')}`)).toMatchObject({
      answer: 'no',
      strict: false,
    });
  });
  it.each([
    ['valid', responseText('yes'), 'stop'],
    ['disagreed', responseText('no'), 'stop'],
    ['unparsable', 'I would rather not say.', 'stop'],
    ['truncated', responseText('yes').slice(0, 120), 'length'],
    ['truncated', 'At first sight the answer is yes, but', 'length'],
    ['valid', responseText('yes'), 'length'],
  ] as const)('%s', (expected, text, finish) => {
    expect(classifyResponse(parseResponse(text), 'yes', finish)).toBe(expected);
  });
});

describe('parseDraft', () => {
  it.each([
    ['the form of the specification', 'Answer: Yes - it is.\nQuestions: Is it? Why?', 'yes', 'Is it? Why?', true],
    ['generated with a leading space', ' Answer: No - not so.\nQuestions: Is it?', 'no', 'Is it?', true],
    ['bold and lower case', '**answer:** no, since\n**questions:** why?', 'no', 'why?', false],
    ['no label', 'Yes, it is so.', 'yes', null, false],
    ['quoted', 'Answer: "No" - x', 'no', null, false],
    ['the first answer counts', 'Answer: Yes - a.\nQuestions: b?\nAnswer: No - c.', 'yes', 'b?', false],
    ['echoed choice', 'Answer: <Yes/No> - <brief reasoning>', null, null, false],
    ['nothing', '', null, null, false],
    ['questions cut off', 'Answer: Yes - a.\nQuestions: is', 'yes', 'is', false],
  ] as const)('%s', (_, text, answer, questions, strict) => {
    expect(parseDraft(text)).toEqual({ answer, questions, strict });
  });
  it('counts quality', () => {
    const questions = questionRows(2, 2);
    const drafts = [
      draftRow('q0000', 'yes'),
      draftRow('q0001', 'no'),
      draftRow('q0002', null),
      draftOf({ id: 'q0003', text: 'no because', tokens: 2, finish: 'length' }),
    ];
    expect(draftReport(drafts, questions)).toEqual({ n: 4, truncated: 1, unparsable: 1, lenient: 1, correct: 2 });
  });
});

describe('hostile input takes linear time', () => {
  const parsers = { parseDraft, parseResponse, parseReasoningAnswer, parseDirectAnswer };
  const megabytes = 2_000_000;
  const texts: Record<string, string> = {
    'nested brackets': `the answer is: ${'['.repeat(megabytes)}YES${']'.repeat(megabytes)}`,
    asterisks: '*'.repeat(megabytes),
    'white space': ' '.repeat(megabytes),
    newlines: '\n'.repeat(megabytes),
    hashes: `${'#'.repeat(megabytes)} final assessment`,
    'the phrase again and again': 'the answer is '.repeat(megabytes / 14),
    'headings again and again': '## Final Assessment\n'.repeat(megabytes / 20),
    'one word': 'answer'.repeat(megabytes / 6),
    'letters that change length in lower case': 'İ'.repeat(megabytes / 2),
  };
  // Quadratic time would be hours; the limit leaves room for a busy machine.
  it.each(Object.keys(texts))(
    '%s',
    (name) => {
      for (const parse of Object.values(parsers)) {
        const start = performance.now();
        parse(texts[name] ?? '');
        expect(performance.now() - start).toBeLessThan(20_000);
      }
    },
    90_000,
  );
});
