import type { OrchestratorActivities } from '../contract.ts';
import { failure } from '../failure.ts';
import { runFolder } from '../scope.ts';
import type { Store } from '../store/store.ts';
import { readState } from './state-shape.ts';

const keyOf = (run: string): string => `${runFolder(run)}/state.json`;

/** `runs/<run>/state.json`: the whole state of a run, so that another can start from it and a report can be written of it. */
export const createStateActivities = (store: Store): Pick<OrchestratorActivities, 'saveState' | 'loadState'> => ({
  saveState: async ({ state }) => await store.putJson(keyOf(state.run), state),

  loadState: async ({ run }) => {
    const found = await store.getJson(keyOf(run));
    if (found === null) {
      throw failure(
        'UnknownRun',
        `from.run: there is no run ${run} (${store.uriOf(keyOf(run))} is not there); give the id of a run whose data, drafts and teacher responses were finished`,
      );
    }
    return readState(found.value, store.uriOf(keyOf(run)));
  },
});
