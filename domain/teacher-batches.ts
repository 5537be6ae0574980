/** How a batch of teacher requests stands, in the words of the provider; `gone` = it knows no such batch (any more). */
export type BatchStatus =
  | 'validating'
  | 'failed'
  | 'in_progress'
  | 'finalizing'
  | 'completed'
  | 'expired'
  | 'cancelling'
  | 'cancelled'
  | 'gone';

const statuses = new Map<string, BatchStatus>(
  Object.entries({
    ...{ validating: 'validating', failed: 'failed', in_progress: 'in_progress', finalizing: 'finalizing' },
    ...{ completed: 'completed', expired: 'expired', cancelling: 'cancelling', cancelled: 'cancelled' },
    ...{ canceling: 'cancelling', canceled: 'cancelled' },
  } as const),
);

/** What a provider says, in whatever case and spelling. What nobody knows has not ended. */
export const batchStatus = (said: unknown): BatchStatus =>
  (typeof said === 'string' ? statuses.get(said.trim().toLowerCase()) : undefined) ?? 'in_progress';

const ended: readonly BatchStatus[] = ['failed', 'completed', 'expired', 'cancelled', 'gone'];

/** Whether nothing more will come of it. Whatever its end, what was done by then is in its files. */
export const hasEnded = (status: BatchStatus): boolean => ended.includes(status);

/**
 * Whether a provider that tells itself in a while may have more to say of an ended batch: it does not know the batch (yet), or
 * has not named the file of the answers (yet). Those are paid; sent again they would be paid twice.
 *
 * @param completed requests that are answered; undefined = it does not say
 */
export const isUnsettled = (status: BatchStatus, files: number, completed: number | undefined): boolean =>
  status === 'gone' || (hasEnded(status) && status !== 'failed' && files === 0 && completed !== 0);

/** An unsettled batch is believed after so many looks. */
export const looksUntilSettled = 4;

/**
 * Why a batch was refused whole: its requests are not wrong, but more is waiting at the provider than the account may have
 * waiting (`full`), or the provider itself had an error (`outage`); or the batch is wrong, and always will be (`wrong`).
 */
export type BatchRefusal = { kind: 'full' | 'outage' | 'wrong'; code: string; message: string; fix: string };

/** OpenAI says it as `token_limit_exceeded`, for tokens and requests alike; others in words. */
const full = /token_limit_exceeded|enqueued|queue (?:is )?full/i;

/** The provider's own errors. A code tells more than words do. */
const outage =
  /^(?:server_error|internal_error|internal_server_error|service_unavailable|overloaded(?:_error)?|timeout|5\d\d)$/i;

const fixes: Readonly<Record<string, string>> = {
  model_not_found: 'check teacher.model (GPT4_MODEL): not every model is served in batches',
  billing_hard_limit_reached: 'check the quota and billing of the account',
  insufficient_quota: 'check the quota and billing of the account',
};

/** As the provider gives it; none of it need be there. */
type BatchError = { code?: string | null; message?: string | null; line?: number | null };

/** @param errors of a batch that was refused; more than a few say the same */
export function batchRefusal(errors: readonly (BatchError | null)[]): BatchRefusal {
  const [first] = errors;
  const code = first?.code || 'no reason given';
  const place = first?.line ? ` (line ${first.line})` : '';
  const others = errors.length > 1 ? `, and ${errors.length - 1} more` : '';
  const message = `${first?.message || code}${place}${others}`.slice(0, 500);
  if (full.test(`${code} ${message}`)) {
    const fix =
      'lower teacher.batch.maxRequestsPerFile, wait until other batches of the account are done, or set teacher.mode: live';
    return { kind: 'full', code, message, fix };
  }
  if (outage.test(code)) return { kind: 'outage', code, message, fix: 'try again later, or set teacher.mode: live' };
  return { kind: 'wrong', code, message, fix: fixes[code] ?? 'correct what it names, or set teacher.mode: live' };
}

const firstLookMs = 15_000;

/** How long to wait before the n-th look at the batches (from 0): small batches are often done in minutes. */
export const lookWaitMs = (look: number, pollMinutes: number): number =>
  Math.min(pollMinutes * 60_000, firstLookMs * 2 ** Math.min(look, 16));

/** Batches are waited for so many times their window: providers end them in time, so this is never reached but by a fault. */
const patience = 2;

/** Whether batches that were made so long ago will not end by themselves. */
export const isOverdue = (waitedMs: number, completionWindowHours: number): boolean =>
  waitedMs > patience * completionWindowHours * 3_600_000;

/** OpenAI needs up to ten minutes to cancel a batch. */
export const cancelPatienceMs = 15 * 60_000;

/** Limits of one input file. */
export type FileLimits = { requests: number; bytes: number };

/** Divides lines into files within the limits, in order; a line that is larger than a file has one of its own. */
export function* intoFiles<Line extends { bytes: number }>(
  lines: Iterable<Line>,
  { requests, bytes }: FileLimits,
): Generator<Line[]> {
  let file: Line[] = [];
  let filled = 0;
  for (const line of lines) {
    if (file.length > 0 && (file.length === requests || filled + line.bytes > bytes)) {
      yield file;
      file = [];
      filled = 0;
    }
    file.push(line);
    filled += line.bytes;
  }
  if (file.length > 0) yield file;
}

/** What is waited for, for people who watch: answer of the `batches` query. Empty `batches` = nothing. */
export type BatchWait = {
  round: number;
  batches: { id: string; status: BatchStatus; done: number; total: number }[];
  /** ISO 8601; null while the first look is to come, or nothing is waited for. */
  nextLookAt: string | null;
};
