import { expect, test } from 'vitest';
import { ratchet } from './fake-context.ts';

const stack = {
  isUp: () => false,
  upDetached: () => Promise.resolve(),
  upAttached: () => Promise.resolve(),
  down: () => Promise.resolve([]),
  doctor: () => Promise.resolve([]),
  services: () => [],
  uiAddress: () => 'http://127.0.0.1:8233',
};

test.each([
  [
    true,
    "The stack is up. Temporal's own view: http://127.0.0.1:8233   End it: ratchet down\n",
    'http://127.0.0.1:8233',
  ],
  [false, 'The stack is up.   End it: ratchet down\n', null],
])('the web UI is named only where it is ours: embedded %s', async (embedded, words, ui) => {
  const context = { stack: { ...stack, embedded: () => embedded } };
  expect((await ratchet(['up', '--detach'], { context })).out).toBe(words);
  expect(JSON.parse((await ratchet(['up', '--detach', '--json'], { context })).out)).toMatchObject({ up: true, ui });
});
