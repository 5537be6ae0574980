import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createSimulatedTeacher } from '../infra/simulated-teacher/server.ts';
import { readTeacherSettings } from '../infra/simulated-teacher/settings.ts';

/** The simulated teacher as a process: part of the embedded stack when no teacher key is set. */
const settings = readTeacherSettings(process.env);
const server = createSimulatedTeacher(settings).listen(settings.port, settings.host);
await once(server, 'listening');

const { address, port } = server.address() as AddressInfo;
console.error(`The simulated teacher answers at http://${address}:${port}/v1`);
const readyFile = process.env['RATCHET_READY_FILE'];
if (readyFile) writeFileSync(readyFile, JSON.stringify({ pid: process.pid }));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}
