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

type S3Error = {
  name?: string;
  code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
  /** What came, also where the SDK could not read it. */
  $response?: { statusCode?: number; headers?: Record<string, string> };
  /** Fields of S3's own error bodies. */
  Region?: string;
  ServerTime?: string;
};

const asS3Error = (error: unknown): S3Error => (typeof error === 'object' && error !== null ? error : {});

/** Status of the answer that an error came from. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = asS3Error(error);
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** True when the server asks to try again, because something else changes the object at this moment. */
export const isBusy = (error: unknown): boolean =>
  statusOf(error) === 409 || asS3Error(error).name === 'ConditionalRequestConflict';

/** True when a conditional write was refused because the object is not in the state that it asked for. */
export function isConflict(error: unknown): boolean {
  const status = statusOf(error);
  // A server that takes the rules of GET for those of PUT says "not modified".
  return status === 412 || status === 304 || asS3Error(error).name === 'PreconditionFailed';
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

/** The answer of a server that does not know what was asked of it. */
const notKnown = new Set(['NotImplemented', 'MethodNotAllowed', 'SecondLevelDomainForbidden']);

/** Of a request, in the words of the failure. */
type Told = { where: string; doing: string; bucket: string; error: S3Error; status: number | undefined };

/**
 * Any error of an S3 call as a named failure with its fix. Failures that already have a name pass through.
 *
 * @returns BucketMissing, CredentialsRefused, StorageUnsuitable (permanent), DiskFull (of this host) or StorageUnavailable (retryable)
 */
export function storageFailure(error: unknown, doing: string, { bucket, key }: Place): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const { name = 'Error', code, message = String(error) } = asS3Error(error);
  const where = `${doing} ${uriOf({ bucket, key })}`;
  const told: Told = { where, doing, bucket, error: asS3Error(error), status: statusOf(error) };
  if (name === 'NoSuchBucket') {
    const fix = `create it (aws s3 mb s3://${bucket}) or set RATCHET_BUCKET to one that exists`;
    return failure('BucketMissing', `${where}: there is no bucket ${bucket}; ${fix}`, { cause: error });
  }
  const unsuitable = elsewhere(told) ?? notTaken(told);
  if (unsuitable !== null) return failure('StorageUnsuitable', unsuitable, { cause: error });
  const refusal = credentialsRefused(told);
  if (refusal !== null) return failure('CredentialsRefused', refusal, { cause: error });
  if (isDiskFull(error)) return diskFull(where, error);
  const fix = 'check that the server at AWS_ENDPOINT_URL_S3 runs and can be reached';
  // Of an answer that is no XML the SDK tells how its parser failed.
  const words = message.includes('Deserialization error') ? 'no answer of an S3 server' : message;
  const answered = told.status === undefined ? '' : ` (the server answered ${told.status})`;
  return failure('StorageUnavailable', `${where}: ${name}${code ? ` ${code}` : ''} ${words}${answered}; ${fix}`, {
    cause: error,
  });
}

/** The region that an answer names, by whatever field the server has for it. */
function regionOf({ Region, message = '', $response }: S3Error): string | undefined {
  const header = $response?.headers?.['x-amz-bucket-region'];
  return header ?? Region ?? /expecting '([a-z0-9-]+)'/.exec(message)?.[1];
}

/** The bucket is in another region, or the server somewhere else. */
function elsewhere({ where, bucket, error, status }: Told): string | null {
  const { name = '', message = '', $response } = error;
  const headers = $response?.headers ?? {};
  const isRedirect = status !== undefined && [301, 302, 303, 307, 308].includes(status);
  const isOther = /^(AuthorizationHeaderMalformed|IllegalLocationConstraint|InvalidRegion|PermanentRedirect)/.test(
    name,
  );
  if (!isRedirect && !isOther) return null;
  const region = regionOf(error) ?? /The ([a-z0-9-]+) location constraint/.exec(message)?.[1];
  if (region !== undefined) {
    return `${where}: the bucket ${bucket} is in the region ${region}, and was asked for in another one; set AWS_REGION=${region} (and AWS_ENDPOINT_URL_S3, where it is set, to the server of that region)`;
  }
  const location = headers['location'];
  if (isRedirect && location !== undefined) {
    const origin = URL.canParse(location) ? new URL(location).origin : location;
    return `${where}: the server sends the request on to ${origin} (${status}); set AWS_ENDPOINT_URL_S3=${origin}, or AWS_REGION to the bucket's region`;
  }
  const how = 'its owner sees it by: aws s3api get-bucket-location --bucket';
  return `${where}: the bucket ${bucket} is in another region (${name} ${message}); set AWS_REGION to the bucket's region, ${how} ${bucket}`;
}

