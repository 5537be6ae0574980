import { afterEach } from 'vitest';
import { startOpenAiServer } from './openai-server.ts';
import { startSimulatedTeacher } from './simulated-server.ts';

const servers: { stop: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

/** A simulated teacher that ends with the test. */
export const simulated = async (env: Record<string, string> = {}) => {
  const server = await startSimulatedTeacher(env);
  servers.push(server);
  return server;
};

/** A server that bills like a paid one, ended with the test. */
export const paid = async (options: Parameters<typeof startOpenAiServer>[0] = {}) => {
  const server = await startOpenAiServer(options);
  servers.push(server);
  return server;
};

export const exact = { simulated: { errorRateYes: 0, errorRateNo: 0 } };
export const nano = { model: 'gpt-4.1-nano', maxTokens: 100, maxRetries: 0 };
/** 100 tokens in, 50 out. */
export const callUsd = (100 * 0.1 + 50 * 0.4) / 1e6;
