import type { AddressInfo } from 'node:net';
import { createSimulatedTeacher } from '../../infra/simulated-teacher/server.ts';
import type { TeacherStats } from '../../infra/simulated-teacher/counters.ts';
import { readTeacherSettings } from '../../infra/simulated-teacher/settings.ts';

/** The simulated teacher on a free port. @param env `RATCHET_SIMULATED_TEACHER_*` */
export async function startSimulatedTeacher(env: Record<string, string> = {}) {
  const server = createSimulatedTeacher(readTeacherSettings(env));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return {
    baseUrl,
    stats: async (): Promise<TeacherStats> => {
      const headers = { authorization: `Bearer ${env['RATCHET_SIMULATED_TEACHER_KEY'] ?? ''}` };
      return (await (await fetch(`${baseUrl}/simulated/stats`, { headers })).json()) as TeacherStats;
    },
    stop: (): Promise<void> => {
      server.closeAllConnections();
      return new Promise((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
    },
  };
}
