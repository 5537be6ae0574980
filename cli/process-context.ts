import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import {
  startStack,
  stackEnvironment,
  stackSettings,
  stackStatus,
  stopStack,
  untilToldToEnd,
} from '../infra/embedded/index.ts';
import type { Environment } from '../infra/embedded/index.ts';
import type { Store } from '../activities/store/store.ts';
import { runNameProblem } from '../domain/run-name.ts';
import type { Context, StackControl } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { stackIsUp } from './stack-state.ts';
import { processTerminal } from './terminal.ts';

/** The real world. What is heavy (Temporal's client, S3, plots) is loaded by the command that needs it. */
export function processContext(env: Environment): Context {
  return {
    terminal: processTerminal(env),
    env,
    now: () => new Date(),
    programmes: async () => {
      const [{ connect }, { createProgrammes }] = await Promise.all([
        import('./temporal/connect.ts'),
        import('./temporal/programmes.ts'),
      ]);
      const { client, close } = await connect(env);
      return createProgrammes(client, close);
    },
    stack: stackControl(env),
    writeReport: (state) =>
      withStore(env, async (store, home) => {
        const { createReportActivities } = await import('../activities/reports/create-report-activities.ts');
        return (await createReportActivities({ store, home, now: () => new Date() }).writeReport({ state })).path;
      }),
    storedState: (run) =>
      withStore(env, async (store) => {
        if (runNameProblem(run) !== null) return null;
        const { readState } = await import('../activities/recipes/state-shape.ts');
        const key = `runs/${run}/state.json`;
        const found = await store.getJson(key);
        return found && readState(found.value, store.uriOf(key));
      }),
    sweep: (options) =>
      withStore(env, async (store) => (await import('../activities/checkpoints/sweep.ts')).sweep(store, options)),
    interrupt: interruptSignal,
    question: async (prompt, signal) => {
      const lines = createInterface({ input: process.stdin, output: process.stdout });
      // In raw mode Ctrl-C is a key, not a signal.
      lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
      try {
        return await lines.question(prompt, { signal });
      } finally {
        lines.close();
      }
    },
  };
}

async function withStore<T>(env: Environment, work: (store: Store, home: string) => Promise<T>): Promise<T> {
  const [{ readEnvironment }, { createS3Client }, { createStore }] = await Promise.all([
    import('../config/environment.ts'),
    import('../activities/store/client.ts'),
    import('../activities/store/store.ts'),
  ]);
  const { s3, bucket, home } = readEnvironment(stackEnvironment(env));
  const client = createS3Client(s3, 3);
  try {
    return await work(createStore({ client, bucket, cacheDir: join(home, 'cache') }), home);
  } finally {
    client.destroy();
  }
}

function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.on('SIGINT', () => {
    // The cursor may be hidden by the live view.
    if (controller.signal.aborted) {
      if (process.stdout.isTTY) process.stdout.write('\u001b[?25h');
      process.exit(exitCodes.interrupted);
    }
    controller.abort('SIGINT');
  });
  return controller.signal;
}

function stackControl(env: Environment): StackControl {
  return {
    embedded: () => stackSettings(env).embedded.temporal,
    isUp: () => stackIsUp(env),
    upDetached: async (onEvent) => {
      await startStack({ env, detach: true, onEvent });
    },
    async upAttached(onEvent, onReady) {
      const told = untilToldToEnd();
      const stack = await startStack({ env, onEvent, signal: told });
      onReady();
      if (!stack.owned) return;
      if (!told.aborted)
        await new Promise((resolve) => {
          told.addEventListener('abort', resolve, { once: true });
        });
      await stack.stop();
    },
    down: () => stopStack(stackSettings(env).home),
    doctor: async () => (await import('../infra/embedded/index.ts')).doctor(env),
    services: () =>
      stackStatus(stackSettings(env).home).map(({ name, running, pid, ports }) => ({ name, running, pid, ports })),
    uiAddress: () => `http://127.0.0.1:${String(stackSettings(env).ports.temporalUi.port)}`,
  };
}
