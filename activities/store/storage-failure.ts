import { ApplicationFailure } from '@temporalio/common';
import { failure } from '../failure.ts';

/** `s3://bucket/key`, split. */
export type Place = { bucket: string; key: string };

export const uriOf = ({ bucket, key }: Place): string => `s3://${bucket}/${key}`;

/** @throws InvalidJob when the text is not an S3 URI with bucket and key */
export function placeOf(uri: string): Place {
  const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri);
  if (!match) throw failure('InvalidJob', `${uri} is not an S3 URI; write s3://BUCKET/KEY`);
  return { bucket: match[1] ?? '', key: match[2] ?? '' };
}

type S3Error = { name?: string; code?: string; message?: string; $metadata?: { httpStatusCode?: number } };

const asS3Error = (error: unknown): S3Error => (typeof error === 'object' && error !== null ? error : {});

/** True when a conditional write was refused because the object is not in the state that it asked for. */
export function isConflict(error: unknown): boolean {
  const { $metadata, name } = asS3Error(error);
  return $metadata?.httpStatusCode === 412 || name === 'PreconditionFailed' || name === 'ConditionalRequestConflict';
}

/** True when there is no such object (a missing bucket is something else). */
export function isMissing(error: unknown): boolean {
  const { name } = asS3Error(error);
  return name === 'NoSuchKey' || name === 'NotFound';
}

/** True when a multipart upload is not open (any more). */
export const isMissingUpload = (error: unknown): boolean => asS3Error(error).name === 'NoSuchUpload';

/** True when a range was asked for that the object does not have. */
export const isPastTheEnd = (error: unknown): boolean => asS3Error(error).name === 'InvalidRange';

const refused = new Set([
  ...['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken', 'ExpiredTokenException'],
  ...['InvalidToken', 'CredentialsProviderError', 'TokenProviderError', 'XAdminUserNotFound', 'AllAccessDisabled'],
]);

/**
 * Any error of an S3 call as a named failure with its fix. Failures that already have a name pass through.
 *
 * @returns BucketMissing, CredentialsRefused (permanent), DiskFull (of this host) or StorageUnavailable (retryable)
 */
export function storageFailure(error: unknown, doing: string, { bucket, key }: Place): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const { name = 'Error', code, message = String(error), $metadata } = asS3Error(error);
  const status = $metadata?.httpStatusCode;
  const where = `${doing} ${uriOf({ bucket, key })}`;
  if (name === 'NoSuchBucket') {
    const fix = `create it (aws s3 mb s3://${bucket}) or set RATCHET_BUCKET to one that exists`;
    return failure('BucketMissing', `${where}: there is no bucket ${bucket}; ${fix}`, { cause: error });
  }
  if (refused.has(name) || status === 401 || status === 403) {
    const fix = 'check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (expired?) and the bucket policy';
    return failure('CredentialsRefused', `${where}: S3 refused the credentials (${name}); ${fix}`, { cause: error });
  }
  if (isDiskFull(error)) return diskFull(where, error);
  const fix = 'check that the server at AWS_ENDPOINT_URL_S3 runs and can be reached';
  return failure('StorageUnavailable', `${where}: ${name}${code ? ` ${code}` : ''} ${message}; ${fix}`, {
    cause: error,
  });
}

/** True for the system's errors of a disk, or a quota, that is used up. */
export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(asS3Error(error).code ?? '');

/** DiskFull of this host, for an ENOSPC anywhere. */
export const diskFull = (where: string, cause: unknown): ApplicationFailure =>
  failure('DiskFull', `${where}: no space left on this host; free space under RATCHET_HOME (cache/ and work/ may go)`, {
    cause,
  });
