import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { withoutUserinfo } from '../domain/without-userinfo.ts';
import { readKeys } from './keys.ts';
import type { ModelServers } from './keys.ts';

/**
 * The environment of ratchet's processes. Temporal's own settings (`TEMPORAL_*`, profile files) are not here:
 * `@temporalio/envconfig` reads them. Neither are the names that override a recipe (config/overrides.ts), nor the keys of
 * servers that recipes name (config/keys.ts).
 * An empty string counts as not set, since `.env` templates hold such.
 */
const Environment = z.object({
  RATCHET_HOME: z.string().default('.ratchet').describe('Folder for state, caches and reports of this host.'),
  RATCHET_BUCKET: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'must be a bucket name: 3 to 63 lower-case letters, digits, dots, dashes',
    )
    .default('ratchet')
    .describe('S3 bucket of all artefacts.'),
  RATCHET_PYTHON: z.string().optional().describe('Python with the trainer package; default: trainer/.venv.'),
  RATCHET_TINY_BASE: z
    .string()
    .optional()
    .describe('Folder of builtin:tiny; default: the one that comes with the trainer.'),
  RATCHET_PRELOAD_BASE: z.string().optional().describe('Base model that a GPU worker loads when it starts.'),
  RATCHET_READY_FILE: z.string().optional().describe('A worker writes this file once it polls.'),
  RATCHET_SERVICE: z.string().optional().describe('Name of the process in log lines.'),
  RATCHET_METRICS_ADDRESS: z
    .string()
    .regex(/^[^:]+:\d+$/, 'must be an address such as 0.0.0.0:9464')
    .optional()
    .describe("Where a worker serves the SDK's metrics to Prometheus; default: nowhere."),
  RATCHET_CACHE_SHARE: z.coerce
    .number('must be a number above 0, at most 1')
    .gt(0, 'must be above 0')
    .max(1, 'must be at most 1')
    .default(0.5)
    .describe("Share of its disk that this host's cache of artefacts may take; what was used least recently goes."),
  RATCHET_KEEP_WORK: z.stringbool().default(false).describe('Keep the folders of finished trainer jobs.'),
  RATCHET_ALLOW_ANY_PATH: z
    .stringbool()
    .default(false)
    .describe(
      'A worker reads any file that a recipe names, not only those below RATCHET_DATA: for a stack of one user.',
    ),
  RATCHET_GRACE_SECONDS: z.coerce
    .number('must be a number of seconds')
    .positive('must be a number of seconds above 0')
    .default(25)
    .describe("From SIGTERM until a GPU worker gives its trainer up; keep it below the supervisor's own limit."),
  AWS_EC2_METADATA_SERVICE_ENDPOINT: z
    .url()
    .default('http://169.254.169.254')
    .describe('Where AWS says that a host is about to go (reliability.preemptionNotice: aws).'),
  GCE_METADATA_HOST: z
    .string()
    .default('metadata.google.internal')
    .describe('The same of Google Cloud: a host, with a port if need be.'),
  RATCHET_LOG_LEVEL: z
    .enum(['error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('Least important level that is logged.'),
  AWS_REGION: z.string().default('us-east-1').describe('Region of the bucket.'),
  AWS_ENDPOINT_URL_S3: z
    .url('must be a URL such as http://127.0.0.1:7070')
    .optional()
    .describe('S3 server other than AWS.'),
  AWS_ENDPOINT_URL: z
    .url('must be a URL such as http://127.0.0.1:7070')
    .optional()
    .describe('The same, if the one above is not set.'),
  AWS_ACCESS_KEY_ID: z.string().optional().describe('Key; without it the AWS SDK looks where it always looks.'),
  AWS_SECRET_ACCESS_KEY: z.string().optional().describe('Secret that belongs to the key.'),
  AWS_SESSION_TOKEN: z.string().optional().describe('Token of temporary credentials.'),
  OPENAI_BASE_URL: z
    .url('must be a URL such as https://api.openai.com/v1')
    .optional()
    .describe('OpenAI-compatible server of recipes that name none.'),
  OPENAI_API_KEY: z
    .string()
    .trim()
    .optional()
    .describe('Key of the server of OPENAI_BASE_URL, without one of api.openai.com; sent nowhere else.'),
});

/** The checkout (or image) that this file is part of. */
export const projectRoot = resolve(import.meta.dirname, '..');

/** The tiny base and its world, kept with the script that makes them. */
const tinyModel = join('trainer', 'src', 'ratchet_trainer', 'tiny', 'model');

/** What a process of ratchet knows about its surroundings; paths are absolute. */
export type Surroundings = {
  home: string;
  bucket: string;
  python: string;
  tinyBase: string;
  preloadBase: string | undefined;
  /** Of its disk, for the cache below `home`. */
  cacheShare: number;
  readyFile: string | undefined;
  service: string;
  host: string;
  graceMs: number;
  keepWork: boolean;
  allowAnyPath: boolean;
  metricsAddress: string | undefined;
  metadata: { aws: string; gcp: string };
  logLevel: 'error' | 'warn' | 'info' | 'debug';
  s3: {
    region: string;
    endpoint: string | undefined;
    credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  };
  openai: ModelServers;
};

/**
 * Reads and checks the environment.
 *
 * @throws Error that names every wrong variable, what it holds and what it should be
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): Surroundings {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = Environment.safeParse(set);
  if (!parsed.success) throw refused(describeProblems(parsed.error, set));
  const { keys, problems } = readKeys(set);
  if (problems.length > 0) throw refused(problems);
  const values = parsed.data;
  const home = resolve(projectRoot, values.RATCHET_HOME);
  return {
    home,
    bucket: values.RATCHET_BUCKET,
    python: values.RATCHET_PYTHON ?? defaultPython(),
    tinyBase: resolve(projectRoot, values.RATCHET_TINY_BASE ?? tinyModel),
    preloadBase: values.RATCHET_PRELOAD_BASE,
    cacheShare: values.RATCHET_CACHE_SHARE,
    readyFile: values.RATCHET_READY_FILE,
    service: values.RATCHET_SERVICE ?? 'ratchet',
    host: hostname(),
    graceMs: values.RATCHET_GRACE_SECONDS * 1000,
    keepWork: values.RATCHET_KEEP_WORK,
    allowAnyPath: values.RATCHET_ALLOW_ANY_PATH,
    metricsAddress: values.RATCHET_METRICS_ADDRESS,
    metadata: {
      aws: values.AWS_EC2_METADATA_SERVICE_ENDPOINT.replace(/\/$/, ''),
      gcp: `http://${values.GCE_METADATA_HOST}`,
    },
    logLevel: values.RATCHET_LOG_LEVEL,
    s3: {
      region: values.AWS_REGION,
      endpoint: values.AWS_ENDPOINT_URL_S3 ?? values.AWS_ENDPOINT_URL,
      credentials: credentialsOf(values),
    },
    openai: { baseUrl: values.OPENAI_BASE_URL, apiKey: values.OPENAI_API_KEY, keys },
  };
}

function credentialsOf(values: z.infer<typeof Environment>): Surroundings['s3']['credentials'] {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = values;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const [has, lacks] =
      accessKeyId === undefined
        ? ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID']
        : ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
    throw refused([`${lacks} is not set although ${has} is. Set both, or neither to use the AWS SDK's own sources.`]);
  }
  return { accessKeyId, secretAccessKey, ...(token !== undefined && { sessionToken: token }) };
}

const refused = (problems: readonly string[]): Error =>
  new Error(`The environment is not right:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);

function describeProblems(error: z.ZodError, set: Record<string, unknown>): string[] {
  return error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const hint = Object.entries(Environment.shape).find(([field]) => field === name)?.[1].description ?? '';
    const value = withoutUserinfo(String(set[name]));
    return `${name}=${value} ${/^must/.test(issue.message) ? issue.message : `is not right: ${issue.message}`}. ${hint}`;
  });
}

/** The trainer's own environment where set-up made one, else whatever `python3` is (a container image). */
function defaultPython(): string {
  const own = join(projectRoot, 'trainer', '.venv', 'bin', 'python');
  return existsSync(dirname(own)) ? own : 'python3';
}
