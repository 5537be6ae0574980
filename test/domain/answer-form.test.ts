import { describe, expect, it } from 'vitest';
import { parseReasoningAnswer } from '../../domain/parse-answer.ts';
import { classifyResponse, parseResponse } from '../../domain/parse-response.ts';
import { bothWays, final, form, reads } from './phrasings.ts';
import type { Phrasing } from './phrasings.ts';
import { responseText } from './rows.ts';

describe('the asked form wins over what stands after it', () => {
  const after = [
    'Note: the draft said the answer is no.',
    'Note: The answer is no.',
    'P.S. The student wrote that the answer is no.',
    "(The student's answer: no)",
    'The answer is no.',
    'Many people would say the answer is no.',
    'The answer was no in the draft.',
    'If you disagree, tell me. Is the answer no?',
    'No, really.',
    '**No** further questions.',
    'Answer: No',
    'Yes or no: what do you think?',
    '> The answer is no.',
    'Hope this helps! No questions?',
    'Student draft: Answer: No - it cannot.',
    '"The answer is no," said the student.',
    '{"draft": "no"}',
  ];
  reads(
    bothWays(
      after.flatMap((text): Phrasing[] => [
        [`${final}\n${text}`, 'yes'],
        [`${final}\n\n${text}`, 'yes'],
        [`${final} ${text}`, 'yes'],
      ]),
    ),
    parseReasoningAnswer,
  );
  reads(bothWays(after.map((text): Phrasing => [`${form}\n${text}`, 'yes'])), parseReasoningAnswer);
  it.each(after)('a teacher is held to it: %s', (text) => {
    const response = parseResponse(`${responseText('yes')}\n\n${text}`);
    expect(response).toMatchObject({ answer: 'yes', strict: false });
    expect(classifyResponse(response, 'yes', 'stop')).toBe('valid');
    expect(classifyResponse(response, 'no', 'stop')).toBe('disagreed');
  });
});

describe('a question mark behind the whole asked form takes nothing back', () => {
  reads(
    bothWays([
      ['## Final Assessment\nBased on this analysis, the answer is: **YES? Yes.\n\n## Step', 'yes'],
      ['Based on this analysis, the answer is: **YES, the sea? Step Assessment', 'yes'],
      ['Based on this analysis, the answer is: **YES**?', 'yes'],
    ]),
    parseReasoningAnswer,
  );
});

describe('the asked form wins over what stands before it', () => {
  const before = [
    'The answer is no.',
    'The draft said: the answer is no.',
    'At first sight the answer is no.',
    'So the answer is no.',
    'Answer: No',
    'The answer is either yes or no.',
    'Is it so? No. Is it? No.',
    'Format: Based on this analysis, the answer is: **[YES/NO]**',
  ];
  reads(
    bothWays(
      before.flatMap((text): Phrasing[] => [
        [`${text}\n${form}`, 'yes'],
        [`${text}\n${final}`, 'yes'],
        [`## Final Assessment\n${text}\n${form}`, 'yes'],
        [`${text} ${form}`, 'yes'],
      ]),
    ),
    parseReasoningAnswer,
  );
});

