import { setFlagsFromString } from 'node:v8';
import { createApiActivities } from '../activities/api-activities.ts';
import { runWorker } from './process.ts';

// What fetch leaves of a request is freed by full collections only. By default V8 lets it come to several times what is in
// use before it makes one: hundreds of megabytes in a large stage.
setFlagsFromString('--heap-growing-percent=50');

/** The api worker: calls that cost money. */
await runWorker('api', ({ surroundings, store }) => ({
  taskQueue: 'ratchet-api',
  activities: createApiActivities({ store, openai: surroundings.openai }),
  graceMs: 5_000,
}));
