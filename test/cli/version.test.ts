import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { baseWords } from '../../cli/lineage-text.ts';
import { ratchet } from './fake-context.ts';

const root = new URL('../..', import.meta.url);

test.each(['--version', '-V'])('ratchet %s says which one it is', async (flag) => {
  const { code, out, err } = await ratchet([flag]);
  expect([code, err]).toEqual([0, '']);
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
  expect(out).toMatch(
    new RegExp(`^ratchet ${version}(, commit [0-9a-f]{7,}(-dirty)?)?, Node ${process.versions.node}\n$`),
  );
  if (existsSync(new URL('.git', root))) {
    expect(out).toContain(
      execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
    );
  }
});

test.each([
  [{ base: 'builtin:tiny', use4bit: true, dtype: 'float32' }, 'builtin:tiny, 4-bit NF4, float32'],
  [
    { base: 'microsoft/Phi-3.5-mini-instruct', revision: 'abc', use4bit: false, dtype: 'auto' },
    'microsoft/Phi-3.5-mini-instruct at abc, not quantised, bfloat16 where the hardware has it',
  ],
  [{ base: 'b', later: { a: 1 } }, 'b, later {"a":1}'],
  ['b', 'b'],
])('the base of a lineage is words: %o', (base, words) => {
  expect(baseWords(base)).toBe(words);
});
