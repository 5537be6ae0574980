import { describe, expect, it } from 'vitest';
import { parseDirectAnswer, parseReasoningAnswer } from '../../domain/parse-answer.ts';
import { parseDraft } from '../../domain/parse-draft.ts';
import { bothWays, reads } from './phrasings.ts';

describe('direct answers', () => {
  reads(
    bothWays([
      ['yes', 'yes'],
      [' Yes.', 'yes'],
      ['YES!', 'yes'],
      ['\n\nyes', 'yes'],
      ['**Yes**', 'yes'],
      ['[YES]', 'yes'],
      ['"yes"', 'yes'],
      ['\\boxed{yes}', 'yes'],
      ['{"answer": "yes"}', 'yes'],
      ['Answer: yes', 'yes'],
      ['The answer is: yes', 'yes'],
      ['Definitely yes.', 'yes'],
      ['Yes, because no one knows.', 'yes'],
      ['Yes. The draft said no.', 'yes'],
      ['yes\nNote: the draft said the answer is no.', 'yes'],
      ['yes\n\nQuestion: Is it?\nAnswer: no', 'yes'],
      ['Yes, yes, yes.', 'yes'],
      ['I think yes.', 'yes'],
      ['I would go with yes.', 'yes'],
      ['The draft says the answer is no. The answer is yes.', 'yes'],
      ['yes no', null],
      ['Yes. No.', null],
      ['Yes. Actually, no.', null],
      ['Yes, wait, no.', null],
      ['yes/no', null],
      ['Yes or no?', null],
      ['yes and no', null],
      ['[YES/NO]', null],
      ['not yes', null],
      ['It is not a yes.', null],
      ['Is it yes?', null],
      ['Yes, if it rains.', null],
      ['He said yes.', null],
      ['Whether yes, who can tell.', null],
      ['Sometimes yes, sometimes no.', null],
    ]),
    parseDirectAnswer,
  );
  reads(
    [
      ['I do not know. There is no evidence.', null],
      ['No one knows.', null],
      ['No evidence of it.', null],
      ['No-one.', null],
      ['There is no reason to think so.', null],
      ['Norway', null],
      ['yesterday', null],
      ['True', null],
      ['ye', null],
      ['No, it is not.', 'no'],
      ['No it is not.', 'no'],
      ['No – there is no proof.', 'no'],
      ['No. No one did.', 'no'],
    ],
    parseDirectAnswer,
  );
});

describe('drafts', () => {
  reads(
    bothWays([
      ['Answer: Yes - it is.', 'yes'],
      ['Answer: Yes - it is.\nQuestions: Is the answer no? Why?', 'yes'],
      ['Answer: Yes - it is.\nNote: the answer is no.', 'yes'],
      ['Answer: Yes - it is.\nAnswer: No - it is not.', 'yes'],
      ['The answer - who knows.\nAnswer: Yes - it is.', 'yes'],
      ['Answer: <Yes/No> - <brief reasoning>\nAnswer: Yes - it is.', 'yes'],
      ['ANSWER: YES', 'yes'],
      ['**Answer**: **Yes**, it is', 'yes'],
      ['Answer: [Yes] - it is', 'yes'],
      ['Answer: \\boxed{Yes}', 'yes'],
      ['Yes.', 'yes'],
      ['Answer: Yes/No', null],
      ['Answer: Yes or No - hm', null],
      ['Answer: not Yes', null],
      ['Answer: maybe Yes', null],
      ['Answer: Yes if it rains - so.', null],
      ['Perhaps yes.', null],
    ]),
    parseDraft,
  );
  reads(
    [
      ['Answer: No one knows - so.', null],
      ['Answer: Norway - it lies there.', null],
      ['No one knows.', null],
      ['Answer: No it is not', 'no'],
      ['Answer: No', 'no'],
      ['Answer: N', null],
    ],
    parseDraft,
  );
});

it('dense texts take linear time, their answers turned word by word as well', () => {
  for (const text of [
    'answer: yes ',
    'The draft said the answer is no. ',
    'the answer is: **YES**\n',
    '"answer is no" ',
  ]) {
    const start = performance.now();
    for (const parse of [parseReasoningAnswer, parseDirectAnswer, parseDraft]) parse(text.repeat(200_000));
    expect(performance.now() - start).toBeLessThan(20_000);
  }
}, 90_000);
