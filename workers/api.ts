import { createApiActivities } from '../activities/api-activities.ts';
import { runWorker } from './process.ts';

/** The api worker: calls that cost money. */
await runWorker('api', ({ surroundings, store }) => ({
  taskQueue: 'ratchet-api',
  activities: createApiActivities({ store, openai: surroundings.openai, environment: process.env }),
  graceMs: 5_000,
}));
