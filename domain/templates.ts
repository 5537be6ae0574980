import { invalid } from './invalid.ts';

/** The prompts of a programme. `{question}` and `{draft}` are replaced; any other `{name}` is refused. */
export type Templates = {
  draft: string;
  answer: string;
  reasoning: string;
  teacherSystem: string;
  teacherUser: string;
};
export type TemplateName = keyof Templates;

/**
 * Defaults, in the formats of the specification. Completions begin with a space (` yes`) or a newline (the teacher's
 * text), so no student prompt ends with white space: prompt and completion then tokenise the same apart and together.
 */
export const defaultTemplates: Templates = {
  draft: [
    'Answer the question with Yes or No and a brief reason. Then ask the two questions that you would need answered to be sure. Use this format:',
    'Answer: <Yes/No> - <brief reasoning>',
    'Questions: <focused question>? <key uncertainty>?',
    '',
    'Question: {question}',
    'Student draft:',
  ].join('\n'),
  answer: 'Question: {question}\nAnswer:',
  reasoning: 'Question: {question}\nStudent draft: {draft}\nReasoning:',
  teacherSystem: [
    'You are a teacher. A student has drafted an answer to a yes/no question and has asked clarifying questions. Judge the draft, answer what the student asked, reason step by step, and give the right answer. Reply in exactly this format and add nothing after it:',
    '',
    '## Teaching Analysis',
    "[2-3 sentences on the student's approach]",
    '',
    '## Step-by-Step Reasoning',
    '[numbered steps]',
    '',
    '## Final Assessment',
    'Based on this analysis, the answer is: **[YES/NO]**',
  ].join('\n'),
  teacherUser: 'Question: {question}\nStudent draft: {draft}',
};

const needs: Record<TemplateName, readonly string[]> = {
  draft: ['question'],
  answer: ['question'],
  reasoning: ['question', 'draft'],
  teacherSystem: [],
  teacherUser: ['question', 'draft'],
};

export const templateNames = Object.keys(needs) as TemplateName[];

const placeholder = /\{([A-Za-z][A-Za-z0-9_]*)\}/g;

const placeholdersOf = (template: string): string[] =>
  [...template.matchAll(placeholder)].map((match) => match[1] ?? '');

/**
 * Replaces `{name}` by `values.name` in one pass, so that braces in a value stay as they are.
 *
 * @throws InvalidRecipe naming a placeholder that has no value
 */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(placeholder, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value !== undefined) return value;
    const known = Object.keys(values).map((key) => `{${key}}`);
    throw invalid(
      'InvalidRecipe',
      `template has ${whole}, which has no value here; known: ${known.join(', ') || 'none'}`,
    );
  });
}

/** An empty template, one that lacks a placeholder, or has one that nothing fills: sentences that name the fix. */
export function placeholderProblems(template: string, needed: readonly string[]): string[] {
  const problems: string[] = [];
  const found = placeholdersOf(template);
  if (template.trim() === '') problems.push('is empty');
  for (const field of needed)
    if (!found.includes(field)) problems.push(`lacks {${field}}; put it where the ${field} belongs`);
  for (const field of new Set(found)) {
    if (!needed.includes(field)) {
      const known = needed.map((known) => `{${known}}`).join(' and ') || 'no placeholder at all';
      problems.push(`has {${field}}, which nothing fills; this template takes ${known}`);
    }
  }
  return problems;
}

/** What is wrong with a template, as sentences that name the fix; empty = nothing. */
export function templateProblems(name: TemplateName, template: string): string[] {
  const problems = placeholderProblems(template, needs[name]);
  if (name !== 'teacherSystem' && name !== 'teacherUser' && /\s$/.test(template.slice(-1))) {
    problems.push(
      'ends with white space, but completions begin with it; remove it (in YAML write `|-` in place of `|`)',
    );
  }
  if (
    name === 'reasoning' &&
    template.split('\n').some((line) => line.includes('{draft}') && line.includes('{question}'))
  ) {
    problems.push(
      'has {question} and {draft} on one line; give {draft} a line of its own, which the no-draft ablation leaves out',
    );
  }
  return problems;
}

/**
 * The no-draft ablation's template: the reasoning template without the lines that contain `{draft}`, everything else
 * unchanged. `Question: {question}\nStudent draft: {draft}\nReasoning:` gives `Question: {question}\nReasoning:`.
 */
export const withoutDraft = (reasoning: string): string =>
  reasoning
    .split('\n')
    .filter((line) => !line.includes('{draft}'))
    .join('\n');

/** Defaults with a recipe's own templates over them. */
export const resolveTemplates = (own: { [Name in TemplateName]?: string | undefined }): Templates => ({
  draft: own.draft ?? defaultTemplates.draft,
  answer: own.answer ?? defaultTemplates.answer,
  reasoning: own.reasoning ?? defaultTemplates.reasoning,
  teacherSystem: own.teacherSystem ?? defaultTemplates.teacherSystem,
  teacherUser: own.teacherUser ?? defaultTemplates.teacherUser,
});
