import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TeacherStats } from '../../infra/simulated-teacher/counters.ts';
import { freePorts } from '../../test/setup/free-ports.ts';

/** The simulated teacher in a process of its own. */
export type Double = { baseUrl: string; stats(): Promise<TeacherStats>; stop(): Promise<void> };

/** @param settings `RATCHET_SIMULATED_TEACHER_*` without that beginning */
export async function startDouble(folder: string, settings: Record<string, string>): Promise<Double> {
  const [port] = await freePorts(1);
  const ready = join(folder, `double-${port}`);
  const prefixed = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`RATCHET_SIMULATED_TEACHER_${name}`, value]),
  );
  const script = join(import.meta.dirname, '../../workers/simulated-teacher.ts');
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, ...prefixed, RATCHET_TEACHER_PORT: String(port), RATCHET_READY_FILE: ready },
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      resolve();
    }),
  );
  while (!existsSync(ready)) {
    if (child.exitCode !== null) throw new Error('the simulated teacher did not start');
    await delay(20);
  }
  const baseUrl = `http://127.0.0.1:${port}/v1`;
  return {
    baseUrl,
    stats: async () => (await (await fetch(`${baseUrl}/simulated/stats`)).json()) as TeacherStats,
    stop: () => {
      child.kill();
      return ended;
    },
  };
}
