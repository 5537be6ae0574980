import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StackProblem, startStack } from '../../infra/embedded/index.ts';
import { asDiskProblem } from '../../infra/embedded/problem.ts';
import { secretOf } from '../../infra/embedded/secret.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ratchet-home-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('a home that cannot be one is named with its fix, not as a fault of ratchet', async () => {
  writeFileSync(join(folder, 'file'), '');
  for (const home of [join(folder, 'file'), join(folder, 'file', 'below')]) {
    const failure = await startStack({ env: { PATH: process.env['PATH'], RATCHET_HOME: home } }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ name: 'StackProblem', fix: expect.stringContaining('RATCHET_HOME') as string });
    expect((failure as Error).message).toContain(home);
  }
});

test.each(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES'])('%s at the start of a stack is a problem with a fix', (code) => {
  const problem = asDiskProblem(Object.assign(new Error(`${code}: write`), { code }), '/home');
  expect(problem).toBeInstanceOf(StackProblem);
  expect((problem as StackProblem).message).toMatch(new RegExp(`^The .*: /home \\(${code}\\)\\.$`));
});

test('any other error, and one that has words already, stays as it is', () => {
  for (const error of [new TypeError('x'), new StackProblem('what', 'fix')])
    expect(asDiskProblem(error, '/home')).toBe(error);
});

test('a key file that a full disk left empty is made anew', () => {
  const home = join(folder, 'cut-off');
  mkdirSync(home);
  writeFileSync(join(home, 's3.key'), '');
  const key = secretOf(home);
  expect(key).toMatch(/^[\w-]{32}$/);
  expect(secretOf(home)).toBe(key);
  expect(statSync(join(home, 's3.key')).mode & 0o777).toBe(0o600);
});

test.each(['', 'half', '0'])('a lock of a set-up that holds %j keeps nobody waiting', async (text) => {
  const lock = join(folder, 'setup.lock');
  writeFileSync(lock, text);
  const module = JSON.stringify(pathToFileURL(resolve(import.meta.dirname, '../../infra/setup/lock.mjs')).href);
  const script = `const { waitForTurn } = await import(${module});
    await waitForTurn(${JSON.stringify(lock)}, (holder) => console.log('waits for ' + holder));
    console.log('its turn');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  expect(said).toBe('its turn\n');
});
