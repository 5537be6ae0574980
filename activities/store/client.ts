import { S3Client } from '@aws-sdk/client-s3';
import type { Surroundings } from '../../config/environment.ts';

/**
 * Tries per request. With the SDK's standard back-off (doubling to 20 s, random) that is about a minute of outage
 * before an error comes out, so that a server that restarts is not noticed.
 */
const MAX_ATTEMPTS = 12;

/** S3 client for the process; the caller destroys it. Retries and their back-off are the SDK's own. */
export function createS3Client(s3: Surroundings['s3'], maxAttempts = MAX_ATTEMPTS): S3Client {
  return new S3Client({
    region: s3.region,
    maxAttempts,
    retryMode: 'standard',
    ...(s3.endpoint !== undefined && { endpoint: s3.endpoint, forcePathStyle: true }),
    ...(s3.credentials && { credentials: s3.credentials }),
  });
}
