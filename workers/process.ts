import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { ActivityInterceptorsFactory, NativeConnectionOptions, WorkerOptions } from '@temporalio/worker';
import { createLog, temporalLogger } from '../activities/logging.ts';
import type { Log } from '../activities/logging.ts';
import { holdingCache } from '../activities/store/cache-use.ts';
import { createS3Client } from '../activities/store/client.ts';
import { createStore } from '../activities/store/store.ts';
import type { Store } from '../activities/store/store.ts';
import { unexpectedErrors } from '../activities/unexpected.ts';
import { applyDotEnv } from '../config/dot-env.ts';
import { readEnvironment } from '../config/environment.ts';
import type { Surroundings } from '../config/environment.ts';
import { useProxies } from '../config/proxy.ts';
import { ensureSearchAttributes, StackProblem } from '../infra/embedded/index.ts';
import { checkStorage } from './check-storage.ts';

/** What a worker's parts are made from. */
export type ProcessParts = {
  surroundings: Surroundings;
  log: Log;
  store: Store;
  /** Aborted when the process is told to end; work in progress should come to a good end. */
  notice: AbortSignal;
  /** This host is about to go: as a notice, but the process stays, so that nobody starts another one here. */
  giveNotice: (why: string) => void;
};

/** What makes one worker unlike another. */
export type WorkerParts = {
  taskQueue: string;
  activities?: object;
  /** Folder or file of the workflows; bundled at the start unless `workflowBundle` is given. */
  workflowsPath?: string;
  workflowBundle?: WorkerOptions['workflowBundle'];
  maxConcurrentActivities?: number;
  /** From the notice until activities are cancelled. */
  graceMs: number;
  /** Ends what the worker's parts hold, after the last activity. */
  close?: () => void | Promise<void>;
};

/** The SDK's own buckets are for milliseconds; these are for seconds, and the last for dollars. */
const seconds = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
const histogramBucketOverrides = {
  ratchet_recovery_seconds: seconds,
  ratchet_gpu_lost_seconds: seconds,
  ratchet_gpu_lost_usd: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 50],
};

/** A host that was told to go does so within minutes; if it does not, the worker ends and may be started again. */
const HOST_GOES_WITHIN_MS = 600_000;

/** How long a worker waits for a Temporal server that is not there (yet). */
const CONNECT_WITHIN_MS = 120_000;

/**
 * Runs a worker process to its end: reads the environment, connects, polls until SIGTERM or SIGINT, drains. Exit code 0
 * after a signal, 1 after an error, which a supervisor answers with a new start.
 *
 * @param service name in log lines
 * @param assemble makes the worker's parts; registers nothing by itself
 */
export async function runWorker(
  service: string,
  assemble: (parts: ProcessParts) => WorkerParts | Promise<WorkerParts>,
): Promise<void> {
  // A worker that is started by hand reads what the command line reads.
  const ignored = applyDotEnv(process.env);
  const log = createLog({ service, level: process.env['RATCHET_LOG_LEVEL'] || 'info' });
  if (ignored !== null) log.warn(ignored);
  try {
    await runToEnd(service, log, assemble);
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error), {
      stack: error instanceof Error ? error.stack : undefined,
    });
    process.exitCode = 1;
  }
  // Handles of libraries (sockets that linger, for one) must not keep a finished worker alive.
  setTimeout(() => process.exit(), 2_000).unref();
}

async function runToEnd(
  service: string,
  log: Log,
  assemble: (parts: ProcessParts) => WorkerParts | Promise<WorkerParts>,
): Promise<void> {
  useProxies(process.env);
  const surroundings = readEnvironment();
  const end = noticeOfEnd(log);
  const { notice } = end;
  Runtime.install({
    logger: temporalLogger(log),
    shutdownSignals: [],
    telemetryOptions: {
      ...(surroundings.metricsAddress !== undefined && {
        metrics: {
          prometheus: { bindAddress: surroundings.metricsAddress, histogramBucketOverrides },
        },
      }),
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
    },
  });
  const client = createS3Client(surroundings.s3);
  const { bucket, home, cacheShare } = surroundings;
  const store = createStore({ client, bucket, cacheDir: join(home, 'cache'), cacheShare });
  const storage = checkStorage(store, log, notice);
  const { connection, namespace } = await connectToTemporal(log, notice);
  try {
    await storage.known;
    const parts = await assemble({ surroundings, log, store, notice, giveNotice: end.giveNotice });
    await checkNamespace(parts, connection, namespace, log);
    const worker = await Worker.create({ connection, namespace, ...workerOptions(parts) });
    await poll(worker, parts.taskQueue, surroundings, log, AbortSignal.any([notice, storage.unfit]));
    await parts.close?.();
    storage.unfit.throwIfAborted();
    if (!end.told.aborted) {
      log.info('this host goes: no more work is taken here');
      await delay(HOST_GOES_WITHIN_MS, undefined, { signal: end.told }).catch(() => undefined);
    }
  } finally {
    await connection.close();
    client.destroy();
    log.info(`${service} worker ended`);
  }
}

