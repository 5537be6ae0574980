"""SIGTERM as a flag that work looks at where it can stop."""

import signal
from collections.abc import Callable
from types import FrameType

from .errors import InterruptedJobError


class Interrupts:
    """Remembers that SIGTERM arrived; the job ends at its next safe point instead of in the middle.

    Args:
        agree: Makes one answer of the answers of all ranks, which must then ask at the same points.
    """

    def __init__(self, agree: Callable[[bool], bool] = bool) -> None:
        self.requested = False
        self.agree = agree

    def install(self) -> "Interrupts":
        """Takes SIGTERM over; call from the main thread."""
        signal.signal(signal.SIGTERM, self._remember)
        return self

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True

    def arrived(self) -> bool:
        """Whether to stop at this point: the same answer on all ranks."""
        self.requested = self.agree(self.requested)
        return self.requested

    def check(self, where: str) -> None:
        """Ends the job here if SIGTERM arrived.

        Raises:
            InterruptedJobError: It did.
        """
        if self.arrived():
            raise InterruptedJobError(f"interrupted {where}")
