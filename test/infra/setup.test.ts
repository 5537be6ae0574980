import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { linesOf } from '../../activities/store/lines.ts';

const root = resolve(import.meta.dirname, '../..');
const part = (name: string) => JSON.stringify(pathToFileURL(join(root, 'infra/setup', name)).href);
const folders: string[] = [];
const folder = () => {
  folders.push(mkdtempSync(join(tmpdir(), 'ratchet-setup-')));
  return folders.at(-1) ?? '';
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** Runs a module's text on this Node, as set-up itself runs before anything is installed. */
function runModule(text: string, env: NodeJS.ProcessEnv = process.env) {
  return spawnSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8', env });
}

test('a checkout that is set up is left as it is', () => {
  const result = spawnSync(process.execPath, [join(root, 'infra/setup.mjs')], { encoding: 'utf8', timeout: 60_000 });
  expect(result.stderr).toBe('');
  const steps = result.stdout.split('\n').filter((line) => line.startsWith('  '));
  expect(steps).toHaveLength(3);
  for (const step of steps) expect(step).toMatch(/ in place {2}\(\d+\.\d s\)$/);
});

test.each([
  [
    'npm error network request to https://registry failed, reason: getaddrinfo ENOTFOUND',
    /could not reach the registry.*needs the network/s,
  ],
  ['line 1\nerror: lock file is out of date', /failed:\n.*lock file is out of date.*whole log is \/tmp\/x\.log/s],
])('a failed command is explained: %s', (output, expected) => {
  const script = `const { explainFailure } = await import(${part('problem.mjs')});
    const problem = explainFailure('npm ci', 'the registry', { output: ${JSON.stringify(output)}, logFile: '/tmp/x.log' });
    console.log(problem.message + ' | ' + problem.fix);`;
  expect(runModule(script).stdout).toMatch(expected);
});

test('a step waits for those that it comes after, and is left out when one of them fails', () => {
  const script = `const { runSteps } = await import(${part('progress.mjs')});
    const failed = await runSteps([
      { name: 'first', run: async () => 'done' },
      { name: 'second', after: ['first'], run: async () => { throw new Error('broken'); } },
      { name: 'third', after: ['second'], run: async () => 'never' },
    ]);
    console.log(JSON.stringify(failed.map(({ name, error }) => [name, error.message])));`;
  const lines = runModule(script).stdout.trimEnd().split('\n');
  expect(lines).toEqual([
    expect.stringMatching(/^ {2}first +done/),
    expect.stringMatching(/^ {2}second +FAILED/),
    '[["second","broken"]]',
  ]);
});

test('a build that was stopped half-way leaves nothing that could be taken for whole', async () => {
  const cache = folder();
  const target = join(cache, 'key', 'tool');
  const script = `import { writeFileSync } from 'node:fs';
    const { partialOf } = await import(${part('command.mjs')});
    writeFileSync(partialOf(${JSON.stringify(target)}), 'half a tool');
    console.log('writing');
    setInterval(() => {}, 1_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(existsSync(target)).toBe(false);
  expect(readdirSync(join(cache, 'key'))).toHaveLength(1);
  runModule(`const { partialOf } = await import(${part('command.mjs')}); partialOf(${JSON.stringify(target)});`);
  expect(readdirSync(join(cache, 'key'))).toEqual([]);
});

test('a second set-up of a checkout waits for the first, even for one that is killed', async () => {
  const lock = join(folder(), 'state', 'setup.lock');
  const script = `const { waitForTurn } = await import(${part('lock.mjs')});
    await waitForTurn(${JSON.stringify(lock)}, (holder) => console.log('waiting for ' + holder));
    console.log('its turn');
    process.stdin.resume();
    process.stdin.once('end', () => process.exit());`;
  const begin = () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    return { child, lines: linesOf(child.stdout) };
  };
  const said = async ({ lines }: ReturnType<typeof begin>) => (await lines.next()).value as string;
  const first = begin();
  expect(await said(first)).toBe('its turn');
  const second = begin();
  expect(await said(second)).toBe(`waiting for ${first.child.pid}`);
  first.child.kill('SIGKILL');
  expect(await said(second)).toBe('its turn');
  const third = begin();
  expect(await said(third)).toBe(`waiting for ${second.child.pid}`);
  second.child.stdin.end();
  expect(await said(third)).toBe('its turn');
  third.child.stdin.end();
  await once(third.child, 'exit');
  expect(readdirSync(join(lock, '..'))).toEqual([]);
});

test('the launcher passes arguments, exit code and signals through, and says when set-up is missing', () => {
  const bare = folder();
  spawnSync('cp', ['-r', join(root, 'bin'), bare]);
  const launcher = readFileSync(join(bare, 'bin', 'ratchet.mjs'), 'utf8');
  expect(launcher).toContain('#!/usr/bin/env node');
  const missing = spawnSync(process.execPath, [join(bare, 'bin', 'ratchet.mjs'), 'up'], { encoding: 'utf8' });
  expect(missing.status).toBe(78);
  expect(missing.stderr).toContain('npm run setup');

  spawnSync('mkdir', ['-p', join(bare, 'cli'), join(bare, 'node_modules', 'node', 'bin')]);
  spawnSync('ln', ['-s', process.execPath, join(bare, 'node_modules', 'node', 'bin', 'node')]);
  const cli = `const [what] = process.argv.slice(2);
    if (what === 'die') process.kill(process.pid, 'SIGKILL');
    console.log(process.argv.slice(2).join(','));
    process.exit(7);`;
  spawnSync('tee', [join(bare, 'cli', 'main.ts')], { input: cli });
  const ran = spawnSync(process.execPath, [join(bare, 'bin', 'ratchet.mjs'), 'run', '--set', 'a=b'], {
    encoding: 'utf8',
  });
  expect([ran.status, ran.stdout]).toEqual([7, 'run,--set,a=b\n']);
  expect(spawnSync(process.execPath, [join(bare, 'bin', 'ratchet.mjs'), 'die']).status).toBe(137);
});
