import { join, resolve } from 'node:path';
import { StackProblem } from './problem.ts';
import { liveRecord } from './records.ts';
import { secretOf } from './secret.ts';

/** The checkout that this file is part of. */
export const root = resolve(import.meta.dirname, '../..');

export const serviceNames = ['temporal', 's3', 'teacher', 'orchestrator', 'gpu', 'api'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Environment as it is passed to processes; an empty string counts as not set, since `.env` templates hold such. */
export type Environment = Readonly<Record<string, string | undefined>>;

const portSettings = {
  temporal: { variable: 'RATCHET_TEMPORAL_PORT', standard: 7233, service: 'temporal', what: 'Temporal server' },
  temporalUi: { variable: 'RATCHET_TEMPORAL_UI_PORT', standard: 8233, service: 'temporal', what: 'Temporal web UI' },
  s3: { variable: 'RATCHET_S3_PORT', standard: 7070, service: 's3', what: 'S3 server' },
  teacher: { variable: 'RATCHET_TEACHER_PORT', standard: 7080, service: 'teacher', what: 'simulated teacher' },
} as const;
export type PortName = keyof typeof portSettings;

/** One port of the stack: its number, the variable that changes it and what listens there. */
export type Port = { name: PortName; port: number; variable: string; what: string };

/** What runs here and where, after the user's own settings were taken into account. */
export type StackSettings = {
  /** Absolute path of the state folder; everything that must survive a restart is in it. */
  home: string;
  ports: Readonly<Record<PortName, Port>>;
  /** False where the user's environment names a server of their own: it is then neither started nor stopped here. */
  embedded: { temporal: boolean; s3: boolean; teacher: boolean };
  s3Keys: { accessKeyId: string; secretAccessKey: string };
};

/**
 * Reads the stack's settings. A port is the variable's, else the one on which this home's service runs now, else the
 * standard one, so that commands in another shell find a stack that was started with other ports.
 *
 * @throws StackProblem a port that is none
 */
export function stackSettings(env: Environment = process.env): StackSettings {
  const home = resolve(root, env['RATCHET_HOME'] || '.ratchet');
  const port = (name: PortName): Port => {
    const { variable, standard, service, what } = portSettings[name];
    const running = liveRecord(home, service)?.ports[name];
    return { name, port: parsePort(variable, env[variable]) ?? running ?? standard, variable, what };
  };
  const ports = {
    temporal: port('temporal'),
    temporalUi: port('temporalUi'),
    s3: port('s3'),
    teacher: port('teacher'),
  };
  const address = addressesOf(ports);
  // What this function's sister put into the environment is not a server of the user's.
  const ours = new Set((env['RATCHET_EMBEDDED'] ?? '').split(','));
  const own = (name: string, theirs: string | undefined, embedded: string) => ours.has(name) && theirs === embedded;
  const s3Endpoint = env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'];
  const embedsS3 = own('s3', s3Endpoint, address.s3) || !(s3Endpoint || env['RATCHET_BUCKET']);
  return {
    home,
    ports,
    embedded: {
      temporal:
        own('temporal', env['TEMPORAL_ADDRESS'], address.temporal) ||
        !(env['TEMPORAL_ADDRESS'] || env['TEMPORAL_PROFILE'] || env['TEMPORAL_CONFIG_FILE']),
      s3: embedsS3,
      teacher:
        own('teacher', env['OPENAI_BASE_URL'], address.teacher) || !(env['OPENAI_API_KEY'] || env['OPENAI_BASE_URL']),
    },
    s3Keys: {
      accessKeyId: env['RATCHET_S3_ACCESS_KEY'] || 'ratchet',
      secretAccessKey: env['RATCHET_S3_SECRET_KEY'] || (embedsS3 ? secretOf(home) : ''),
    },
  };
}

/**
 * The environment that every process of ratchet runs with: the user's, plus the addresses of what is embedded, in the
 * ecosystem's own names (`TEMPORAL_*` for `@temporalio/envconfig`, `AWS_*` for the AWS SDK, `OPENAI_*` for `openai`).
 * Applying it to its own result changes nothing.
 */
export function stackEnvironment(env: Environment = process.env): Record<string, string> {
  const settings = stackSettings(env);
  const { home, ports, embedded, s3Keys } = settings;
  const address = addressesOf(ports);
  const dropped: string[] = [];
  const set: Record<string, string> = {
    RATCHET_HOME: home,
    RATCHET_PYTHON: env['RATCHET_PYTHON'] || join(root, 'trainer', '.venv', 'bin', 'python'),
    RATCHET_BUCKET: env['RATCHET_BUCKET'] || 'ratchet',
    RATCHET_EMBEDDED: (['temporal', 's3', 'teacher'] as const).filter((name) => embedded[name]).join(','),
    NODE_COMPILE_CACHE: env['NODE_COMPILE_CACHE'] || join(root, '.ratchet', 'compile-cache'),
  };
  for (const { variable, port } of Object.values(ports)) set[variable] = String(port);
  if (embedded.temporal) {
    // Keys, certificates and a config file of some other server must not be tried on this one.
    dropped.push(...Object.keys(env).filter((name) => name.startsWith('TEMPORAL_')));
    set['TEMPORAL_ADDRESS'] = address.temporal;
    set['TEMPORAL_NAMESPACE'] = env['TEMPORAL_NAMESPACE'] || 'default';
    set['TEMPORAL_CONFIG_FILE'] = join(home, 'no-temporal-config.toml');
  }
  if (embedded.s3) {
    // With AWS_PROFILE or a session token set, the SDK would not take the two keys below.
    dropped.push('AWS_PROFILE', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL');
    set['AWS_ENDPOINT_URL_S3'] = address.s3;
    set['AWS_ACCESS_KEY_ID'] = s3Keys.accessKeyId;
    set['AWS_SECRET_ACCESS_KEY'] = s3Keys.secretAccessKey;
    set['AWS_REGION'] = 'us-east-1';
  }
  if (embedded.teacher) {
    set['OPENAI_BASE_URL'] = address.teacher;
    set['OPENAI_API_KEY'] = 'simulated';
  }
  const kept = Object.entries(env).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined && !dropped.includes(entry[0]);
  });
  return { ...Object.fromEntries(kept), ...set };
}

/** Loopback addresses; by number, because S3 clients put the bucket into the host name of `localhost`. */
function addressesOf(ports: StackSettings['ports']) {
  return {
    temporal: `127.0.0.1:${ports.temporal.port}`,
    s3: `http://127.0.0.1:${ports.s3.port}`,
    teacher: `http://127.0.0.1:${ports.teacher.port}/v1`,
  };
}

function parsePort(variable: string, value: string | undefined): number | undefined {
  if (!value) return undefined;
  const port = Number(value);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new StackProblem(`${variable}=${value} is not a port.`, `Set ${variable} to a whole number from 1 to 65535.`);
}
