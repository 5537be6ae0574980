import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { exitCodes } from '../../cli/exit-codes.ts';
import { ratchet } from './fake-context.ts';

const docs = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');

it('docs/cli.md holds the table of exit codes', () => {
  const documented = [...docs.matchAll(/^\| (\d+) +\| `(\w+)` +\|/gmu)].map(([, code, name]) => [name, Number(code)]);
  expect(Object.fromEntries(documented)).toEqual(exitCodes);
});

it('docs/cli.md names every command, and each has help with an example', async () => {
  const { out } = await ratchet(['--help']);
  const commands = [...out.matchAll(/^ {2}([a-z]+) \[?/gmu)]
    .map(([, name]) => name as string)
    .filter((name) => !['help', 'ratchet'].includes(name));
  expect(commands).toHaveLength(16);
  for (const command of commands) {
    expect(docs).toContain(`ratchet ${command}`);
    const help = await ratchet([command, '--help']);
    expect(help.code).toBe(0);
    if (!['down', 'doctor'].includes(command)) expect(help.out).toMatch(/Examples?:/);
  }
});
