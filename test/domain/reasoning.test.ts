import { expect, it } from 'vitest';
import { taught } from '../../domain/corpora.ts';
import { evaluateItems } from '../../domain/evaluation.ts';
import { draftOf, draftText } from '../../domain/parse-draft.ts';
import { splitReasoning, withReasoning } from '../../domain/reasoning.ts';

const answer = '## Final Assessment\nBased on this analysis, the answer is: **YES**';

it.each<[what: string, text: string, text: string, reasoning: string | null, open: boolean]>([
  ['no block', ` ${answer}\n`, ` ${answer}\n`, null, false],
  ['a block before', `<think>\nIs it? no.\n</think>\n\n${answer}`, answer, 'Is it? no.', false],
  ['an empty block', `<think>\n\n</think>\n\n${answer}`, answer, null, false],
  ['<thinking>', `<thinking>no</thinking>${answer}`, answer, 'no', false],
  ['<thought>', `<thought>no</thought>${answer}`, answer, 'no', false],
  ['<reasoning>', `<reasoning>no</reasoning>${answer}`, answer, 'no', false],
  ['<seed:think>', `<seed:think>no</seed:think>${answer}`, answer, 'no', false],
  ['[THINK]', `[THINK]no[/THINK]${answer}`, answer, 'no', false],
  ['other letters', `<Think>no</THINK >${answer}`, answer, 'no', false],
  ['attributes', `<think budget="10">no</think>${answer}`, answer, 'no', false],
  ['marks of two kinds', `<think>no</thinking>${answer}`, answer, 'no', false],
  ['Kimi', `◁think▷no◁/think▷${answer}`, answer, 'no', false],
  ['OpenThinker', `<|begin_of_thought|>no<|end_of_thought|>${answer}`, answer, 'no', false],
  ['Command A', `<|START_THINKING|>no<|END_THINKING|>${answer}`, answer, 'no', false],
  ['escaped', `&lt;think&gt;no&lt;/think&gt;${answer}`, answer, 'no', false],
  [
    'gpt-oss',
    `<|channel|>analysis<|message|>no<|end|><|start|>assistant<|channel|>final<|message|>${answer}<|return|>`,
    answer,
    'no',
    false,
  ],
  ['gpt-oss, cut off', '<|channel|>analysis<|message|>It is **YES**, or', '', 'It is **YES**, or', true],
  ['no opening mark', `Is it? no.\n</think>\n\n${answer}`, answer, 'Is it? no.', false],
  ['cut off', '<think>\nThe answer is: **YES**, or', '', 'The answer is: **YES**, or', true],
  ['cut off behind a preface', 'So:\n<think>The answer is: **YES**', 'So:', 'The answer is: **YES**', true],
  ['several blocks', `<think>one</think>So.\n<think>two</think>\n${answer}`, `So.\n\n${answer}`, 'one\n\ntwo', false],
  ['a block within', `<think>a<think>b</think>c</think>${answer}`, answer, 'a<think>b\n\nc', false],
  [
    'its own mark as a word',
    `<think>I open with <think> here</think>${answer}`,
    answer,
    'I open with <think> here',
    false,
  ],
  [
    'a mark in quotes',
    `The tag "<think>" and \`</think>\` say nothing.\n${answer}`,
    `The tag "<think>" and \`</think>\` say nothing.\n${answer}`,
    null,
    false,
  ],
  ['reasoning alone', '<think>It is so.</think>\n', '', 'It is so.', false],
  [
    'before JSON',
    '<think>{"better": "second"}</think>\n```json\n{"better": "first"}\n```',
    '```json\n{"better": "first"}\n```',
    '{"better": "second"}',
    false,
  ],
])('%s', (_, text, said, reasoning, open) => {
  expect(splitReasoning(text)).toEqual({ text: said, reasoning, open });
});

it('splitting twice is splitting once, and what was put before an answer is split off it', () => {
  const { text, reasoning } = splitReasoning(withReasoning(answer, 'It is so.'));
  expect({ text, reasoning }).toEqual({ text: answer, reasoning: 'It is so.' });
  expect(splitReasoning(text)).toEqual({ text, reasoning: null, open: false });
  expect(withReasoning(answer, undefined)).toBe(answer);
});

it('megabytes of marks take a moment', () => {
  const many = '<think>'.repeat(200_000) + '</think>'.repeat(200_000) + '<think '.repeat(200_000);
  expect(splitReasoning(many).open).toBe(false);
  expect(splitReasoning('<|channel|>'.repeat(200_000)).text).toContain('<|channel|>');
});

it('drafts and evaluations are read behind their reasoning, and reasoning is trained on only where the recipe says so', () => {
  const text = '<think>Answer: Yes - or no?</think>\nAnswer: No - it is not.\nQuestions: Why?';
  expect(draftOf({ id: 'a', text, tokens: 9, finish: 'stop' })).toMatchObject({ text, answer: 'no', strict: true });
  expect(draftText({ text })).toBe('Answer: No - it is not.\nQuestions: Why?');
  const question = { id: 'a', question: 'Is it?', answer: 'no' as const, facts: [], decomposition: [] };
  const generated = { id: 'a', text: '<think>yes?</think>No', tokens: 3, finish: 'stop' as const };
  expect(evaluateItems('direct', [question], [generated])[0]).toMatchObject({ answer: 'no', correct: true });
  expect(taught({ text: answer, reasoning: 'Hm.' }, {})).toBe(answer);
  expect(taught({ text: answer, reasoning: 'Hm.' }, { trainOnReasoning: true })).toBe(
    `<think>\nHm.\n</think>\n\n${answer}`,
  );
});
