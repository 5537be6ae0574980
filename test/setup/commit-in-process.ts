// Takes a lease and commits one checkpoint, in a process that a test kills somewhere on the way.
// Arguments: endpoint of S3, prefix, step, folder of the checkpoint.
import { commitCheckpoint } from '../../activities/checkpoints/checkpoints.ts';
import { openLease } from '../../activities/checkpoints/lease.ts';
import { createS3Client } from '../../activities/store/client.ts';
import { createStore } from '../../activities/store/store.ts';
import { readEnvironment } from '../../config/environment.ts';

const [endpoint = '', prefix = '', step = '', directory = ''] = process.argv.slice(2);
const { s3, bucket } = readEnvironment();
const store = createStore({ client: createS3Client({ ...s3, endpoint }), bucket, cacheDir: `${directory}-cache` });
const lease = await openLease(store, prefix, `process ${process.pid}`);
await commitCheckpoint(store, lease, { step: Number(step), directory }, { keep: 2 });
process.exit();
