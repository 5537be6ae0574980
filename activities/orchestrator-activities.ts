import type { S3Client } from '@aws-sdk/client-s3';
import type { Environment } from '../config/overrides.ts';
import type { Surroundings } from '../config/environment.ts';
import type { OrchestratorActivities } from './contract.ts';
import { createCompareArms } from './ablation/compare-arms.ts';
import { createCorpusActivities } from './corpora/build-corpora.ts';
import { createExtendEvaluation, createJoinRows } from './datasets/extend-evaluation.ts';
import { createPrepareData } from './datasets/prepare-data.ts';
import { describeBudget } from './gates/budget-evidence.ts';
import { createJudgeGate } from './gates/judge-gate.ts';
import { createNotifyGate } from './gates/notify-gate.ts';
import { createResolveAblation } from './recipes/resolve-ablation.ts';
import { createResolveRecipe } from './recipes/resolve-recipe.ts';
import { createStateActivities } from './recipes/state.ts';
import type { Store } from './store/store.ts';

/**
 * What the activities of the orchestrator need. `environment` is the process's own (with `.env`): the names that
 * override a recipe, `DRY_RUN`, the secret of `gates.webhook`, `RATCHET_DATA`, `HF_TOKEN`, `HF_ENDPOINT`.
 */
export type OrchestratorDeps = {
  store: Store;
  s3: S3Client;
  surroundings: Surroundings;
  environment: Environment;
  /** Paths that others send are held to RATCHET_DATA and the checkout; true for workers. */ confined?: boolean;
};

/** Activities of task queue `ratchet`, all but the report's. */
export const createOrchestratorActivities = (deps: OrchestratorDeps): Omit<OrchestratorActivities, 'writeReport'> => ({
  resolveRecipe: createResolveRecipe(deps),
  resolveAblation: createResolveAblation(deps),
  prepareData: createPrepareData(deps.store, deps),
  extendEvaluation: createExtendEvaluation(deps.store, deps),
  joinRows: createJoinRows(deps.store),
  judgeGate: createJudgeGate(deps.store),
  compareArms: createCompareArms(deps.store),
  budgetEvidence: describeBudget,
  notifyGate: createNotifyGate(deps.environment, () => new Date()),
  ...createCorpusActivities(deps.store),
  ...createStateActivities(deps.store),
});
