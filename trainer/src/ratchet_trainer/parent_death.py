"""Children that end with their parent, however it ends."""

import ctypes
import os
import signal
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1
_prctl: Any = getattr(ctypes.CDLL(None), "prctl", None)
"""Linux's call; None where the system has none."""


class Lifeline:
    """Ends the children of the process that made it when that process ends. Make one before the first fork.

    Linux sends a signal. Elsewhere a thread of each child waits for the end of a pipe, whose other end only the parent
    has. The thread runs no library's code, so the child may still fork.
    """

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._pipe = os.pipe() if _prctl is None else None

    def hold(self) -> bool:
        """What a child calls after the fork.

        Returns:
            False where the parent has ended already.
        """
        if self._pipe is None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        else:
            reader, writer = self._pipe
            os.close(writer)
            threading.Thread(target=_end_with, args=[reader], name="lifeline", daemon=True).start()
        return os.getppid() == self._parent

    def close(self) -> None:
        """Gives the pipe back; call when all children have ended."""
        for end in self._pipe or ():
            os.close(end)
        self._pipe = None


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)  # nobody writes: it returns at the end
    os.kill(os.getpid(), signal.SIGKILL)
