import { AblationInput, planAblation } from '../../config/ablation.ts';
import type { OrchestratorActivities } from '../contract.ts';
import type { CheckDeps } from './check-world.ts';
import { createResolveRecipe, readInput, refusalAsFailure } from './resolve-recipe.ts';

const example =
  'send {"recipe": NAME}, optionally with "overrides", "from": {"run": ID}, "arms": ["plain", "cal"] and "seeds": 3';

/**
 * The first activity of an ablation: input, recipe and world checked as of any run, arms planned. Nobody is asked at the
 * gates on the way unless the overrides say so.
 */
export const createResolveAblation =
  (deps: CheckDeps): OrchestratorActivities['resolveAblation'] =>
  async ({ start, run }) => {
    try {
      const input = readInput(AblationInput, start, { what: 'an ablation', from: ['run'], example });
      const overrides = { 'gates.policy': 'recommended', ...input.overrides };
      const from = input.from && { run: input.from.run, at: 'phaseC' as const };
      const resolved = await createResolveRecipe(deps)({
        start: { recipe: input.recipe, overrides, ...(from && { from }) },
        run,
      });
      return { ...resolved, ...planAblation(resolved.recipe, input, resolved.estimate.teacherUsd === 0) };
    } catch (error) {
      throw refusalAsFailure(error);
    }
  };
