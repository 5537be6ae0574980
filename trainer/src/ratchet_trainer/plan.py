"""Which rows each optimizer step sees: a pure function of the seed, so that a resumed run sees the same ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Place:
    """Where an optimizer step lies.

    Attributes:
        epoch: Zero-based, over the whole schedule.
        stage: Zero-based.
        index: Window within the epoch, zero-based.
    """

    epoch: int
    stage: int
    index: int


@dataclass(frozen=True)
class StagePlan:
    """Epochs of one stage.

    Attributes:
        rows: How many rows an epoch of it visits.
        least: Fewest rows that a window may have; a smaller last one joins the window before it.
    """

    epochs: float
    rows: int
    least: int = 1

    def windows(self, size: int) -> int:
        """Windows of a whole epoch, where a full one has so many rows."""
        full, rest = divmod(self.rows, size)
        return full + (rest > 0 and (rest >= self.least or full == 0))


@dataclass(frozen=True)
class WindowPlan:
    """Cuts every epoch into windows, the rows of one optimizer step.

    A window never straddles epochs or stages: the last one of an epoch may be smaller, or larger where what was left is
    less than a window may have. Only the last stage may have
    a fraction of an epoch.
    """

    stages: Sequence[StagePlan]
    window: int
    seed: int

    def _epochs(self) -> list[tuple[int, int]]:
        """(stage, windows) of each epoch."""
        epochs: list[tuple[int, int]] = []
        for number, stage in enumerate(self.stages):
            whole = stage.windows(self.window)
            full = math.floor(stage.epochs)
            epochs += [(number, whole)] * full
            rest = math.ceil((stage.epochs - full) * whole)
            if rest:
                epochs.append((number, rest))
        return epochs

    @property
    def total(self) -> int:
        """Optimizer steps of the whole schedule."""
        return sum(windows for _, windows in self._epochs())

    def epoch_ends(self) -> list[int]:
        """Steps done when each epoch ends, ascending."""
        return [int(end) for end in np.cumsum([windows for _, windows in self._epochs()])]

    def locate(self, step: int) -> Place:
        """Place of the zero-based optimizer step.

        Raises:
            ValueError: Beyond the end.
        """
        left = step
        for epoch, (stage, windows) in enumerate(self._epochs()):
            if left < windows:
                return Place(epoch, stage, left)
            left -= windows
        raise ValueError(f"step {step} lies beyond the {self.total} steps of the plan")

    def progress(self, steps_done: int) -> float:
        """Epochs done after so many optimizer steps."""
        left = steps_done
        for epoch, (stage, windows) in enumerate(self._epochs()):
            if left < windows:
                return epoch + left / self.stages[stage].windows(self.window)
            left -= windows
        return float(sum(stage.epochs for stage in self.stages))

    def rows(self, place: Place, kept: Sequence[int]) -> list[int]:
        """Row numbers of one window.

        Args:
            place: From `locate`.
            kept: Row numbers that the stage visits; as many as its `StagePlan.rows`.
        """
        order = np.random.Generator(np.random.PCG64([self.seed, place.epoch])).permutation(np.asarray(kept))
        start = place.index * self.window
        is_last = place.index == self.stages[place.stage].windows(self.window) - 1
        return [int(row) for row in order[start : None if is_last else start + self.window]]


def micro_batches(rows: Sequence[int], lengths: Sequence[int], size: int) -> list[list[int]]:
    """Splits a window into micro-batches of rows of similar length (less padding).

    Args:
        rows: Row numbers of the window.
        lengths: Tokens of every row of the data, by row number.
        size: Rows per micro-batch.
    """
    ordered = sorted(rows, key=lambda row: (lengths[row], row))
    return [list(ordered[start : start + size]) for start in range(0, len(ordered), size)]
