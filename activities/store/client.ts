import { S3Client } from '@aws-sdk/client-s3';
import type { Surroundings } from '../../config/environment.ts';
import { createHttpHandler } from './http-handler.ts';

/**
 * Tries per request. With the SDK's standard back-off (doubling to 20 s, random) that is about a minute of outage
 * before an error comes out, so that a server that restarts is not noticed.
 */
const MAX_ATTEMPTS = 12;

/** A server that answers nothing for so long counts as unreachable; without a limit a request would wait for ever. */
const IDLE_MS = 60_000;
const CONNECT_MS = 5_000;

/** S3 client for the process; the caller destroys it. Retries and their back-off are the SDK's own. */
export function createS3Client(s3: Surroundings['s3'], maxAttempts = MAX_ATTEMPTS, idleMs = IDLE_MS): S3Client {
  return new S3Client({
    region: s3.region,
    maxAttempts,
    // Artefacts are verified by the SHA-256 of their manifest, and the SDK would see nothing of a range's body.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // What is sent has a checksum of ours where the server takes one (checksums.ts); the SDK's own cannot be left out again.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    retryMode: 'standard',
    requestHandler: createHttpHandler({ connectMs: CONNECT_MS, idleMs }),
    ...(s3.endpoint !== undefined && { endpoint: s3.endpoint, forcePathStyle: true }),
    ...(s3.credentials && { credentials: s3.credentials }),
  });
}
