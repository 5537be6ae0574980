import { estimateOf } from '../../config/check-recipe.ts';
import { loadRecipe } from '../../config/load-recipe.ts';
import { listRecipes } from '../../config/recipe-files.ts';
import { usd } from '../../activities/reports/quantities.ts';
import { exitCodes } from '../exit-codes.ts';
import { startInput } from '../start-input.ts';
import { paintFor, textTable } from '../terminal.ts';
import { printJson, printLines } from './command.ts';
import type { AddCommand } from './command.ts';
import { collect, jsonOption } from './options.ts';

/** `ratchet recipes`: what can be run. */
export const addRecipes: AddCommand = (program, context, exit) => {
  program
    .command('recipes')
    .description('the recipes that come with ratchet')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  ratchet recipes --json | jq -r .[].name\n')
    .action((options: { json?: boolean }) => {
      const recipes = listRecipes().map((listed) => ({
        ...listed,
        estimateUsd: estimateOf(loadRecipe({ recipe: listed.name }).recipe).totalUsd,
      }));
      const paint = paintFor(context.terminal.colour);
      if (options.json) printJson(context, recipes);
      else
        printLines(
          context,
          textTable(
            recipes.map(({ name, description, estimateUsd }) => [paint.strong(name), usd(estimateUsd), description]),
            [1],
          ),
        );
      exit(exitCodes.ok);
    });
};

/** `ratchet validate`: everything that can be known about a recipe without the world. */
export const addValidate: AddCommand = (program, context, exit) => {
  program
    .command('validate')
    .description('check a recipe with the environment and --set over it')
    .argument('<recipe>', 'name of a recipe or path of a YAML file')
    .option('--set <field=value>', 'set a field of the recipe; may be repeated', collect)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  ratchet validate demo\n  ratchet validate my-recipe.yaml --set data.samples=500\n',
    )
    .action((recipe: string, options: { set?: string[]; json?: boolean }) => {
      const { loaded } = startInput(recipe, options, context.env);
      if (options.json) printJson(context, { valid: true, ...loaded });
      else
        printLines(context, [
          `${loaded.recipe.name} is valid (sha256 ${loaded.digest.slice(0, 12)}).`,
          ...loaded.overridden.map(({ field, by, value }) => `  ${field} = ${value}  (${by})`),
        ]);
      exit(exitCodes.ok);
    });
};
