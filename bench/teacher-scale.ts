import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startTeacherStack } from '../test/setup/teacher-stack.ts';
import type { TeacherStack } from '../test/setup/teacher-stack.ts';
import { someQuestions } from '../test/teacher/stage.ts';
import { startDouble } from './teacher/double.ts';

export const about = 'memory of the api worker, history and time of a teacher stage of many items; --items N, --live';

/** Prints what was found; the last line is the most megabytes that the api worker held. */
export async function measure(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { items: { type: 'string', default: '100000' }, live: { type: 'boolean', default: false } },
  });
  const items = Number(values.items);
  const mode = values.live ? 'live' : 'batch';
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
  const double = await startDouble(folder, {});
  const stack = await startTeacherStack({ baseUrl: double.baseUrl, apiKey: 'bench' });
  const memory = watchMemory(stack);
  try {
    const teacher = { mode, model: 'simulated-teacher', concurrency: 64, batch: { pollMinutes: 0.05 } };
    const input = await stack.prepare('scale', someQuestions(items), { teacher });
    const idleMb = memory.peakMb();
    const { asked, seconds } = await stack.run(input);
    const events = (await stack.client.workflow.getHandle('scale').fetchHistory()).events ?? [];
    const kilobytes = Math.ceil(JSON.stringify(events).length / 1000);
    console.log(
      `${items} items, ${mode}: ${asked.calls} answered, ${seconds.toFixed(0)} s; api worker idle ${idleMb} MB`,
    );
    console.log(`history: ${events.length} events, ${kilobytes} kB; paid twice: ${(await double.stats()).paidTwice}`);
    console.log(String(memory.peakMb()));
  } finally {
    memory.end();
    await stack.stop();
    await double.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The most that the api worker has held so far, by the kernel's own mark. */
function watchMemory(stack: TeacherStack) {
  let peakMb = 0;
  const look = (): void => {
    const status = readFileSync(`/proc/${stack.workerPid()}/status`, 'utf8');
    peakMb = Math.max(peakMb, Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1000));
  };
  const timer = setInterval(look, 500);
  return {
    peakMb: (): number => {
      look();
      return peakMb;
    },
    end: () => {
      clearInterval(timer);
    },
  };
}
