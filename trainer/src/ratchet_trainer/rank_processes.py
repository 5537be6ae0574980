"""The processes of a job that trains on several devices: forked together, ended together.

The process that the caller knows leads them and does no work itself: it passes rank 0's events and SIGTERM on, and
where one rank fails it ends the others. Each rank dies with the leader.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .events import EventStream
from .exit_codes import EXIT_CODES
from .interrupts import Interrupts
from .parent_death import Lifeline
from .runtime import use_threads

Write = Callable[[bytes], object]
Work = Callable[[int, Path, Write], int]

_ENDED_TOGETHER = (EXIT_CODES["ok"], EXIT_CODES["interrupted"])
"""Exit codes that all ranks agree on beforehand: one that is there first does not fail the others."""
_RUNNING = -1
LEFT_BEHIND_SECONDS = 5.0
"""For how long ranks may still run after another one failed; most end by themselves, with the same error."""


@dataclass
class _Rank:
    number: int
    pid: int
    pipe: int
    received: bytes = b""
    error: bytes | None = None
    code: int = _RUNNING
    ending: bool = False


def begin_child(lifeline: Lifeline) -> bool:
    """What every forked process does first: dies with its parent, and has a thread pool of its own.

    torch replaces the pool that a fork leaves behind at the first parallel region, and two threads that get there at
    once (transformers converts a base's tensors on four) fail with "Invalid thread pool!". So it is done here, while
    there is one thread.

    Returns:
        False where the parent has ended already.
    """
    use_threads(1)
    return lifeline.hold()


def run_ranks(size: int, folder: Path, events: EventStream, write: Write, interrupts: Interrupts, work: Work) -> int:
    """Forks the ranks and leads them to their end; call before any thread is started.

    Args:
        size: Number of ranks.
        folder: For the file through which they meet.
        events: The job's event stream, for what the leader itself has to say.
        write: Takes rank 0's event lines, whole ones only.
        interrupts: Of this process; a SIGTERM that has arrived already goes to the ranks too.
        work: Does the work of one rank in its own process, given its number, the file and where its events go.
    Returns:
        Exit code of the first rank that failed (128 + signal where one was killed), else rank 0's.
    """
    meeting = Path(tempfile.mkdtemp(prefix=".ranks-", dir=folder))
    ranks: list[_Rank] = []
    lifeline = Lifeline()
    try:
        for number in range(size):
            ranks.append(_fork_rank(number, meeting / "store", ranks, lifeline, work))
        _pass_sigterm_on(ranks, interrupts)
        end = _lead(ranks, write)
        if end.error is not None:
            write(end.error)
        elif end.code not in _ENDED_TOGETHER:
            how = f"was killed by signal {end.code - 128}" if end.code > 128 else f"ended with {end.code}"
            message = f"rank {end.number} of {size} {how}"
            events.emit("error", code="rankLost", message=message, fix="See trainer.log in outputDir.")
        return end.code
    finally:
        _kill(ranks)
        lifeline.close()
        shutil.rmtree(meeting, ignore_errors=True)


def _fork_rank(number: int, store: Path, before: list[_Rank], lifeline: Lifeline, work: Work) -> _Rank:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = EXIT_CODES["unexpected"]
        try:
            if begin_child(lifeline):
                for fd in [reader, *(rank.pipe for rank in before)]:
                    os.close(fd)
                with open(writer, "wb", buffering=0) as pipe:
                    code = work(number, store, pipe.write)
        finally:
            os._exit(code)
    os.close(writer)
    return _Rank(number, pid, reader)


def _pass_sigterm_on(ranks: list[_Rank], interrupts: Interrupts) -> None:
    def pass_on(*_: object) -> None:
        for rank in ranks:
            _signal(rank, signal.SIGTERM)

    signal.signal(signal.SIGTERM, pass_on)
    if interrupts.requested:
        pass_on()


def _lead(ranks: list[_Rank], write: Write) -> _Rank:
    """Waits for all ranks; returns the one whose end is the job's."""
    failed: _Rank | None = None
    deadline: float | None = None
    with selectors.DefaultSelector() as selector:
        for rank in ranks:
            selector.register(rank.pipe, selectors.EVENT_READ, rank)
        while selector.get_map():
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = selector.select(left)
            for key, _ in ready:
                rank: _Rank = key.data
                if not _pass_events_on(rank, write):  # its end of the pipe is closed: it has ended
                    selector.unregister(rank.pipe)
                    _reap(rank)
                    if failed is None and rank.code not in _ENDED_TOGETHER:
                        failed = rank
                        killed = rank.code > 128
                        deadline = time.monotonic() + (0.0 if killed else LEFT_BEHIND_SECONDS)
            if deadline is not None and time.monotonic() >= deadline:
                _kill(ranks)
                deadline = None
    return failed or ranks[0]


def _pass_events_on(rank: _Rank, write: Write) -> bool:
    data = os.read(rank.pipe, 65536)
    rank.received += data
    *lines, rank.received = rank.received.split(b"\n")
    for line in lines:
        if json.loads(line)["event"] == "error":
            rank.error = line + b"\n"
        elif rank.number == 0:
            write(line + b"\n")
    return bool(data)


def _reap(rank: _Rank) -> None:
    rank.ending = True  # from here on its number may come to mean another process
    _, status = os.waitpid(rank.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    rank.code = code if code >= 0 else 128 - code
    os.close(rank.pipe)


def _signal(rank: _Rank, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if not rank.ending:
            os.kill(rank.pid, number)


def _kill(ranks: list[_Rank]) -> None:
    for rank in ranks:
        _signal(rank, signal.SIGKILL)
