"""When a checkpoint is due: after so many steps, or as often as lost work and the price of a save ask for.

Nothing here touches what is trained: checkpoints may come at any step and the result has the same bytes.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

MOST_OVERHEAD = 0.02
"""Most of the training time that saves may take, under `auto`."""
FIRST_SHARE = 0.5
"""The first checkpoint comes after this share of `maxLostSeconds`: nobody knows yet how long a save takes."""
ON_THE_WAY_SHARE = 0.1
"""Share of `maxLostSeconds` that is left for the way to the bucket, of which the trainer knows nothing."""
_STEPS_REMEMBERED = 16
_SAVES_REMEMBERED = 5


class CheckpointInterval:
    """Says after each step whether a checkpoint is due.

    Under `auto` one is due when another step and a save would take the unsaved work above `max_lost_seconds`. Where
    saves that often would take more than `MOST_OVERHEAD` of the training they come less often: their price is paid for
    certain, a host is lost rarely. `rarer` is then called once. Steps longer than the limit are saved one by one.

    Args:
        every_steps: Optimizer steps between checkpoints, or `auto`.
        max_lost_seconds: Under `auto`, > 0.
        rarer: Takes the seconds between two checkpoints that the price allows.
        now: Clock, seconds.
    """

    def __init__(
        self,
        every_steps: int | Literal["auto"],
        max_lost_seconds: float,
        rarer: Callable[[float], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every = every_steps
        self._max_lost = max_lost_seconds
        self._rarer = rarer
        self._now = now
        self._unsaved_since = now()
        self._steps: deque[float] = deque(maxlen=_STEPS_REMEMBERED)
        self._prices: deque[float] = deque(maxlen=_SAVES_REMEMBERED)
        self._paid = 0.0
        self._first_save: float | None = None
        self._until_whole = 0.0
        self._writing = False
        self._said_rarer = False

    @property
    def measures(self) -> bool:
        """Whether it depends on this process's clock, so that ranks would not decide alike."""
        return self._every == "auto"

    def step_took(self, seconds: float) -> None:
        """Notes how long the newest optimizer step took."""
        self._steps.append(seconds)

    def save_began(self) -> None:
        """Notes that the training of this moment is being saved."""
        self._unsaved_since = self._now()
        self._writing = True

    def save_ended(self, price: float, until_whole: float) -> None:
        """Notes what a save took; may be called by the thread that wrote it.

        Args:
            price: Seconds that it took from training.
            until_whole: Seconds from `save_began` until the checkpoint was whole.
        """
        if self._first_save is None:
            self._first_save = self._unsaved_since  # its own price is not counted: it comes early on purpose
        else:
            self._paid += price
        self._prices.append(price)
        self._until_whole = until_whole
        self._writing = False

    def due(self, step: int) -> bool:
        """Whether to save now.

        Args:
            step: Optimizer steps done, >= 1.
        """
        if isinstance(self._every, int):
            return step % self._every == 0
        if self._writing:
            return False  # training would stand still until it is written
        now = self._now()
        after_next_step = now - self._unsaved_since + max(self._steps, default=0.0)
        if self._first_save is None:
            return after_next_step >= FIRST_SHARE * self._max_lost
        if after_next_step + self._until_whole <= (1 - ON_THE_WAY_SHARE) * self._max_lost:
            return False
        price = statistics.median(self._prices)
        if self._paid + price <= MOST_OVERHEAD * (now - self._first_save):
            return True
        if after_next_step > self._max_lost and not self._said_rarer:
            self._said_rarer = True
            self._rarer(price / MOST_OVERHEAD)
        return False
