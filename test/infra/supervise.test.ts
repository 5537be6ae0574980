import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startTimeOf } from '../../infra/embedded/processes.ts';
import { liveRecord } from '../../infra/embedded/records.ts';
import type { Service } from '../../infra/embedded/services.ts';
import { supervise } from '../../infra/embedded/supervise.ts';
import type { StackEvent, Supervision } from '../../infra/embedded/supervise.ts';

let home = '';
let supervision: Supervision | undefined;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ratchet-supervise-'));
});
afterEach(async () => {
  await supervision?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** A service that is a line of JavaScript; ready once it has written the file `ready`. */
function scripted(name: Service['name'], script: string, changes: Partial<Service> = {}): Service {
  return {
    name,
    after: [],
    argv: [process.execPath, '-e', script],
    env: { RATCHET_HOME: home, RATCHET_SERVICE: name },
    ports: [],
    probe: () => {
      if (!existsSync(join(home, `${name}.is-ready`))) throw new Error('not yet');
    },
    readyWithinMs: 20_000,
    graceMs: 5_000,
    ...changes,
  };
}
const ready = (name: string) => `fs.writeFileSync('${name}.is-ready', '');`;
const stay = 'setInterval(() => {}, 1_000);';

function collect(services: Service[]) {
  const events: StackEvent[] = [];
  supervision = supervise(home, services, (event) => events.push(event));
  const kinds = () => events.map((event) => `${event.service} ${event.kind}`);
  return { supervision, events, kinds };
}

test('a service starts when its needs are ready and ends before them', async () => {
  const { supervision, kinds } = collect([
    scripted('temporal', `setTimeout(() => { ${ready('temporal')} }, 200); ${stay}`),
    scripted('orchestrator', `${ready('orchestrator')} ${stay}`, { after: ['temporal'] }),
  ]);
  await supervision.ready;
  await supervision.stop();
  expect(kinds()).toEqual([
    ...['temporal starting', 'temporal ready', 'orchestrator starting', 'orchestrator ready'],
    ...['orchestrator stopped', 'temporal stopped'],
  ]);
});

test.runIf(process.platform === 'linux')(
  'what a killed worker leaves behind is killed too, even in a session of its own',
  async () => {
    const trainer = `const child = require('child_process').spawn(process.execPath, ['-e', '${stay}'], { detached: true, stdio: 'ignore' });
    fs.writeFileSync('trainer-' + process.pid, String(child.pid));`;
    const { supervision, kinds } = collect([scripted('gpu', `${trainer} ${ready('gpu')} ${stay}`)]);
    await supervision.ready;
    const worker = liveRecord(home, 'gpu')?.pid ?? 0;
    const orphan = Number(readFileSync(join(home, `trainer-${worker}`), 'utf8'));
    expect(startTimeOf(orphan)).toBeDefined();
    process.kill(worker, 'SIGKILL');
    await vi.waitFor(
      () => {
        expect(kinds()).toEqual(['gpu starting', 'gpu ready', 'gpu died', 'gpu starting', 'gpu ready']);
      },
      { timeout: 10_000 },
    );
    expect(startTimeOf(orphan)).toBeUndefined();
    expect(liveRecord(home, 'gpu')).toMatchObject({ restarts: 1, state: 'ready' });
  },
);

test('a service that does not heed SIGTERM is killed when its grace is over', async () => {
  const { supervision, events } = collect([
    scripted('api', `process.on('SIGTERM', () => {}); ${ready('api')} ${stay}`, { graceMs: 200 }),
  ]);
  await supervision.ready;
  const { pid } = liveRecord(home, 'api') ?? { pid: 0 };
  await supervision.stop();
  expect(events.at(-1)).toMatchObject({ kind: 'stopped', text: 'killed: it did not end in time' });
  expect(startTimeOf(pid)).toBeUndefined();
});

test('a start that fails tells why, and its dependants are not started', async () => {
  const { supervision, kinds } = collect([
    scripted('temporal', `console.error('no disk left'); process.exit(4)`),
    scripted('api', `${ready('api')} ${stay}`, { after: ['temporal'] }),
  ]);
  await expect(supervision.ready).rejects.toThrow('temporal ended with exit code 4.\n    no disk left');
  await supervision.stop();
  expect(kinds()).not.toContain('api starting');
});

test('a service that is not ready in time is ended and says what was missing', async () => {
  const { supervision } = collect([scripted('api', stay, { readyWithinMs: 300 })]);
  await expect(supervision.ready).rejects.toThrow('api is not ready after 0.3 s (not yet)');
  expect(liveRecord(home, 'api')).toBeUndefined();
});

test('stopping in the middle of a start or of a pause ends everything', async () => {
  const { supervision, kinds } = collect([
    scripted('gpu', stay),
    scripted('api', `${ready('api')} setTimeout(() => process.exit(1), 50);`),
  ]);
  const outcome = supervision.ready.catch(() => undefined);
  await vi.waitFor(() => {
    expect(kinds()).toContain('api died');
  });
  await supervision.stop();
  await outcome;
  expect(liveRecord(home, 'gpu')).toBeUndefined();
  expect(liveRecord(home, 'api')).toBeUndefined();
});