/** What no trying again changes: the server lacks what was asked for. */
function notTaken({ where, error, status }: Told): string | null {
  const { name = '', message = '' } = error;
  if (status === 413 || name === 'EntityTooLarge')
    return `${where}: the server takes no body of that size (${status ?? name}); allow 16 MiB in the server and in a proxy before it (nginx: client_max_body_size 17m)`;
  if (status !== 501 && status !== 405 && !notKnown.has(name)) return null;
  const said = message.includes('Deserialization error') ? '' : ` ${name}: ${message}`;
  return `${where}: the server does not know the request (${status ?? 'no status'}${said}); ${workingServers}`;
}

/** What is known to do all that is asked of a server; for the end of a message. */
export const workingServers =
  'set AWS_ENDPOINT_URL_S3 to a server with conditional writes: AWS S3, Cloudflare R2, a recent MinIO or Ceph, versitygw';

const permissions: readonly [doing: RegExp, permission: string][] = [
  [/^(writing|uploading)/, 's3:PutObject'],
  [/^listing uploads/, 's3:ListBucketMultipartUploads'],
  [/^listing/, 's3:ListBucket'],
  [/^deleting/, 's3:DeleteObject'],
  [/^aborting/, 's3:AbortMultipartUpload'],
  [/./, 's3:GetObject, and s3:ListBucket, without which S3 says so of objects that are not there'],
];

function credentialsRefused({ where, doing, error, status }: Told): string | null {
  const { name = '', ServerTime, $response } = error;
  const date = Date.parse(ServerTime ?? $response?.headers?.['date'] ?? '');
  if (name === 'RequestTimeTooSkewed') {
    const minutes = Math.round((Date.now() - date) / 60_000);
    const skew = Number.isNaN(minutes)
      ? 'differs'
      : `is ${Math.abs(minutes)} minutes ${minutes > 0 ? 'ahead' : 'behind'}`;
    return `${where}: the clock of this host ${skew} (${name}); set the clock, by NTP for example`;
  }
  if (!refused.has(name) && status !== 401 && status !== 403) return null;
  const said = `${where}: S3 refused the credentials (${name})`;
  if (name === 'SignatureDoesNotMatch')
    return `${said}; check AWS_SECRET_ACCESS_KEY, and that no proxy before the server changes headers`;
  const keys = 'check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (expired?) and the bucket policy';
  if (name !== 'AccessDenied') return `${said}; ${keys}`;
  return `${said}; ${keys}: this needs ${permissions.find(([doings]) => doings.test(doing))?.[1] ?? ''}`;
}

/**
 * The ETag of what a server has taken or given: without one nobody knows what it did.
 *
 * @throws StorageUnavailable
 */
export function etagOf(
  { ETag }: { ETag?: string | undefined },
  doing: string,
  at: { Bucket: string; Key: string },
): string {
  // A proxy that compresses what it passes on marks the tag as weak; the server knows it without the mark.
  const etag = ETag?.replace(/^W\//, '');
  if (etag) return etag;
  throw oddAnswer(
    `${doing} ${uriOf({ bucket: at.Bucket, key: at.Key })}: the server answers success without an ETag, which no S3 server does; look for a proxy that answers in its place, and check AWS_ENDPOINT_URL_S3`,
  );
}

/** The server is there and answers as no S3 server does. It may pass, since proxies come and go, so it can be tried again. */
export const oddAnswer = (message: string): ApplicationFailure =>
  failure('StorageUnavailable', message, { details: [{ oddAnswer: true }] });

/** True for failures of {@link oddAnswer}. */
export const isOddAnswer = ({ details }: ApplicationFailure): boolean =>
  (details?.[0] as { oddAnswer?: boolean } | undefined)?.oddAnswer === true;

/** True for the system's errors of a disk, or a quota, that is used up. */
export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(asS3Error(error).code ?? '');

/** DiskFull of this host, for an ENOSPC anywhere. */
export const diskFull = (where: string, cause: unknown): ApplicationFailure =>
  failure('DiskFull', `${where}: no space left on this host; free space under RATCHET_HOME (cache/ and work/ may go)`, {
    cause,
  });
