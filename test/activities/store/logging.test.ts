import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLog, temporalLogger } from '../../../activities/logging.ts';

const written = async (isTTY: boolean, write: (log: ReturnType<typeof createLog>) => void): Promise<string> => {
  const stream = Object.assign(new PassThrough(), { isTTY });
  write(createLog({ service: 'gpu', stream }));
  await turn();
  const text = stream.read() as Buffer | null;
  return text?.toString() ?? '';
};
const child = { run: 'r1', phase: 'B', attempt: 2 };

test('off a terminal: one JSON line with service, run, phase and attempt', async () => {
  const text = await written(false, (log) => log.child(child).warn('checkpoint is damaged', { step: 10 }));
  expect(JSON.parse(text)).toMatchObject({
    level: 'warn',
    message: 'checkpoint is damaged',
    service: 'gpu',
    ...child,
    step: 10,
  });
  expect(text.endsWith('}\n')).toBe(true);
});

test('on a terminal: one readable line', async () => {
  const text = await written(true, (log) => log.child(child).warn('checkpoint is damaged', { step: 10 }));
  expect(text).toMatch(/^\d\d:\d\d:\d\d WARN gpu r1 B#2 checkpoint is damaged step=10\n$/);
});

test('less important than the level is left out', async () => {
  expect(await written(false, (log) => void log.debug('detail'))).toBe('');
});

test('lines of the Temporal SDK: its ids become run, its noise goes', async () => {
  const meta = {
    workflowId: 'r1',
    taskToken: 'x',
    sdkComponent: 'worker',
    activityType: 'trainSft',
    error: new Error('lost'),
  };
  const text = await written(false, (log) => {
    temporalLogger(log).warn('Activity failed', meta);
  });
  const line = JSON.parse(text) as Record<string, unknown>;
  expect(line).toMatchObject({ message: 'Activity failed', run: 'r1', activityType: 'trainSft' });
  expect(line['error']).toMatch(/^Error: lost\n/);
  expect(Object.keys(line)).not.toContain('taskToken');
});
