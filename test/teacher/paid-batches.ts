import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSimulatedTeacher } from '../../infra/simulated-teacher/server.ts';
import { readTeacherSettings } from '../../infra/simulated-teacher/settings.ts';
import { sendJson } from './openai-server.ts';

/** The simulated teacher, but for the list of models: as far as a client can tell a paid server with a Batch API. The first download breaks off. */
export async function startPaidBatches(env: Record<string, string> = {}) {
  const teacher = createSimulatedTeacher(readTeacherSettings({ RATCHET_SIMULATED_TEACHER_GENERIC: 'true', ...env }));
  let downloads = 0;
  const server = createServer((request, response) => {
    if (request.url === '/v1/models') {
      sendJson(response, 200, {
        object: 'list',
        data: [{ id: 'gpt-4.1-nano', object: 'model', owned_by: 'somebody' }],
      });
    } else if (request.url?.endsWith('/content') && downloads++ === 0) {
      response.writeHead(200, { 'content-length': '1000' }).write('{"custom_id":', () => response.destroy());
    } else teacher.emit('request', request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) =>
      server.close(() => {
        resolve();
      }),
    );
  };
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, stop };
}
