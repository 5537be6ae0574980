import type { Filtering } from './records.ts';
import { resolveTemplates, templateProblems } from './templates.ts';
import type { TemplateName } from './templates.ts';

/** How often a question is asked: consensus needs several answers, every other filter one. */
export const attemptsAsked = (phaseB: { filtering: Filtering; consensusAttempts: number }): number =>
  phaseB.filtering === 'consensus' ? phaseB.consensusAttempts : 1;

/** A wording of the teacher's prompt, as a recipe lists it; what it leaves out is that of the usual templates. */
export type TeacherVariant = { name: string; system?: string | undefined; user?: string | undefined };

/** The templates of a recipe that the teacher's prompt is made of. */
export type TeacherTemplates = { [Name in TemplateName]?: string | undefined } & {
  teacherVariants?: readonly TeacherVariant[] | undefined;
};

/** The templates of one request; `name` is null where the recipe lists no wordings. */
export type TeacherWording = { name: string | null; system: string; user: string };

/** At least one, in the order of the recipe: attempt i at a question is worded by number i mod their count. */
export function teacherWordings(own: TeacherTemplates): [TeacherWording, ...TeacherWording[]] {
  const { teacherSystem: system, teacherUser: user } = resolveTemplates(own);
  const [first, ...others] = (own.teacherVariants ?? []).map((variant) => ({
    name: variant.name,
    system: variant.system ?? system,
    user: variant.user ?? user,
  }));
  return first === undefined ? [{ name: null, system, user }] : [first, ...others];
}

/** Something wrong with the list, at a place in it: a sentence that names the fix. */
export type VariantProblem = { path: (string | number)[]; text: string };

/**
 * The rules of the usual templates for each wording, and what only a list can get wrong.
 *
 * @param attempts how often a question is asked
 */
export function variantProblems(own: TeacherTemplates, attempts: number): VariantProblem[] {
  const variants = own.teacherVariants ?? [];
  const found = variants.flatMap((variant, index) => ownProblems(variant, index));
  const wordings = variants.length === 0 ? [] : teacherWordings(own);
  wordings.forEach((wording, index) => {
    const before = wordings.slice(0, index);
    const named = before.some(({ name }) => name === wording.name);
    const same = before.find(({ system, user }) => system === wording.system && user === wording.user);
    if (named) found.push({ path: [index, 'name'], text: `${wording.name} is there already; give each its own name` });
    if (same) found.push({ path: [index], text: `is worded as ${same.name}; change its system or user, or remove it` });
  });
  if (variants.length > attempts) {
    const asked = attempts === 1 ? 'once' : `${attempts} times`;
    // Fewer than three attempts are no consensus.
    const enough = Math.max(3, variants.length);
    const fix = `set phaseB.filtering: consensus and phaseB.consensusAttempts: ${enough} or more, or list fewer`;
    found.push({ path: [], text: `${variants.length} wordings, but each question is asked ${asked}; ${fix}` });
  }
  return found;
}

const ownProblems = ({ system, user }: TeacherVariant, index: number): VariantProblem[] => [
  ...(system === undefined ? [] : templateProblems('teacherSystem', system)).map((text) => ({
    path: [index, 'system'],
    text,
  })),
  ...(user === undefined ? [] : templateProblems('teacherUser', user)).map((text) => ({ path: [index, 'user'], text })),
];
