import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Asked } from '../../activities/contract.ts';
import { createProgrammes } from '../../cli/temporal/programmes.ts';
import type { Programmes } from '../../cli/temporal/programmes.ts';
import { startTeacherStack } from '../setup/teacher-stack.ts';
import type { TeacherStack } from '../setup/teacher-stack.ts';
import { sendJson } from '../teacher/openai-server.ts';
import { someQuestions } from '../teacher/stage.ts';
import { callUsd, nano, paid } from '../teacher/teachers.ts';

let stack: TeacherStack;
let programmes: Programmes;
beforeAll(async () => {
  stack = await startTeacherStack({ baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'a-key' });
  programmes = createProgrammes(stack.client, () => Promise.resolve());
});
afterAll(() => stack.stop());

describe('ratchet resume', () => {
  it.each(['oneAsk', 'askInChild'])(
    'goes on with a run that failed in %s, and pays for the rest only',
    async (type) => {
      let quota = 30;
      const server = await paid({
        behave: (_, response) => {
          if (quota === 0)
            return sendJson(response, 429, {
              error: { message: 'You exceeded your quota', code: 'insufficient_quota' },
            });
          quota -= 1;
          return false;
        },
      });
      const teacher = { ...nano, maxTokens: type.length + 200, concurrency: 4, baseUrl: server.baseUrl };
      const input = await stack.prepare(type, someQuestions(50), { teacher });
      const options = { taskQueue: 'test', workflowId: type, args: [input] };
      const failed = await stack.client.workflow.start(type, options);
      await expect(failed.result()).rejects.toMatchObject({ name: 'WorkflowFailedError' });
      expect(server.seen.paid).toBe(30);
      quota = 1000;
      await programmes.resume(type);
      const asked = (await stack.client.workflow.getHandle(type).result()) as Asked;
      expect(asked).toMatchObject({ calls: 50, reused: 0 });
      expect(asked.costUsd).toBeCloseTo(50 * callUsd, 10);
      expect(server.seen.paid).toBe(50);
      await expect(programmes.resume(type)).rejects.toMatchObject({
        exitCode: 2,
        message: `Run ${type} has not failed: Temporal says completed.`,
      });
    },
  );

  it('knows no run of another name', async () => {
    await expect(programmes.resume('none')).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('no run none') as string,
    });
  });
});
