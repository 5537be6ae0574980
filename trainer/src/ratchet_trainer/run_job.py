"""Runs one job from its file to its exit code."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from .errors import InvalidJobError, classify
from .events import EventStream
from .exit_codes import EXIT_CODES
from .interrupts import Interrupts
from .job import DpoJob, GenerateJob, Job, SftJob, load_job

_log = logging.getLogger(__name__)


def run_job(path: str, write: Callable[[bytes], object], on_loaded: Callable[[Job], None] | None = None) -> int:
    """Runs a job file in this process.

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
    try:
        job = load_job(path)
        events.job_id = job.id
        _own_output_folder(job)
        if on_loaded:
            on_loaded(job)
        events.start_alive()
        _dispatch(job, events, interrupts, read_at)
        return EXIT_CODES["ok"]
    except Exception as error:
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


def _dispatch(job: Job, events: EventStream, interrupts: Interrupts, read_at: float) -> None:
    # The heavy imports wait until the job is known to be valid; in the fork server they are already there.
    if isinstance(job, SftJob):
        from .sft import run_sft

        run_sft(job, events, interrupts, read_at)
    elif isinstance(job, DpoJob):
        from .dpo import run_dpo

        run_dpo(job, events, interrupts, read_at)
    else:
        assert isinstance(job, GenerateJob)
        from .generate import run_generate

        run_generate(job, events, interrupts, read_at)
