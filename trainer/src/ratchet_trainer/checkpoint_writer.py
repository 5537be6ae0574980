# pyright: basic
"""Checkpoints behind training: the state is copied between two steps and written while training goes on."""

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch

from .checkpoint_interval import CheckpointInterval
from .events import EventStream
from .files import replace_folder, sync_tree

_log = logging.getLogger(__name__)


class HostMemory:
    """Host memory for one copy of a training's state, used again for every checkpoint; pinned for CUDA."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[Any, ...], torch.Tensor] = {}

    def copy(self, name: str, tree: Any) -> Any:
        """A copy of nested dicts and lists of tensors, valid until the next copy of that name.

        Every tensor has a storage of its own, as in the original, so both are the same bytes when they are saved.
        """
        copied = self._copy((name,), tree)
        if torch.cuda.is_initialized():
            torch.cuda.current_stream().synchronize()  # the copies of all tensors were under way together
        return copied

    def _copy(self, place: tuple[Any, ...], value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._copy((*place, key), item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._copy((*place, index), item) for index, item in enumerate(value)]
        if not isinstance(value, torch.Tensor):
            return value
        buffer = self._buffers.get(place)
        if buffer is None or buffer.shape != value.shape or buffer.dtype != value.dtype:
            buffer = self._buffers[place] = torch.empty(value.shape, dtype=value.dtype, pin_memory=value.is_cuda)
        return buffer.copy_(value.detach(), non_blocking=True)


class CheckpointWriter:
    """Writes checkpoints under a temporary name, flushes and renames them, at most one at a time.

    The thread starts with the first checkpoint.
    """

    def __init__(self, events: EventStream, interval: CheckpointInterval) -> None:
        self._events = events
        self._interval = interval
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._last: Future[None] | None = None
        self.memory = HostMemory()

    def finish(self) -> None:
        """Waits for the last write, however it ends; `check` says how."""
        self._thread.shutdown()

    def check(self) -> None:
        """Raises the error of a write that has failed; does not wait for one that goes on."""
        if self._last is not None and self._last.done():
            self._last.result()

    def save(self, step: int, directory: Path, take: Callable[[Path], Callable[[], None]]) -> None:
        """Makes `step-000042/` of what the training is now; returns when training may change it.

        Waits, and says so in a warning, when the checkpoint before is not written yet.

        Args:
            step: Optimizer steps done.
            directory: Where checkpoints lie.
            take: Writes what is small into the folder given and copies what is large; returns what writes the copies.
        Raises:
            OSError, RuntimeError: The disk is full or broken, now or for the checkpoint before.
        """
        began = time.monotonic()
        self._wait_for_last(step)
        self._interval.save_began()
        final = directory / f"step-{step:06d}"
        temporary = directory / f".{final.name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        with _whole_or_absent(temporary):
            write_copies = take(temporary)
        waited = time.monotonic() - began
        self._last = self._thread.submit(self._write, step, temporary, final, write_copies, waited)

    def _wait_for_last(self, step: int) -> None:
        if self._last is not None and not self._last.done():
            began = time.monotonic()
            wait([self._last])
            seconds = time.monotonic() - began
            message = (
                f"training waited {seconds:.1f} s at step {step} because the checkpoint before was not written yet; "
                "raise everySteps, or take a faster disk"
            )
            self._events.emit("warning", code="checkpointWait", message=message, seconds=seconds)
        self.check()

    def _write(self, step: int, temporary: Path, final: Path, write_copies: Callable[[], None], waited: float) -> None:
        began, worked = time.monotonic(), time.thread_time()
        try:
            with _whole_or_absent(temporary):
                write_copies()
                sync_tree(temporary)
                replace_folder(temporary, final)
        except Exception as error:
            _log.warning("the checkpoint of step %d was not written: %s", step, error)
            raise
        seconds = time.monotonic() - began
        # Where training keeps all processors busy, it does without those that this thread takes.
        self._interval.save_ended(waited + time.thread_time() - worked, waited + seconds)
        self._events.emit("checkpoint", step=step, path=str(final), seconds=waited, writeSeconds=seconds)


@contextlib.contextmanager
def _whole_or_absent(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a checkpoint would fill the disk further
        raise
