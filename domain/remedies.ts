import type { Remedies } from './gate-types.ts';
import { canonicalJson } from './canonical.ts';

/** One changed field of a recipe, for the record: `{ field: 'phaseB.balance', from: 'none', to: 'upsample' }`. */
export type RecipeChange = { field: string; from: unknown; to: unknown };

/** What a fix sets where reasoning does not help yet. */
export type LongerTraining = {
  epochs: number;
  learningRate: number;
  earlyStopping?: { patienceEpochs: number; heldOutShare: number } | undefined;
};

/** The parts of a recipe that remedies change. */
export type RemediableRecipe = {
  phaseB: {
    balance: 'none' | 'upsample' | 'weighted-loss';
    filtering: 'drop-disagreements' | 'keep-all' | 'consensus';
    consensusAttempts: number;
    sharedTemplate: boolean;
    learningRate: number;
    epochs: number;
    earlyStopping?: { patienceEpochs: number; heldOutShare: number } | undefined;
    longerTraining?: LongerTraining | undefined;
  };
  templates: {
    reasoning?: string | undefined;
    teacherSystem?: string | undefined;
    teacherUser?: string | undefined;
    teacherVariants?: readonly unknown[] | undefined;
  };
};

const same = (a: unknown, b: unknown): boolean => canonicalJson({ value: a }) === canonicalJson({ value: b });

/**
 * Applies remedies to `phaseB` and `templates`; the recipe itself stays as it is. What already holds is no change. A new
 * prompt of the teacher takes the place of a list of wordings, which could hide it.
 */
export function applyRemedies<R extends RemediableRecipe>(
  recipe: R,
  remedies: Remedies,
): { recipe: R; diff: RecipeChange[] } {
  const { templates = {}, ...phaseB } = remedies;
  const diff: RecipeChange[] = [];
  const note = (section: string, before: object, changes: object): void => {
    const old = new Map<string, unknown>(Object.entries(before));
    for (const [name, to] of Object.entries(changes)) {
      const from = old.get(name) ?? null;
      if (to !== undefined && !same(from, to)) diff.push({ field: `${section}.${name}`, from, to });
    }
  };
  note('phaseB', recipe.phaseB, phaseB);
  note('templates', recipe.templates, templates);
  const { teacherVariants } = recipe.templates;
  const reworded = templates.teacherSystem !== undefined || templates.teacherUser !== undefined;
  const replaced = reworded && teacherVariants !== undefined;
  if (replaced) diff.push({ field: 'templates.teacherVariants', from: teacherVariants, to: null });
  const changed = {
    ...recipe,
    phaseB: { ...recipe.phaseB, ...phaseB },
    templates: { ...recipe.templates, ...templates, ...(replaced && { teacherVariants: undefined }) },
  };
  return { recipe: changed, diff };
}

/** Remedies of several causes as one; where two set the same field the first keeps it. */
export const mergeRemedies = (all: readonly Remedies[]): Remedies =>
  all.reduceRight<Remedies>((merged, remedies) => ({ ...merged, ...remedies }), {});

/** `phaseB.balance none → upsample, …`; `nothing` for no change. */
export const changesText = (changes: readonly RecipeChange[]): string =>
  changes.map(({ field, from, to }) => `${field} ${shown(from)} → ${shown(to)}`).join(', ') || 'nothing';

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 80);
