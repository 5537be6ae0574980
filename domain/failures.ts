/**
 * Every `type` that an ApplicationFailure of ratchet carries, and whether Temporal should try again. `preemption` marks
 * losses that are nobody's fault: they are retried without limit and without back-off.
 */
export const failures = {
  InvalidRecipe: 'permanent',
  InvalidData: 'permanent',
  InvalidJob: 'permanent',
  PreflightRefused: 'permanent',
  BaseMismatch: 'permanent',
  BudgetExceeded: 'permanent',
  BudgetStopped: 'permanent',
  TeacherRejected: 'permanent',
  UnknownRun: 'permanent',
  ArtefactDamaged: 'permanent',
  Diverged: 'permanent',
  BucketMissing: 'permanent',
  StorageUnsuitable: 'permanent',
  CredentialsRefused: 'permanent',
  WebhookRefused: 'permanent',
  OutOfMemory: 'retryable',
  DiskFull: 'retryable',
  StorageUnavailable: 'retryable',
  TeacherUnavailable: 'retryable',
  WebhookUnavailable: 'retryable',
  TrainerFailed: 'retryable',
  TrainerStalled: 'retryable',
  /** Any error that has no type of its own: a fault of ratchet or of its host (activities/unexpected.ts). */
  Unexpected: 'retryable',
  GpuLost: 'preemption',
  LeaseLost: 'preemption',
} as const;

export type FailureType = keyof typeof failures;

/** For `nonRetryableErrorTypes` of a retry policy. */
export const permanentFailures = Object.entries(failures)
  .filter(([, kind]) => kind === 'permanent')
  .map(([type]) => type);

/** Failures that the workflow counts and retries with back-off (workflows/tasks.ts). */
export const infrastructureFailures = Object.entries(failures)
  .filter(([, kind]) => kind === 'retryable')
  .map(([type]) => type);

/**
 * What Temporal's SDK itself fails an activity with, before its code runs or after: one that the worker does not have, an
 * input or a result that cannot be converted. They come back to the workflow too, which counts them like `Unexpected`.
 */
export const sdkFailures: readonly string[] = [
  ...['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'ValueError', 'IllegalStateError'],
  ...['NotFoundError', 'PayloadConverterError', 'DataConverterError', 'UnsupportedJsonTypeError', 'CancelledFailure'],
];
