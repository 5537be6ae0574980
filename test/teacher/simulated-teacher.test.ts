import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseResponse } from '../../domain/parse-response.ts';
import type { Question } from '../../domain/records.ts';
import { startSimulatedTeacher } from './simulated-server.ts';

const questions: Question[] = [
  {
    id: 'a',
    question: 'Could a llama birth twice?',
    answer: 'yes',
    facts: [' A llama carries for 11 months.\n'],
    decomposition: ['How long?', 'Is #1 short?'],
  },
  { id: 'b', question: 'Can Ada swim?', answer: 'no', facts: [], decomposition: [] },
  { id: 'c', question: 'Can Ada swim? And dive?', answer: 'no', facts: [], decomposition: [] },
];
const metadata = { seed: '42', attempt: '0', error_rate_yes: '0', error_rate_no: '0' };

let teacher: Awaited<ReturnType<typeof startSimulatedTeacher>>;
let client: OpenAI;
beforeAll(async () => {
  teacher = await startSimulatedTeacher();
  client = new OpenAI({ apiKey: 'any', baseURL: teacher.baseUrl, maxRetries: 0 });
  await client.post('/simulated/questions', { body: { questions } });
});
afterAll(() => teacher.stop());

const ask = (content: string, more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {}) =>
  client.chat.completions.create({
    model: 'gpt-4.1-nano',
    messages: [
      { role: 'system', content: 'teach' },
      { role: 'user', content },
    ],
    metadata,
    ...more,
  });

describe('the simulated teacher', () => {
  it('says what it is: in the list of models, and in the name of every model', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id, owned_by: owner }) => `${id} ${owner}`)).toEqual([
      'simulated-teacher ratchet-simulated',
      'simulated-judge ratchet-simulated',
    ]);
    expect((await ask('Question: Can Ada swim?\nStudent draft: x')).model).toBe('simulated-gpt-4.1-nano');
    expect((await ask('Question: Can Ada swim?\nStudent draft: x', { model: 'simulated-teacher' })).model).toBe(
      'simulated-teacher',
    );
  });

  it('answers in the specified format, with the facts as steps and usage', async () => {
    const { choices, usage } = await ask(
      'Question: Could a llama birth twice?\nStudent draft: Answer: No - rare.\nQuestions: How long? Why?',
    );
    expect(choices[0]?.message.content).toBe(
      '## Teaching Analysis\nThe student answers No. The facts decide.\n\n## Step-by-Step Reasoning\n1. A llama carries for 11 months.\n2. Is #1 short? Yes.\n\n## Final Assessment\nBased on this analysis, the answer is: **YES**',
    );
    expect(parseResponse(choices[0]?.message.content ?? '')).toEqual({ answer: 'yes', strict: true, complete: true });
    expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0));
    expect(choices[0]?.finish_reason).toBe('stop');
  });

  it('takes the question itself where there is no decomposition, and says so when a draft has no answer', async () => {
    const text = (await ask('Question: Can Ada swim?\nStudent draft: perhaps')).choices[0]?.message.content;
    expect(text).toContain('The student gives no clear answer. The facts decide.');
    expect(text).toContain('1. Can Ada swim? No.');
  });

  it('finds the question in any template, the longest that fits', async () => {
    const text = (await ask('Please judge: "Can Ada swim? And dive?" Thank you.')).choices[0]?.message.content;
    expect(text).toContain('1. Can Ada swim? And dive? No.');
  });

  it('errs by the hash of seed, question and attempt, at the rate of the class', async () => {
    const u = (attempt: number) =>
      Number.parseInt(createHash('sha256').update(`42:Can Ada swim?:${attempt}`).digest('hex').slice(0, 8), 16) /
      2 ** 32;
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const { choices } = await ask('Question: Can Ada swim?\nStudent draft: x', {
        metadata: { ...metadata, attempt: String(attempt), error_rate_no: '0.5' },
      });
      expect(parseResponse(choices[0]?.message.content ?? '').answer).toBe(u(attempt) < 0.5 ? 'yes' : 'no');
    }
  });

  it('stops at the token limit and says so', async () => {
    const { choices, usage } = await ask('Question: Can Ada swim?\nStudent draft: x', { max_tokens: 10 });
    expect(choices[0]?.finish_reason).toBe('length');
    expect(choices[0]?.message.content).toHaveLength(40);
    expect(usage?.completion_tokens).toBe(10);
  });

  it('does not make up what it was not told', async () => {
    await expect(ask('Question: Is the moon a cheese?\nStudent draft: x')).rejects.toThrow(
      '503 The simulated teacher has no facts about this question',
    );
  });

  it('refuses other keys where it has one', async () => {
    const guarded = await startSimulatedTeacher({ RATCHET_SIMULATED_TEACHER_KEY: 'right' });
    const list = (apiKey: string) => new OpenAI({ apiKey, baseURL: guarded.baseUrl, maxRetries: 0 }).models.list();
    await expect(list('wrong')).rejects.toThrow(OpenAI.AuthenticationError);
    await expect(list('right')).resolves.toBeDefined();
    await guarded.stop();
  });

  it('misbehaves on demand, and the client retries by itself', async () => {
    const faulty = await startSimulatedTeacher({ RATCHET_SIMULATED_TEACHER_FAULTS: '429:0.2,500:0.2,drop:0.2' });
    const patient = new OpenAI({ apiKey: 'any', baseURL: faulty.baseUrl, maxRetries: 12 });
    await patient.post('/simulated/questions', { body: { questions } });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const messages = [{ role: 'user', content: 'Question: Can Ada swim?' } as const];
      await patient.chat.completions.create({
        model: 'm',
        messages,
        metadata: { ...metadata, attempt: String(attempt) },
      });
    }
    const stats = await faulty.stats();
    expect(stats.answered).toBe(5);
    expect(stats.requests).toBeGreaterThan(5);
    expect(stats.paidTwice).toBe(0);
    await faulty.stop();
  });

  it('names a fault that it does not know', async () => {
    await expect(startSimulatedTeacher({ RATCHET_SIMULATED_TEACHER_FAULTS: 'flood:0.5' })).rejects.toThrow(
      '"flood:0.5" is no fault. Fix: write KIND:SHARE',
    );
  });
});

it('runs as a process of the stack: ready file, port by environment, ends on SIGTERM', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-teacher-'));
  const readyFile = join(folder, 'ready');
  const script = resolve(import.meta.dirname, '../../workers/simulated-teacher.ts');
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, RATCHET_TEACHER_PORT: '0', RATCHET_READY_FILE: readyFile },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await expect.poll(() => existsSync(readyFile)).toBe(true);
  expect(JSON.parse(readFileSync(readyFile, 'utf8'))).toEqual({ pid: child.pid });
  const url = /http:\S+/.exec(said)?.[0] ?? '';
  expect((await fetch(`${url}/models`)).status).toBe(200);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  rmSync(folder, { recursive: true });
});
