/** Ways in which it misbehaves on demand; shares of the requests. */
export const faultKinds = ['429', '500', 'drop', 'malformed', 'refusal'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Settings of the simulated teacher; all from its environment. */
export type TeacherSettings = {
  port: number;
  host: string;
  /** With one, every other key is refused. */
  key: string | undefined;
  latencyMs: number;
  faults: Partial<Record<FaultKind, number>>;
};

const number = (name: string, text: string | undefined, standard: number): number => {
  if (!text) return standard;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new Error(`${name}=${text} is not a number. Fix: write a number of at least 0.`);
};

function readFaults(text: string | undefined): TeacherSettings['faults'] {
  const faults: TeacherSettings['faults'] = {};
  for (const entry of (text ?? '').split(',').filter((part) => part.trim() !== '')) {
    const [name = '', share = ''] = entry.split(':').map((part) => part.trim());
    const kind = faultKinds.find((known) => known === name);
    const value = Number(share);
    if (kind === undefined || share === '' || !(value >= 0 && value <= 1)) {
      throw new Error(
        `RATCHET_SIMULATED_TEACHER_FAULTS: "${entry}" is no fault. Fix: write KIND:SHARE with KIND one of ${faultKinds.join(', ')}, for example 429:0.05,drop:0.02.`,
      );
    }
    faults[kind] = value;
  }
  return faults;
}

/**
 * `RATCHET_TEACHER_PORT` (7080; 0 = any), `RATCHET_TEACHER_HOST` (127.0.0.1), `RATCHET_SIMULATED_TEACHER_KEY`,
 * `RATCHET_SIMULATED_TEACHER_LATENCY_MS` and `RATCHET_SIMULATED_TEACHER_FAULTS` (`429:0.05,500:0.05,drop:0.02`).
 *
 * @throws Error naming the variable and the fix
 */
export function readTeacherSettings(env: Readonly<Record<string, string | undefined>>): TeacherSettings {
  return {
    port: number('RATCHET_TEACHER_PORT', env['RATCHET_TEACHER_PORT'], 7080),
    host: env['RATCHET_TEACHER_HOST'] || '127.0.0.1',
    key: env['RATCHET_SIMULATED_TEACHER_KEY'] || undefined,
    latencyMs: number('RATCHET_SIMULATED_TEACHER_LATENCY_MS', env['RATCHET_SIMULATED_TEACHER_LATENCY_MS'], 0),
    faults: readFaults(env['RATCHET_SIMULATED_TEACHER_FAULTS']),
  };
}
