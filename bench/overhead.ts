import { globSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { readEnvironment } from '../config/environment.ts';
import { startStack } from '../infra/embedded/index.ts';
import { ownStack } from '../test/setup/own-stack.ts';
import { copyJob, startBareTrainer } from './trainer-jobs.ts';

export const about =
  'whole run (Temporal, S3, workers, teacher, gates, report) against a bare loop over the same trainer jobs';

/** Prints the ratio run : loop. Both find a warm trainer; the start of the stack counts for neither. */
export async function measure(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { recipe: { type: 'string', default: 'demo' } } });
  const home = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
  try {
    const { seconds, env } = await wholeRun(values.recipe, home);
    const jobs = globSync(`${home}/work/**/job.json`).sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
    const loop = await bareLoop(jobs, env);
    console.log(
      `${values.recipe}: run ${seconds.toFixed(1)} s, bare loop over its ${jobs.length} jobs ${loop.toFixed(1)} s`,
    );
    console.log((seconds / loop).toFixed(3));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function wholeRun(recipe: string, home: string): Promise<{ seconds: number; env: Record<string, string> }> {
  const { env } = await ownStack({ RATCHET_HOME: home, RATCHET_KEEP_WORK: 'true' });
  const stack = await startStack({ env });
  const connection = await Connection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' });
  const run = (name: string, workflowId: string, overrides: object) =>
    new Client({ connection }).workflow.execute('selfImprovement', {
      taskQueue: 'ratchet',
      workflowId,
      args: [{ recipe: name, overrides: { 'gates.policy': 'recommended', ...overrides } }],
    });
  try {
    await run('test/integration/quick.yaml', 'warm-up', {});
    rmSync(join(home, 'work'), { recursive: true });
    const startedAt = performance.now();
    await run(recipe, 'measured', {});
    return { seconds: (performance.now() - startedAt) / 1000, env };
  } finally {
    await connection.close();
    await stack.stop();
  }
}

async function bareLoop(jobs: string[], env: Record<string, string>): Promise<number> {
  const first = jobs[0];
  if (first === undefined) throw new Error('the run left no job.json in its work folder');
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-loop-'));
  const base = readEnvironment(env).tinyBase;
  const trainer = await startBareTrainer(env['RATCHET_PYTHON'] ?? 'python3', base);
  try {
    const copies = await Promise.all(
      jobs.map((job, index) => {
        const place = join(folder, String(index));
        mkdirSync(place);
        return copyJob(job, place);
      }),
    );
    const warmUp = join(folder, 'warm-up');
    mkdirSync(warmUp);
    await trainer.run(await copyJob(first, warmUp));
    const startedAt = performance.now();
    for (const copy of copies) await trainer.run(copy);
    return (performance.now() - startedAt) / 1000;
  } finally {
    await trainer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
