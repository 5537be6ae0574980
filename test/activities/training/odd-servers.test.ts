import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { failureOfJob } from '../../../activities/training/job-failure.ts';
import { runJob } from '../../../activities/training/run-job.ts';
import type { JobOutcome } from '../../../activities/training/run-job.ts';

const folder = mkdtempSync(join(tmpdir(), 'ratchet-odd-'));
const servers: Server[] = [];
const sockets = new Set<Socket>();
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

const line = (event: object): string => `${JSON.stringify({ time: 1, job: 'j', ...event })}\n`;
const step = {
  event: 'step',
  step: 1,
  totalSteps: 9,
  epoch: 1,
  loss: 1,
  learningRate: 1,
  gradNorm: 1,
  tokens: 1,
  tokensPerSecond: 1,
};
const exit = line({ event: 'exit', code: 0 });

/** Writes for ever, as fast as it is read. */
function endless(socket: Socket, text: string): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(text));
  };
  socket.on('drain', write);
  write();
}

type Case = {
  name: string;
  /** What the server does with a connection. */
  behave: (socket: Socket) => void;
  ends: Partial<JobOutcome>;
  /** Default: half a second. */
  stallMs?: number;
  /** Of the failure that it becomes; null = the job succeeded. */
  type: string | null;
};

const cases: Case[] = [
  { name: 'says nothing', behave: () => undefined, ends: { code: null, endedBy: 'stalled' }, type: 'TrainerStalled' },
  {
    name: 'says half a line',
    behave: (socket) => socket.write('{"event":"step","ti'),
    ends: { code: null, endedBy: 'stalled' },
    type: 'TrainerStalled',
  },
  {
    name: 'says for ever that it lives, and nothing else',
    behave: (socket) => {
      const timer = setInterval(() => socket.write(line({ event: 'alive' })), 20);
      socket.on('close', () => {
        clearInterval(timer);
      });
    },
    ends: { code: null, endedBy: 'stalled' },
    type: 'TrainerStalled',
  },
  {
    name: 'makes a step, and then says nothing',
    behave: (socket) => socket.write(line(step)),
    ends: { code: null, endedBy: 'stalled', advanced: true },
    type: 'TrainerStalled',
  },
  {
    name: 'says that its device is gone, and cannot end',
    behave: (socket) => socket.write(line({ event: 'error', code: 'x', message: 'CUDA error: GPU is lost', fix: '' })),
    ends: { code: null, endedBy: 'stalled' },
    type: 'GpuLost',
  },
  {
    name: 'closes at once',
    behave: (socket) => socket.end(),
    ends: { code: null, endedBy: null },
    type: 'TrainerFailed',
  },
  {
    name: 'closes after a step without an end',
    behave: (socket) => socket.end(line(step)),
    ends: { code: null, endedBy: null, advanced: true },
    type: 'GpuLost',
  },
  {
    name: 'closes in the middle of a line',
    behave: (socket) => socket.end('{"event":"exit","co'),
    ends: { code: null, endedBy: null },
    type: 'TrainerFailed',
  },
  {
    name: 'breaks the connection',
    behave: (socket) => socket.destroy(),
    ends: { code: null, endedBy: null },
    type: 'TrainerFailed',
  },
  {
    name: 'writes lines of rubbish for ever',
    behave: (socket) => {
      endless(socket, '\u0000\u2028{"event":"nothing"}\n[1]\nnull\n"exit"\n');
    },
    ends: { code: null, endedBy: 'stalled' },
    type: 'TrainerStalled',
  },
  {
    name: 'writes rubbish for ever without a newline',
    behave: (socket) => {
      endless(socket, 'x'.repeat(65_536));
    },
    stallMs: 60_000,
    ends: { code: null, endedBy: null, nonsense: expect.stringContaining('longer than') as string },
    type: 'TrainerFailed',
  },
  {
    name: 'has a character in its events that other readers take for a line end',
    behave: (socket) => {
      socket.write(line({ event: 'warning', code: 'x', message: 'one\u2028two\u2029three\u0085four' }));
      socket.write(exit);
    },
    ends: { code: 0, endedBy: null },
    type: null,
  },
  {
    name: 'sends its events byte by byte, with CRLF',
    behave: (socket) => {
      socket.setNoDelay(true);
      for (const byte of Buffer.from(`${line({ event: 'alive', word: 'ü😀' })}\r\n${exit.replace('\n', '\r\n')}`))
        socket.write(Buffer.of(byte));
    },
    ends: { code: 0, endedBy: null },
    type: null,
  },
];

describe.concurrent('a job on a server that', () => {
  test.each(cases)('$name', async ({ name, behave, ends, type, stallMs = 500 }) => {
    const path = join(folder, `${cases.findIndex((one) => one.name === name)}.sock`);
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      behave(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const said: string[] = [];
    const outcome = await runJob(path, '/no/job.json', {
      onEvent: (event) => {
        if (event.event === 'warning') said.push(event.message);
      },
      ...{ stop: new AbortController().signal, kill: new AbortController().signal, graceMs: 200, stallMs },
    });
    expect(outcome).toMatchObject(ends);
    if (type === null) expect(outcome.code).toBe(0);
    else expect(failureOfJob(outcome, []).type).toBe(type);
    if (name.includes('character')) expect(said).toEqual(['one\u2028two\u2029three\u0085four']);
  });

  test.each(['stop', 'kill'] as const)('says nothing and is told to end (%s)', async (how) => {
    const path = join(folder, `${how}.sock`);
    const heard: string[] = [];
    const control = new AbortController();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.setEncoding('utf8').on('data', (text: string) => {
        heard.push(...text.trim().split('\n'));
        control.abort();
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const never = new AbortController().signal;
    const outcome = await runJob(path, '/no/job.json', {
      ...{ onEvent: () => undefined, graceMs: 200, stallMs: 3_600_000 },
      stop: how === 'stop' ? control.signal : never,
      kill: how === 'kill' ? control.signal : never,
    });
    expect(outcome).toMatchObject({ code: null, endedBy: how === 'stop' ? 'asked' : 'killed' });
    expect(heard.at(-1)).toBe('{"signal":"KILL"}');
  });

  test('is not there', async () => {
    const never = new AbortController().signal;
    const options = { onEvent: () => undefined, stop: never, kill: never, graceMs: 200, stallMs: 500 };
    await expect(runJob(join(folder, 'none.sock'), '/no/job.json', options)).rejects.toMatchObject({
      type: 'TrainerFailed',
    });
  });
});
