"""Runs one job from its file to its exit code."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from .cuda_required import require_cuda
from .devices import processes_here, see_only
from .errors import InvalidJobError, classify
from .events import EventStream
from .exit_codes import EXIT_CODES
from .interrupts import Interrupts
from .job import AttributeJob, DpoJob, Job, SftJob, load_job
from .rank_processes import run_ranks

_log = logging.getLogger(__name__)

Write = Callable[[bytes], object]


def run_job(path: str, write: Write, on_loaded: Callable[[Job], None] | None = None) -> int:
    """Runs a job file in this process, or in several that this one leads.

    Args:
        path: The job file.
        write: Takes event lines.
        on_loaded: Called when the job is valid, before the work.
    Returns:
        Exit code, see `exit_codes`; every failure has been emitted as an `error` event.
    """
    read_at = time.monotonic()
    interrupts = Interrupts().install()
    events = EventStream(write, Path(path).stem)

    def run() -> int:
        job = load_job(path)
        events.job_id = job.id
        _own_output_folder(job)
        if on_loaded:
            on_loaded(job)
        require_cuda()
        processes = processes_here(job)
        if processes > 1:

            def work(rank: int, store: Path, write_event: Write) -> int:
                return _run_rank(rank, processes, store, job, EventStream(write_event, job.id), interrupts, read_at)

            return run_ranks(processes, Path(job.output_dir), events, write, interrupts, work)
        see_only(0)
        events.start_alive()
        _dispatch(job, events, interrupts, read_at)
        return EXIT_CODES["ok"]

    return _reported(events, run)


def _run_rank(
    rank: int, processes: int, store: Path, job: Job, events: EventStream, interrupts: Interrupts, read_at: float
) -> int:
    def run() -> int:
        see_only(rank)
        if rank == 0:
            events.start_alive()
        from .ranks import any_rank, join_ranks

        join_ranks(rank, processes, store)
        interrupts.agree = any_rank
        _dispatch(job, events, interrupts, read_at)
        any_rank(False)  # none ends before rank 0 has written the result
        return EXIT_CODES["ok"]

    return _reported(events, run)


def _reported(events: EventStream, run: Callable[[], int]) -> int:
    try:
        return run()
    except BaseException as error:  # a library may raise SystemExit, or the panic of its Rust part
        known = classify(error)
        if known.exit_code == EXIT_CODES["unexpected"]:
            _log.exception("job failed")
        events.emit("error", code=known.code, message=known.message, fix=known.fix)
        return known.exit_code
    finally:
        events.close()


def _own_output_folder(job: Job) -> None:
    try:
        os.makedirs(job.output_dir, exist_ok=True)
    except OSError as error:
        if classify(error).exit_code != EXIT_CODES["unexpected"]:
            raise
        message = f"outputDir: {job.output_dir}: {error.strerror}"
        raise InvalidJobError("unwritableFolder", message, "Choose a folder that this user may create.") from error


def log_to_output_folder(job: Job) -> None:
    """Sends what libraries print to `trainer.log` of the job.

    Raises:
        InvalidJobError: The folder cannot be written to.
    """
    try:
        log = os.open(Path(job.output_dir) / "trainer.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except (PermissionError, IsADirectoryError) as error:
        message = f"outputDir: {error.filename}: {error.strerror}"
        raise InvalidJobError("unwritableFolder", message, "Choose a folder that this user may write.") from error
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _dispatch(job: Job, events: EventStream, interrupts: Interrupts, read_at: float) -> None:
    # The heavy imports wait until the job is known to be valid; in the fork server they are already there.
    if isinstance(job, SftJob):
        from .sft import run_sft

        run_sft(job, events, interrupts, read_at)
    elif isinstance(job, DpoJob):
        from .dpo import run_dpo

        run_dpo(job, events, interrupts, read_at)
    elif isinstance(job, AttributeJob):
        from .attribute import run_attribute

        run_attribute(job, events, interrupts, read_at)
    else:
        from .generate import run_generate

        run_generate(job, events, interrupts, read_at)
