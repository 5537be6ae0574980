/** Ways in which it misbehaves on demand; shares of the requests. `slow` = the body comes in drops. */
export const faultKinds = ['429', '500', 'drop', 'malformed', 'refusal', 'slow', 'truncation'] as const;
export type FaultKind = (typeof faultKinds)[number];

/**
 * Ways in which its batches go wrong. Shares of their rows: `row` = fails this time, `filtered` = always. Shares of the
 * batches: `expired` with half of it done, `full` = refused because too much is waiting, `invalid` = refused for good.
 */
export const batchFaultKinds = ['row', 'filtered', 'expired', 'full', 'invalid'] as const;
export type BatchFaultKind = (typeof batchFaultKinds)[number];

/** Settings of the simulated teacher; all from its environment. */
export type TeacherSettings = {
  port: number;
  host: string;
  /** With one, every other key is refused. */
  key: string | undefined;
  /** Mean time of an answer, from the arrival of the request. */
  latencyMs: number;
  /** 0.3 = latencies are even between 0.7 and 1.3 of the mean, by a hash of the request. */
  latencySpread: number;
  /** Null = no limit. Kept as token buckets that hold one second's worth. */
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  /** How long a body takes that the fault `slow` meets. */
  slowMs: number;
  /** Answer what it has no facts about with a text of no meaning, instead of refusing: its clients take it for any server. */
  generic: boolean;
  faults: Partial<Record<FaultKind, number>>;
  /** From the creation of a batch to its end. */
  batchMs: number;
  batchFaults: Partial<Record<BatchFaultKind, number>>;
  /** From the creation of a batch to the answer that it is there. */
  batchAnswerMs: number;
  /** How long a cancelled batch is still being cancelled. */
  batchCancelMs: number;
};

/** What the server itself needs; the rest is for who listens. */
export type ServerSettings = Omit<TeacherSettings, 'port' | 'host'>;

type Variables = Readonly<Record<string, string | undefined>>;

function number(env: Variables, name: string, standard: number): number;
function number(env: Variables, name: string, standard: null): number | null;
function number(env: Variables, name: string, standard: number | null): number | null {
  const text = env[name];
  if (!text) return standard;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new Error(`${name}=${text} is not a number. Fix: write a number of at least 0.`);
}

function shares<Kind extends string>(
  env: Variables,
  name: string,
  kinds: readonly Kind[],
): Partial<Record<Kind, number>> {
  const found: Partial<Record<Kind, number>> = {};
  for (const entry of (env[name] ?? '').split(',').filter((part) => part.trim() !== '')) {
    const [word = '', share = ''] = entry.split(':').map((part) => part.trim());
    const kind = kinds.find((known) => known === word);
    const value = Number(share);
    if (kind === undefined || share === '' || !(value >= 0 && value <= 1)) {
      throw new Error(
        `${name}: "${entry}" is no fault. Fix: write KIND:SHARE with KIND one of ${kinds.join(', ')}, for example ${kinds[0] ?? ''}:0.05.`,
      );
    }
    found[kind] = value;
  }
  return found;
}

/**
 * `RATCHET_TEACHER_PORT` (7080; 0 = any), `RATCHET_TEACHER_HOST` (127.0.0.1) and, each beginning with
 * `RATCHET_SIMULATED_TEACHER_`: `KEY`, `LATENCY_MS`, `LATENCY_SPREAD`, `RPM`, `TPM`, `SLOW_MS` (2000), `GENERIC` (`true`),
 * `FAULTS` (`429:0.05,500:0.05,drop:0.02`), `BATCH_MS`, `BATCH_FAULTS` (`row:0.02,expired:1`), `BATCH_ANSWER_MS`,
 * `BATCH_CANCEL_MS`.
 *
 * @throws Error naming the variable and the fix
 */
export function readTeacherSettings(env: Variables): TeacherSettings {
  const prefix = 'RATCHET_SIMULATED_TEACHER';
  return {
    port: number(env, 'RATCHET_TEACHER_PORT', 7080),
    host: env['RATCHET_TEACHER_HOST'] || '127.0.0.1',
    key: env[`${prefix}_KEY`] || undefined,
    latencyMs: number(env, `${prefix}_LATENCY_MS`, 0),
    latencySpread: number(env, `${prefix}_LATENCY_SPREAD`, 0),
    requestsPerMinute: number(env, `${prefix}_RPM`, null),
    tokensPerMinute: number(env, `${prefix}_TPM`, null),
    slowMs: number(env, `${prefix}_SLOW_MS`, 2000),
    generic: env[`${prefix}_GENERIC`] === 'true',
    faults: shares(env, `${prefix}_FAULTS`, faultKinds),
    batchMs: number(env, `${prefix}_BATCH_MS`, 0),
    batchFaults: shares(env, `${prefix}_BATCH_FAULTS`, batchFaultKinds),
    batchAnswerMs: number(env, `${prefix}_BATCH_ANSWER_MS`, 0),
    batchCancelMs: number(env, `${prefix}_BATCH_CANCEL_MS`, 0),
  };
}
