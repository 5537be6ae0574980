import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackProblem } from './problem.ts';
import { probeReadyFile, probeS3, probeTemporal } from './probes.ts';
import { searchAttributes } from './search-attributes.ts';
import { readyFile } from './records.ts';
import { makeHome } from './secret.ts';
import { root, serviceNames, stackEnvironment, stackSettings } from './settings.ts';
import type { Environment, Port, ServiceName, StackSettings } from './settings.ts';

/** One process of the stack: how it is started, when it counts as ready and how long it may take to end. */
export type Service = {
  name: ServiceName;
  /** Started when these are ready, stopped before them. */
  after: readonly ServiceName[];
  argv: readonly [string, ...string[]];
  env: Record<string, string>;
  ports: readonly Port[];
  /** Rejects or throws as long as the service is not ready. */
  probe: (pid: number) => Promise<void> | void;
  readyWithinMs: number;
  /** From SIGTERM to SIGKILL. */
  graceMs: number;
};

/**
 * The services that this environment asks for: those embedded, and the workers.
 *
 * @param only names to choose from; default all
 */
export function describeServices(env: Environment, only: readonly ServiceName[] = serviceNames): Service[] {
  const settings = stackSettings(env);
  const environment = stackEnvironment(env);
  const { embedded } = settings;
  const wanted = (name: ServiceName) =>
    only.includes(name) && (!(name in embedded) || embedded[name as keyof typeof embedded]);
  return serviceNames.filter(wanted).map((name) => {
    // Whoever started the stack owns its server and its workers: recipes may name any file of theirs.
    const allowAnyPath = env['RATCHET_ALLOW_ANY_PATH'] || (embedded.temporal ? '1' : '');
    const childEnvironment = { ...environment, RATCHET_SERVICE: name, RATCHET_ALLOW_ANY_PATH: allowAnyPath };
    if (name === 'temporal') return temporalServer(settings, childEnvironment);
    if (name === 's3') return s3Server(settings, childEnvironment);
    const servers = (['temporal', 's3'] as const).filter(wanted);
    return worker(name, settings, childEnvironment, name === 'teacher' ? [] : servers);
  });
}

function temporalServer({ home, ports }: StackSettings, env: Record<string, string>): Service {
  const namespace = env['TEMPORAL_NAMESPACE'];
  return {
    name: 'temporal',
    after: [],
    argv: [
      toolPath('temporal', env),
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--db-filename', join(home, 'temporal.db')],
      ...['--port', String(ports.temporal.port), '--ui-port', String(ports.temporalUi.port)],
      ...['--log-level', 'warn', '--disable-config-file', '--disable-config-env'],
      // The server's HTTP port takes plain POSTs from any web page. Nothing of ratchet uses it, and nobody has this name.
      ...['--dynamic-config-value', 'frontend.httpAllowedHosts=["none.invalid"]'],
      ...searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
      ...(namespace && namespace !== 'default' ? ['--namespace', namespace] : []),
    ],
    env,
    ports: [ports.temporal, ports.temporalUi],
    probe: () => probeTemporal(env),
    readyWithinMs: 60_000,
    graceMs: 10_000,
  };
}

function s3Server({ home, ports, s3Keys }: StackSettings, env: Record<string, string>): Service {
  const folder = join(home, 's3');
  const sidecar = join(home, 's3-attributes');
  // Object metadata are extended attributes of the files, or files beside them where the file system has none.
  const needsSidecar = existsSync(sidecar) || (!existsSync(folder) && !hasExtendedAttributes(home, env));
  mkdirSync(folder, { recursive: true });
  if (needsSidecar) mkdirSync(sidecar, { recursive: true });
  return {
    name: 's3',
    after: [],
    argv: [
      toolPath('versitygw', env),
      ...['--port', `127.0.0.1:${ports.s3.port}`, '--region', 'us-east-1', '--quiet', '--keep-alive'],
      ...['posix', ...(needsSidecar ? ['--sidecar', sidecar] : []), folder],
    ],
    env: { ...env, ROOT_ACCESS_KEY: s3Keys.accessKeyId, ROOT_SECRET_KEY: s3Keys.secretAccessKey },
    ports: [ports.s3],
    probe: () => probeS3(env),
    readyWithinMs: 30_000,
    graceMs: 5_000,
  };
}

function worker(
  name: Exclude<ServiceName, 'temporal' | 's3'>,
  { home, ports }: StackSettings,
  env: Record<string, string>,
  after: readonly ServiceName[],
): Service {
  const script = join(root, 'workers', name === 'teacher' ? 'simulated-teacher.ts' : `${name}.ts`);
  const ready = readyFile(home, name);
  return {
    name,
    after,
    argv: [projectNode(), script],
    env: { ...env, RATCHET_READY_FILE: ready },
    ports: name === 'teacher' ? [ports.teacher] : [],
    probe: (pid) => {
      probeReadyFile(ready, pid);
    },
    readyWithinMs: 120_000,
    // A trainer gets to finish its checkpoint; the worker gives it up by itself when its own grace is over.
    graceMs: name === 'gpu' ? 1_000 * Number(env['RATCHET_GRACE_SECONDS'] || 25) + 10_000 : 10_000,
  };
}

/** The Node that the project pins, or this process's own where it runs without (a container image). */
export function projectNode(): string {
  const pinned = join(root, 'node_modules', 'node', 'bin', 'node');
  return existsSync(pinned) ? pinned : process.execPath;
}

/**
 * A tool that set-up has found or built.
 *
 * @throws StackProblem if set-up has not been run
 */
export function toolPath(name: 'temporal' | 'versitygw', env: Environment): string {
  const chosen = env[name === 'temporal' ? 'RATCHET_TEMPORAL_BIN' : 'RATCHET_VERSITYGW_BIN'];
  if (chosen) return chosen;
  try {
    const tools = JSON.parse(readFileSync(join(root, '.ratchet', 'tools.json'), 'utf8')) as Record<string, string>;
    const path = tools[name];
    if (path !== undefined && existsSync(path)) return path;
  } catch {
    // Said below.
  }
  throw new StackProblem(`${name} is not installed for this checkout.`, 'npm run setup');
}

/** Node has no call for extended attributes, Python has; without either, they are taken to be there. */
function hasExtendedAttributes(home: string, env: Environment): boolean {
  if (process.platform !== 'linux') return true;
  makeHome(home);
  const script = 'import os, sys\ntry: os.setxattr(sys.argv[1], "user.ratchet", b"1")\nexcept OSError: sys.exit(3)';
  return spawnSync(env['RATCHET_PYTHON'] ?? 'python3', ['-c', script, home]).status !== 3;
}