describe('the asked form in other dress', () => {
  reads(
    bothWays([
      ['the answer is: **YES**', 'yes'],
      ['The answer is: **yes**', 'yes'],
      ['the answer is **YES**', 'yes'],
      ['the answer is: YES', 'yes'],
      ['the answer is: **YES.**', 'yes'],
      ['the answer is: **YES**.', 'yes'],
      ['the answer is: **YES**!!!', 'yes'],
      ['the answer is: ***YES***', 'yes'],
      ['the answer is: __YES__', 'yes'],
      ['the answer is: _yes_', 'yes'],
      ['the answer is: `YES`', 'yes'],
      ['the answer is: **[YES]**', 'yes'],
      ['the answer is: [YES]', 'yes'],
      ['the answer is: (yes)', 'yes'],
      ['the answer is: <yes>', 'yes'],
      ['the answer is: "Yes"', 'yes'],
      ['the answer is: “Yes”', 'yes'],
      ["the answer is: 'yes'", 'yes'],
      ['the answer is: <b>Yes</b>', 'yes'],
      ['the answer is: <strong>YES</strong>.', 'yes'],
      ['the answer is: \\boxed{yes}', 'yes'],
      ['the answer is $\\boxed{\\text{Yes}}$', 'yes'],
      ['the answer is $$\\boxed{\\textbf{YES}}$$', 'yes'],
      ['Thus: $\\boxed{yes}$', 'yes'],
      ['\\boxed{\\mathrm{No}}', 'no'],
      ['{"answer": "yes"}', 'yes'],
      ['{"reasoning": "so", "final_answer": "Yes"}', 'yes'],
      ["{'answer': 'yes'}", 'yes'],
      ['```json\n{"answer": "YES"}\n```', 'yes'],
      ['**Answer:** Yes', 'yes'],
      ['**Answer**: Yes', 'yes'],
      ['Answer = yes', 'yes'],
      ['Answer: Yes, because it is.', 'yes'],
      ['Final answer: YES', 'yes'],
      ['**Final Answer: Yes**', 'yes'],
      ['Final Assessment: yes', 'yes'],
      ['The final answer is therefore yes.', 'yes'],
      ['The correct answer is yes.', 'yes'],
      ['The answer would be yes.', 'yes'],
      ['The answer is a resounding yes.', 'yes'],
      ['The answer to the question is yes.', 'yes'],
      ['Based on this analysis, the answer is:\n\n**YES**', 'yes'],
      ['The answer is:\nyes', 'yes'],
      ['THE ANSWER IS: YES', 'yes'],
      ['the answer is\u00a0yes', 'yes'],
      ['the answer is: **YES**\r\n', 'yes'],
      ['İİİ the answer is: yes', 'yes'],
      ['the answer is: **YES** — no doubt about it', 'yes'],
      ['The answer is yes, no doubt.', 'yes'],
      ['"Based on this analysis, the answer is: **YES**"', 'yes'],
      ['> Based on this analysis, the answer is: **YES**', 'yes'],
    ]),
    parseReasoningAnswer,
  );
});

describe('under the heading', () => {
  const under = (text: string) => `Steps. Is it? No. Yes.\n## Final Assessment\n${text}`;
  reads(
    bothWays(
      (
        [
          ['**YES**', 'yes'],
          ['- yes.', 'yes'],
          ['YES', 'yes'],
          ['[YES]', 'yes'],
          ['\\boxed{YES}', 'yes'],
          ['Yes, because it is.', 'yes'],
          ['**Yes** – it is.', 'yes'],
          ['It is so.\n\n**YES**', 'yes'],
          ['**YES**\n**YES**', 'yes'],
          ['**YES**\n**NO**', null],
          ['YES/NO', null],
          ['**[YES/NO]**', null],
          ['Yes?', null],
          ['It depends: yes for some, no for others.', null],
          ['The student should say yes.', null],
          ['The answer is yes.\nThe answer is no.', null],
          ['The answer is no. Actually, the answer is yes.', 'yes'],
          ['I first thought no.\nThe answer is yes.', 'yes'],
          ['The draft says the answer is no.\nThe answer is yes.', 'yes'],
          ['The answer is yes.\nThe draft says the answer is no.', 'yes'],
        ] as const
      ).map(([text, answer]): Phrasing => [under(text), answer]),
    ),
    parseReasoningAnswer,
  );
  reads(
    bothWays([
      ['The answer is yes.\n## Final Assessment\n', 'yes'],
      [`${final}\n## Final Assessment`, 'yes'],
      [`${final}\n## Final Assessment\n`, 'yes'],
      ['So the answer is yes.\n## Final Assessment\nIt depends on yes and no.', null],
      [`${final}\n## Final Assessment\nBased on this analysis, the answer is: **NO**`, 'no'],
    ]),
    parseReasoningAnswer,
  );
});
