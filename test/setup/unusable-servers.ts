import { html, isCondition, puts, refusal, without } from './odd-s3.ts';
import type { Oddity } from './odd-s3.ts';

/** Servers that cannot be used: name, what they do, failure, its words. */
export const unusable: [name: string, oddity: Oddity, type: string, words: RegExp][] = [
  [
    'ignores If-Match and If-None-Match',
    (asked, pass) => pass(without(asked.headers, /^if-/)),
    'StorageUnsuitable',
    /ignores If-None-Match.*AWS S3, Cloudflare R2/s,
  ],
  [
    'ignores If-None-Match alone',
    (asked, pass) => pass(without(asked.headers, /^if-none/)),
    'StorageUnsuitable',
    /ignores If-None-Match/,
  ],
  [
    'ignores If-Match alone',
    (asked, pass) => pass(without(asked.headers, /^if-match/)),
    'StorageUnsuitable',
    /ignores If-Match/,
  ],
  [
    'answers 501 to a condition',
    (asked, pass) => (isCondition(asked) ? refusal(501, 'NotImplemented') : pass()),
    'StorageUnsuitable',
    /501 NotImplemented/,
  ],
  [
    'answers 501 without words',
    (asked, pass) => (isCondition(asked) ? { ...html(501), body: 'no' } : pass()),
    'StorageUnsuitable',
    /501/,
  ],
  [
    'answers 400 to a condition',
    (asked, pass) => (isCondition(asked) ? refusal(400, 'InvalidArgument') : pass()),
    'StorageUnsuitable',
    /refuses a write with a condition \(InvalidArgument/,
  ],
  [
    'answers 412 always',
    puts(refusal(412, 'PreconditionFailed')),
    'StorageUnsuitable',
    /refuses If-None-Match: \* although there is no such object/,
  ],
  [
    'answers 304 always',
    puts({ status: 304, headers: {}, body: '' }),
    'StorageUnsuitable',
    /refuses If-None-Match: \* although/,
  ],
  ['answers 409 for ever', puts(refusal(409, 'ConditionalRequestConflict')), 'StorageUnsuitable', /answered 409/],
  [
    'has done it and answers 412',
    puts(refusal(412, 'PreconditionFailed'), true),
    'StorageUnsuitable',
    /refuses If-None-Match/,
  ],
  [
    'answers PUT without an ETag',
    puts((_, passed) => ({ ...passed, headers: without(passed.headers, /etag/) })),
    'StorageUnsuitable',
    /without an ETag/,
  ],
  [
    'answers GET without an ETag',
    async ({ method }, pass) => {
      const answer = await pass();
      return method === 'GET' ? { ...answer, headers: without(answer.headers, /etag/) } : answer;
    },
    'StorageUnsuitable',
    /reading .*without an ETag/,
  ],
  [
    'gives another ETag on reading',
    async ({ method }, pass) => {
      const answer = await pass();
      return method === 'GET' ? { ...answer, headers: { ...answer.headers, etag: '"other"' } } : answer;
    },
    'StorageUnsuitable',
    /the ETag "other" that it refuses/,
  ],
  ['answers PUT with a page', puts(html(200)), 'StorageUnsuitable', /without an ETag.*proxy/],
  [
    'answers PUT with 204 and does nothing',
    puts({ status: 204, headers: { etag: '"x"' }, body: '' }),
    'StorageUnsuitable',
    /ignores If-None-Match/,
  ],
  ['answers 404 to everything', () => html(404), 'StorageUnavailable', /404/],
  ['answers 405 to PUT', puts(refusal(405, 'MethodNotAllowed')), 'StorageUnsuitable', /405 MethodNotAllowed/],
  [
    'gives back other content',
    async (asked, pass) => {
      const answer = await pass();
      return asked.method === 'GET' && asked.key !== ''
        ? { ...answer, headers: without(answer.headers, /^x-amz-checksum/), body: 'other' }
        : answer;
    },
    'StorageUnsuitable',
    /another content/,
  ],
  [
    'takes no uploads in parts',
    (asked, pass) => (asked.method === 'POST' && 'uploads' in asked.query ? refusal(501, 'NotImplemented') : pass()),
    'StorageUnsuitable',
    /takes no uploads in parts, which files over 16 MiB need/,
  ],
  [
    'is in another region: 301 and a header',
    () => refusal(301, 'PermanentRedirect', '', { 'x-amz-bucket-region': 'eu-central-1' }),
    'StorageUnsuitable',
    /region eu-central-1.*AWS_REGION=eu-central-1/,
  ],
  [
    'is in another region: 301 without a body',
    () => ({ status: 301, headers: { 'x-amz-bucket-region': 'ap-south-1' }, body: '' }),
    'StorageUnsuitable',
    /AWS_REGION=ap-south-1/,
  ],
  [
    'is in another region: 400 and a field',
    () => refusal(400, 'AuthorizationHeaderMalformed', '<Region>eu-west-2</Region>'),
    'StorageUnsuitable',
    /AWS_REGION=eu-west-2/,
  ],
  [
    'is in another region: 400 and a sentence',
    () => ({
      ...refusal(400, ''),
      body: "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; expecting 'eu-west-3'</Message></Error>",
    }),
    'StorageUnsuitable',
    /AWS_REGION=eu-west-3/,
  ],
  [
    'is in another region: a location constraint',
    () => ({
      ...refusal(400, ''),
      body: '<Error><Code>IllegalLocationConstraintException</Code><Message>The eu-north-1 location constraint is incompatible for the region specific endpoint this request was sent to.</Message></Error>',
    }),
    'StorageUnsuitable',
    /AWS_REGION=eu-north-1/,
  ],
  [
    'is in another region and does not say which',
    () => refusal(400, 'AuthorizationHeaderMalformed'),
    'StorageUnsuitable',
    /get-bucket-location --bucket ratchet/,
  ],
  [
    'sends on to another place',
    () => ({ status: 307, headers: { location: 'https://s3.other.example/ratchet/x' }, body: '' }),
    'StorageUnsuitable',
    /AWS_ENDPOINT_URL_S3=https:\/\/s3.other.example,/,
  ],
  [
    'sends on from http to https by a page',
    () => ({ ...html(308), headers: { location: 'https://127.0.0.1/ratchet' } }),
    'StorageUnsuitable',
    /AWS_ENDPOINT_URL_S3=https:\/\/127.0.0.1,/,
  ],
  [
    'has another clock',
    () =>
      refusal(
        403,
        'RequestTimeTooSkewed',
        `<ServerTime>${new Date(Date.now() - 3_600_000).toISOString()}</ServerTime>`,
      ),
    'CredentialsRefused',
    /is 60 minutes ahead.*NTP/,
  ],
  [
    'knows another secret',
    () => refusal(403, 'SignatureDoesNotMatch'),
    'CredentialsRefused',
    /check AWS_SECRET_ACCESS_KEY, and that no proxy/,
  ],
  ['has no such bucket', () => refusal(404, 'NoSuchBucket'), 'BucketMissing', /aws s3 mb s3:\/\/ratchet/],
  ['allows no writing', puts(refusal(403, 'AccessDenied')), 'CredentialsRefused', /s3:PutObject/],
  [
    'allows no listing',
    (asked, pass) => ('list-type' in asked.query ? refusal(403, 'AccessDenied') : pass()),
    'CredentialsRefused',
    /s3:ListBucket/,
  ],
  [
    'allows no reading',
    (asked, pass) => (asked.method === 'GET' && asked.key !== '' ? refusal(403, 'AccessDenied') : pass()),
    'CredentialsRefused',
    /s3:GetObject/,
  ],
  [
    'allows no deleting',
    (asked, pass) => ('delete' in asked.query || asked.method === 'DELETE' ? refusal(403, 'AccessDenied') : pass()),
    'CredentialsRefused',
    /s3:DeleteObject/,
  ],
  [
    'allows no deleting and answers 200',
    (asked, pass) =>
      'delete' in asked.query
        ? {
            status: 200,
            headers: {},
            body: '<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>',
          }
        : pass(),
    'CredentialsRefused',
    /s3:DeleteObject/,
  ],
  [
    'wants the bucket in the host’s name',
    () => refusal(403, 'SecondLevelDomainForbidden'),
    'StorageUnsuitable',
    /SecondLevelDomainForbidden/,
  ],
  [
    'lists for ever',
    (asked, pass) =>
      'list-type' in asked.query
        ? {
            status: 200,
            headers: {},
            body: '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>',
          }
        : pass(),
    'StorageUnsuitable',
    /not where it goes on/,
  ],
  [
    'lists by other tokens for ever',
    (asked, pass) =>
      'list-type' in asked.query
        ? {
            status: 200,
            headers: {},
            body: `<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>k</Key></Contents><NextContinuationToken>${Math.random()}</NextContinuationToken></ListBucketResult>`,
          }
        : pass(),
    'StorageUnsuitable',
    /not where it goes on/,
  ],
  [
    'lists a part and no token',
    (asked, pass) =>
      'list-type' in asked.query
        ? { status: 200, headers: {}, body: '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>' }
        : pass(),
    'StorageUnsuitable',
    /not where it goes on/,
  ],
];
