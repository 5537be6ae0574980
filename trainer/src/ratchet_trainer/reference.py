# pyright: basic
"""Reference log-probabilities of DPO: computed once from the SFT adapter, kept on disk, resumable."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from .files import json_line, whole_lines, write_whole
from .interrupts import Interrupts
from .losses import PairLogps
from .ranks import in_rounds, of_first_rank, own_rank

REFERENCE_FILE = "reference_logps.jsonl"


def reference_logps(
    folder: Path,
    resume_from: str | None,
    key: str,
    groups: Sequence[Sequence[int]],
    score: Callable[[Sequence[int]], PairLogps],
    interrupts: Interrupts,
) -> PairLogps:
    """Log-probs of every pair under the frozen SFT adapter.

    They must come from the adapter that training starts from, never from a checkpoint: a reference in the middle of
    the run would silently set the loss back to log 2.

    Args:
        folder: Where `reference_logps.jsonl` grows; a half-done file is gone on with.
        resume_from: Checkpoint whose copy is taken where the folder has none.
        key: Digest of everything that the numbers depend on; a file with another key is thrown away.
        groups: All pair numbers in batches.
        score: Computes one batch.
        interrupts: Looked at between batches.
    Returns:
        f32[pairs], nats, in pair order.
    Raises:
        InterruptedJobError: SIGTERM; what is done stays on disk.
    """
    path = folder / REFERENCE_FILE
    rows = of_first_rank(lambda: _begin(path, resume_from, key))

    def score_next(group: Sequence[int]) -> PairLogps:
        interrupts.check("while scoring the reference; what is done is kept")
        return score(group)

    missing = [group for group in groups if not all(pair in rows for pair in group)]
    with open(path if own_rank() == 0 else os.devnull, "ab") as file:
        for group, logps in in_rounds(missing, score_next):
            for pair, chosen, rejected in zip(group, logps.chosen.tolist(), logps.rejected.tolist(), strict=True):
                rows[pair] = {"pair": pair, "chosen": chosen, "rejected": rejected}
                file.write(json_line(rows[pair]))
            file.flush()
    ordered = [rows[pair] for pair in sorted(rows)]
    return PairLogps(
        torch.tensor([row["chosen"] for row in ordered]), torch.tensor([row["rejected"] for row in ordered])
    )


def _begin(path: Path, resume_from: str | None, key: str) -> dict[int, dict[str, float]]:
    rows = _known(path, key)
    if not rows and resume_from is not None:
        copy = Path(resume_from) / REFERENCE_FILE
        if copy.exists():
            shutil.copyfile(copy, path)
            rows = _known(path, key)
    write_whole(path, map(json_line, [{"key": key}, *rows.values()]))
    return rows


def _known(path: Path, key: str) -> dict[int, dict[str, float]]:
    rows = list(whole_lines(path))
    if not rows or rows[0].get("key") != key:
        return {}
    return {int(row["pair"]): row for row in rows[1:]}
