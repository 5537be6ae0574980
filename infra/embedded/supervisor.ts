// Process behind `ratchet up --detach`: holds the stack until it is told to end. Arguments: the services to choose from.
import { StackProblem } from './problem.ts';
import { serviceNames } from './settings.ts';
import type { ServiceName } from './settings.ts';
import { once } from 'node:events';
import { startStack, untilToldToEnd } from './stack.ts';
import type { SupervisorMessage } from './stack.ts';
import type { StackEvent } from './supervise.ts';

const tell = (message: SupervisorMessage): void => {
  // The process that started this one may be gone; the stack comes up all the same.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};
const log = (text: string): void => {
  process.stdout.write(`${new Date().toISOString()} ${text}\n`);
};
const onEvent = (event: StackEvent): void => {
  log(`${event.service}: ${event.text}`);
  tell({ kind: 'event', event });
};

const chosen = process.argv.slice(2).filter((name): name is ServiceName => serviceNames.includes(name as ServiceName));
const signal = untilToldToEnd();
try {
  const stack = await startStack({ onEvent, signal, ...(chosen.length > 0 && { services: chosen }) });
  tell({ kind: 'up' });
  if (stack.owned) {
    // Listening for signals alone does not keep a process alive; the services do, as its children.
    if (!signal.aborted) await once(signal, 'abort');
    await stack.stop();
    log(`ended on ${String(signal.reason)}`);
  }
} catch (error) {
  const what = error instanceof Error ? error.message : String(error);
  log(what);
  tell({ kind: 'failed', what, fix: error instanceof StackProblem ? error.fix : 'See the supervisor log.' });
  process.exitCode = 1;
}
if (process.connected) process.disconnect();
