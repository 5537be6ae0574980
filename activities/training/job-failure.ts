import type { ApplicationFailure } from '@temporalio/common';
import { trainerExitCodes } from '../../config/trainer-job.ts';
import type { FailureType } from '../../domain/failures.ts';
import { failure } from '../failure.ts';
import type { JobOutcome } from './run-job.ts';

const byCode = new Map<number, FailureType>([
  [trainerExitCodes.unexpected, 'TrainerFailed'],
  [trainerExitCodes.invalidJob, 'InvalidJob'],
  [trainerExitCodes.preflightRefused, 'PreflightRefused'],
  [trainerExitCodes.outOfMemory, 'OutOfMemory'],
  [trainerExitCodes.diverged, 'Diverged'],
  [trainerExitCodes.interrupted, 'GpuLost'],
  [trainerExitCodes.diskFull, 'DiskFull'],
]);

/** What drivers say when the device is gone, as against a fault of the program. */
const deviceGone = /uncorrectable ECC|GPU is lost|fallen off the bus|no CUDA-capable device|CUDA driver error: device/i;

/**
 * Names the way in which a job ended that did not succeed.
 *
 * A job that is killed from outside after it had advanced was preempted, and is tried again at once and without limit.
 * One that is killed before its first step may be killed every time (by the host's out-of-memory killer, say), so it
 * counts against the bounded budget.
 */
export function failureOfJob(outcome: JobOutcome, details: unknown[]): ApplicationFailure {
  const { code, signal, error, endedBy, nonsense } = outcome;
  const said = error === null ? '' : `: ${error.message.replace(/\.$/, '')}`;
  const fix = error?.fix === undefined ? '' : `. ${error.fix}`;
  const lost = code === null || signal !== null || code > 128;
  // A job whose device is gone says so, and then often cannot end.
  if ((endedBy === 'stalled' || lost) && namedBy(outcome) === 'GpuLost') {
    return failure('GpuLost', `the trainer lost its device${said}`, { details });
  }
  if (nonsense !== undefined) {
    return failure('TrainerFailed', `the trainer's fork server talks nonsense (${nonsense}); it was replaced`, {
      details,
    });
  }
  if (endedBy === 'stalled') {
    const server = code === null ? '; its fork server did not report its end, and was replaced' : '';
    const message = `the trainer was alive but made no step for too long and was killed${server}`;
    return failure('TrainerStalled', message, { details });
  }
  if (lost) {
    const how = code === null ? 'the fork server went away' : `killed by signal ${signal ?? code - 128}`;
    const type = outcome.advanced ? 'GpuLost' : 'TrainerFailed';
    return failure(type, `the trainer was lost (${how})${said}`, { details });
  }
  const type = namedBy(outcome) ?? byCode.get(code) ?? 'TrainerFailed';
  return failure(type, `the trainer ended with exit code ${code}${said}${fix}`, { details });
}

/** Some error codes of the trainer are finer than its exit codes. */
function namedBy({ error }: JobOutcome): FailureType | undefined {
  if (error === null) return undefined;
  // Its message passes on what the driver says, but no other attempt on such hosts would train elsewhere than on the CPU.
  if (error.code === 'cudaUnusable') return 'InvalidJob';
  if (deviceGone.test(error.message)) return 'GpuLost';
  return error.code === 'adapterOfAnotherBase' ? 'BaseMismatch' : undefined;
}
