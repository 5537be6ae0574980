import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Question } from '../domain/records.ts';
import { startTeacherStack } from '../test/setup/teacher-stack.ts';
import type { TeacherStack } from '../test/setup/teacher-stack.ts';
import { startDouble } from './teacher/double.ts';
import type { Double } from './teacher/double.ts';
import { peerNames, runPeer } from './teacher/peers.ts';

export const about =
  'share of the ideal at which an api worker collects teacher responses; --rpm N, --faults, --kill, --no-peers';

const latencyMs = 300;
const weather = { LATENCY_MS: String(latencyMs), LATENCY_SPREAD: '0.3', GENERIC: 'true' };

/** What there is to measure on: a teacher, the stack before it, prompts, and how many are asked at once. */
type Bench = { double: Double; stack: TeacherStack; prompts: string[]; concurrency: number; folder: string };

/** Prints what was found; the last line is the figure of the mode. */
export async function measure(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      prompts: { type: 'string', default: '2000' },
      concurrency: { type: 'string', default: '64' },
      rpm: { type: 'string' },
      faults: { type: 'boolean', default: false },
      kill: { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
    },
  });
  const prompts = somePrompts(Number(values.prompts));
  const concurrency = Number(values.concurrency);
  const { rpm } = values;
  const settings = {
    ...weather,
    ...(rpm !== undefined && { RPM: rpm }),
    ...(values.faults && { FAULTS: '500:0.05,drop:0.02,slow:0.01,malformed:0.01', SLOW_MS: '2000' }),
  };
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-bench-'));
  const double = await startDouble(folder, settings);
  const stack = await startTeacherStack({ baseUrl: double.baseUrl, apiKey: 'bench' });
  try {
    const bench = { double, stack, prompts, concurrency, folder };
    await warmUp(bench);
    if (values.kill) await killed(bench);
    else if (values.faults) await underFaults(bench);
    else if (rpm !== undefined) await atTheLimit(bench, Number(rpm));
    else await throughput(bench, !values['no-peers']);
  } finally {
    await stack.stop();
    await double.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of about 160 tokens each, all different. */
const somePrompts = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const words = Array.from({ length: 90 }, (_, word) => `w${(index * 7919 + word * 104_729) % 99_991}`);
    return `Is prompt ${index} so? ${words.join(' ')}`;
  });

const asQuestion = (prompt: string, index: number): Question => ({
  id: `q${String(index).padStart(6, '0')}`,
  question: prompt,
  answer: 'yes',
  facts: [],
  decomposition: [],
});

const idealSeconds = ({ prompts, concurrency }: Bench): number => ((prompts.length / concurrency) * latencyMs) / 1000;

/**
 * Connections, code and caches of the worker: one stage of other prompts, not counted. Until some thousand calls its code is
 * still being compiled. Its answers go: the caches of the others are empty too.
 */
async function warmUp({ stack, prompts, concurrency }: Bench): Promise<void> {
  const others = prompts.map((prompt) => `warm-up ${prompt}`);
  await stack.run(await stack.prepare('warm-up', others.map(asQuestion), { teacher: { price: 'free', concurrency } }));
  await stack.forgetAnswers();
}

/** A stage over all prompts, and what the server counted meanwhile. */
async function stage({ stack, double, prompts, concurrency }: Bench, run: string) {
  const input = await stack.prepare(run, prompts.map(asQuestion), { teacher: { price: 'free', concurrency } });
  const before = await double.stats();
  const { asked, seconds } = await stack.run(input);
  const after = await double.stats();
  const counted = (name: 'requests' | 'answered' | 'paidTwice' | 'limited'): number => after[name] - before[name];
  const faults = Object.fromEntries(
    Object.entries(after.faults).map(([kind, count]) => [kind, count - (before.faults[kind] ?? 0)]),
  );
  return { asked, seconds, counted, faults };
}

async function throughput(bench: Bench, withPeers: boolean): Promise<void> {
  const ideal = idealSeconds(bench);
  const { prompts, concurrency, folder } = bench;
  console.log(`${prompts.length} prompts, ${latencyMs} ms ± 30 %, ${concurrency} at once: ideal ${ideal.toFixed(2)} s`);
  const { seconds, asked } = await stage(bench, 'measured');
  console.log(
    `ratchet     ${line(seconds, ideal)}, ${asked.report.n} rows, from the start of the workflow to its result`,
  );
  for (const name of withPeers ? peerNames : []) {
    const teacher = await startDouble(folder, weather);
    try {
      const run = await runPeer(name, folder, { baseUrl: teacher.baseUrl, prompts, concurrency });
      console.log(`${name.padEnd(11)} ${line(run.seconds, ideal)}, ${run.rows} rows, without its start`);
    } catch (error) {
      console.log(`${name.padEnd(11)} ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      await teacher.stop();
    }
  }
  console.log((ideal / seconds).toFixed(3));
}

const line = (seconds: number, ideal: number): string =>
  `${seconds.toFixed(2)} s = ${(seconds / ideal).toFixed(2)} × the ideal`;

/** The bucket of the server holds a second's worth: so many need not wait for it. */
async function atTheLimit(bench: Bench, rpm: number): Promise<void> {
  const perSecond = rpm / 60;
  const ideal = Math.max(idealSeconds(bench), (bench.prompts.length - perSecond) / perSecond + latencyMs / 1000);
  // The ideal begins with a full bucket; the warm-up has just emptied it.
  await delay(1000);
  const { seconds, counted, asked } = await stage(bench, 'limited');
  const wasted = counted('limited');
  console.log(`${bench.prompts.length} prompts at ${rpm} a minute: ideal ${ideal.toFixed(2)} s`);
  console.log(`ratchet     ${line(seconds, ideal)}, ${asked.report.n} rows`);
  console.log(`refused with 429: ${wasted} of ${counted('requests')} requests (${share(wasted, counted('requests'))})`);
  console.log((ideal / seconds).toFixed(3));
}

async function underFaults(bench: Bench): Promise<void> {
  const { seconds, counted, asked, faults } = await stage(bench, 'faults');
  const rows = await bench.stack.rows(asked);
  const failed = rows.filter((row) => row.class === 'failed');
  const unnamed = failed.filter((row) => !row.error || !row.problem);
  console.log(`5 % of 500s, 2 % dropped, 1 % slow, 1 % malformed: ${line(seconds, idealSeconds(bench))}`);
  console.log(
    `${counted('requests')} requests for ${rows.length} rows: ${failed.length} failed, ${unnamed.length} unnamed`,
  );
  console.log(`faults met: ${JSON.stringify(faults)}; paid twice: ${counted('paidTwice')}`);
  console.log(((rows.length - unnamed.length) / bench.prompts.length).toFixed(3));
}

async function killed(bench: Bench): Promise<void> {
  const { double, stack, prompts, concurrency } = bench;
  const answeredBefore = (await double.stats()).answered;
  const working = stage(bench, 'killed');
  let seen = await double.stats();
  while (seen.answered - answeredBefore < prompts.length / 2) {
    await delay(5);
    seen = await double.stats();
  }
  process.kill(stack.workerPid(), 'SIGKILL');
  const { asked, counted, seconds } = await working;
  console.log(
    `killed at ${seen.answered - answeredBefore} answers, ${seen.inFlight} in flight; ${line(seconds, idealSeconds(bench))}`,
  );
  console.log(
    `${asked.report.n} rows; paid ${counted('answered')}, twice ${counted('paidTwice')} (concurrency ${concurrency})`,
  );
  console.log(String(counted('paidTwice')));
}

const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)} %`;
