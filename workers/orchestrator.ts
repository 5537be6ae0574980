import { beating } from '../activities/heartbeats.ts';
import { createOrchestratorActivities } from '../activities/orchestrator-activities.ts';
import { createReportActivities } from '../activities/reports/create-report-activities.ts';
import { createS3Client } from '../activities/store/client.ts';
import { runWorker } from './process.ts';

/** The orchestrator: every workflow, and the activities that need neither a GPU nor money. */
await runWorker('orchestrator', ({ surroundings, store }) => {
  const s3 = createS3Client(surroundings.s3);
  const now = () => new Date();
  return {
    taskQueue: 'ratchet',
    workflowsPath: new URL('../workflows/index.ts', import.meta.url).pathname,
    activities: beating({
      ...createOrchestratorActivities({
        store,
        s3,
        surroundings,
        environment: process.env,
        confined: !surroundings.allowAnyPath,
      }),
      ...createReportActivities({ store, home: surroundings.home, now }),
    }),
    graceMs: 5_000,
    close: () => {
      s3.destroy();
    },
  };
});
