"""SIGTERM as a flag that work looks at where it can stop."""

import signal
from types import FrameType

from .errors import InterruptedJobError


class Interrupts:
    """Remembers that SIGTERM arrived; the job ends at its next safe point instead of in the middle."""

    def __init__(self) -> None:
        self.requested = False

    def install(self) -> "Interrupts":
        """Takes SIGTERM over; call from the main thread."""
        signal.signal(signal.SIGTERM, self._remember)
        return self

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True

    def check(self, where: str) -> None:
        """Ends the job here if SIGTERM arrived.

        Raises:
            InterruptedJobError: It did.
        """
        if self.requested:
            raise InterruptedJobError(f"interrupted {where}")