/** @throws where workflows would be stuck for ever, with the fix; a supervisor tries again */
async function checkNamespace(
  { workflowsPath, workflowBundle }: WorkerParts,
  { operatorService }: NativeConnection,
  namespace: string,
  log: Log,
): Promise<void> {
  if (workflowsPath === undefined && workflowBundle === undefined) return;
  await ensureSearchAttributes(operatorService, namespace, (text) => log.warn(text)).catch((error: unknown) => {
    throw error instanceof StackProblem ? new Error(`${error.message}; fix: ${error.fix}`, { cause: error }) : error;
  });
}

/** For workers, and for whoever bundles or replays the workflows. */
export const dataConverter = { payloadConverterPath: join(import.meta.dirname, '../workflows/payloads.ts') };

/** What an activity takes from the host's cache stays there while it runs. */
const holdingWhatIsCached: ActivityInterceptorsFactory = () => ({
  inbound: { execute: (input, next) => holdingCache(() => next(input)) },
});

/** How Temporal's worker is set up, the same for all of ratchet's workers. */
export function workerOptions(parts: WorkerParts): Omit<WorkerOptions, 'connection' | 'namespace'> {
  const { taskQueue, activities, workflowsPath, workflowBundle, maxConcurrentActivities, graceMs } = parts;
  return {
    taskQueue,
    ...(activities && { activities }),
    ...(workflowBundle ? { workflowBundle } : workflowsPath !== undefined && { workflowsPath }),
    ...(maxConcurrentActivities !== undefined && { maxConcurrentActivityTaskExecutions: maxConcurrentActivities }),
    interceptors: { activity: [unexpectedErrors, holdingWhatIsCached] },
    dataConverter,
    // By default activities would be cancelled the moment that shutdown begins.
    shutdownGraceTime: graceMs,
    shutdownForceTime: graceMs + 5_000,
    // By default heartbeats go out every 0.8 × timeout; people watch them, and cancellation comes back with them.
    maxHeartbeatThrottleInterval: '1 s',
    defaultHeartbeatThrottleInterval: '1 s',
  };
}

/** Polls until told to end; the ready file is there while it does. */
async function poll(
  worker: Worker,
  taskQueue: string,
  { readyFile }: Surroundings,
  log: Log,
  notice: AbortSignal,
): Promise<void> {
  const shutdown = (): void => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  notice.addEventListener('abort', shutdown);
  const running = worker.run();
  if (notice.aborted) shutdown();
  if (readyFile !== undefined) writeReadyFile(readyFile);
  log.info(`polling task queue ${taskQueue}`);
  try {
    await running;
  } finally {
    if (readyFile !== undefined) rmSync(readyFile, { force: true });
  }
}

function writeReadyFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const partial = `${file}.partial-${process.pid}`;
  writeFileSync(partial, `${JSON.stringify({ pid: process.pid })}\n`);
  renameSync(partial, file);
}

/**
 * SIGTERM (also what Kubernetes and a preempted host send) and SIGINT, and what the cloud says of this host, as one
 * notice that is given once. `told`: by a signal to this process.
 */
function noticeOfEnd(log: Log): { notice: AbortSignal; told: AbortSignal; giveNotice: (why: string) => void } {
  const controller = new AbortController();
  const told = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!controller.signal.aborted) log.info(`${signal}: finishing what is in hand`);
      told.abort();
      controller.abort();
    });
  }
  const giveNotice = (why: string): void => {
    log.warn(`${why}: finishing what is in hand`);
    controller.abort();
  };
  return { notice: controller.signal, told: told.signal, giveNotice };
}

async function connectToTemporal(
  log: Log,
  notice: AbortSignal,
): Promise<{ connection: NativeConnection; namespace: string }> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const deadline = Date.now() + CONNECT_WITHIN_MS;
  for (let tries = 1; ; tries++) {
    try {
      const connection = await NativeConnection.connect({ ...connectionOptions, ...grpcProxy(process.env) });
      return { connection, namespace: namespace ?? 'default' };
    } catch (error) {
      const address = connectionOptions.address ?? 'localhost:7233';
      const reason = error instanceof Error ? error.message : String(error);
      if (Date.now() > deadline || notice.aborted) {
        const fix =
          'check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TEMPORAL_API_KEY, or start the embedded stack with `ratchet up`';
        throw new Error(`no Temporal server at ${address} within ${CONNECT_WITHIN_MS / 1000} s (${reason}); ${fix}`, {
          cause: error,
        });
      }
      if (tries === 1) log.warn(`waiting for the Temporal server at ${address}`, { reason });
      await delay(500, undefined, { signal: notice }).catch(() => undefined);
    }
  }
}

/** The way to Temporal: directly, unless `grpc_proxy` names a proxy, as it does for the command line's client. */
function grpcProxy(env: NodeJS.ProcessEnv): Pick<NativeConnectionOptions, 'proxy'> {
  const named = env['grpc_proxy'];
  if (!named) return {};
  const { host, username, password } = new URL(named);
  const basicAuth = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { proxy: { type: 'http-connect', targetHost: host, ...(username !== '' && { basicAuth }) } };
}
