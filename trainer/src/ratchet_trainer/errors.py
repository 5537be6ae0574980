"""Errors that end a job, each with the exit code that tells the caller what to do next."""

import contextlib
import errno
from collections.abc import Generator

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


_PERMANENT_ERRNOS = (*(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),)
"""Nothing that waiting mends, as against a disk or a network that fails."""
_DEVICE_SIGNS = ("cuda error", "cuda driver", "cudnn", "cublas", "nccl", "uncorrectable ecc", "gpu is lost")
_SHAPE_SIGNS = ("size mismatch for", "shapes cannot be multiplied", "must match the size of tensor")
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
    return _by_input(error) or TrainerError(
        "unexpected", f"{type(error).__name__}: {error}", "See trainer.log in outputDir."
    )


def _by_input(error: BaseException) -> TrainerError | None:
    """Names what libraries raise because of what they were given: the same will come of the next attempt."""
    name, text = type(error).__name__, str(error)
    if isinstance(error, UnicodeError):
        return PreflightError("invalidText", f"a text is not Unicode: {text}", "Replace it in the data.")
    if name == "SafetensorError" and "deserializ" in text.lower():
        fix = "Fetch the base, adapter or checkpoint again: its weights file is cut off or was changed."
        return InvalidJobError("damagedWeights", f"weights cannot be read: {text}", fix)
    if isinstance(error, RuntimeError) and any(sign in text for sign in _SHAPE_SIGNS):
        fix = "Take weights that belong to the base and to its configuration."
        return InvalidJobError("wrongShape", f"base.path or adapter.path: weights of other shapes: {text}", fix)
    if isinstance(error, IndexError) and "index out of range in self" in text:
        message = "a token or a position lies beyond the embeddings of the base"
        return InvalidJobError(
            "indexOutOfRange", message, "Lower maxLength to what the base takes, or mend its tokenizer."
        )
    if isinstance(error, OSError) and error.errno in _PERMANENT_ERRNOS:
        message = f"{error.filename}: {error.strerror}"
        return InvalidJobError("unusablePath", message, "Name a path that this user may read and write.")
    return None


def _of_the_host(error: BaseException) -> bool:
    """Whether memory, disk, device or network failed, rather than what was read."""
    if classify(error).exit_name in ("outOfMemory", "diskFull"):
        return True
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        if isinstance(seen, ConnectionError | TimeoutError) or any(sign in text for sign in _DEVICE_SIGNS):
            return True
        if isinstance(seen, OSError) and seen.errno not in (None, errno.ENOENT, *_PERMANENT_ERRNOS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextlib.contextmanager
def naming(code: str, where: str, fix: str) -> Generator[None]:
    """Names whatever goes wrong while input is read: it reads the same the next time.

    Libraries raise any class for a file that they do not understand. What is the host's fault stays what it is.

    Args:
        code: Of the error.
        where: Field and path, for the message.
        fix: What the person can change.
    Raises:
        InvalidJobError: In place of other exceptions.
    """
    try:
        yield
    except TrainerError:
        raise
    except Exception as error:
        if _of_the_host(error):
            raise
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise InvalidJobError(code, f"{where}: {said}", fix) from error
