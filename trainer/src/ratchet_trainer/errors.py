"""Errors that end a job, each with the exit code that tells the caller what to do next."""

import errno

from .exit_codes import EXIT_CODES


class TrainerError(ValueError):
    """A job cannot go on.

    Args:
        code: camelCase name that appears in the `error` event, finer than the exit code.
        message: What is wrong, with the field or file in it.
        fix: What the person or the caller can change.
    """

    exit_name = "unexpected"

    def __init__(self, code: str, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix

    @property
    def exit_code(self) -> int:
        """Process exit code of this class of errors."""
        return EXIT_CODES[self.exit_name]


class InvalidJobError(TrainerError):
    """The job file or what it points to is wrong; no retry will mend it (exit 10)."""

    exit_name = "invalidJob"


class PreflightError(TrainerError):
    """The data would train nothing or the wrong thing; refused before any step (exit 11)."""

    exit_name = "preflightRefused"


class DivergedError(TrainerError):
    """Loss or gradient stopped being a finite, sane number; the optimizer step was not taken (exit 21)."""

    exit_name = "diverged"


class InterruptedJobError(TrainerError):
    """SIGTERM arrived; what is worth keeping is on disk (exit 30)."""

    exit_name = "interrupted"

    def __init__(self, message: str) -> None:
        super().__init__("interrupted", message, "Start the job again; it goes on from what is on disk.")


class OutOfMemoryError(TrainerError):
    """The device or the host ran out of memory (exit 20)."""

    exit_name = "outOfMemory"


class DiskFullError(TrainerError):
    """No space left where the job writes (exit 40)."""

    exit_name = "diskFull"


_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "cublas_status_alloc_failed")
# torch.save loses the operating system's reason: its archive writer only notices that bytes are missing.
_DISK_SIGNS = ("no space left on device", "disk quota exceeded", "iostream error", "inline_container.cc")


def classify(error: BaseException) -> TrainerError:
    """Maps any exception to the error that the caller sees.

    Libraries report a full disk or exhausted memory as plain `RuntimeError`s, so their texts are read too, along the
    chain of causes.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TrainerError):
            return seen
        text = str(seen).lower()
        if isinstance(seen, MemoryError) or any(sign in text for sign in _MEMORY_SIGNS):
            fix = "Halve optimisation.batchSize and double optimisation.gradientAccumulation: same effective batch."
            return OutOfMemoryError("outOfMemory", str(seen) or "out of memory", fix)
        no_space = isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT)
        if no_space or any(sign in text for sign in _DISK_SIGNS):
            fix = "Free space where outputDir, checkpointing.directory and outputFile lie."
            return DiskFullError("diskFull", f"writing failed, no space left: {seen}", fix)
        seen = seen.__cause__ or seen.__context__
    return TrainerError("unexpected", f"{type(error).__name__}: {error}", "See trainer.log in outputDir.")
