"""Chooses next tokens: greedy, or temperature and top-p with one generator per row."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from .job import Sampling


def item_seed(job_seed: int, item_id: str) -> int:
    """Seed of an item that brings none: depends on the job's seed and the item's id only, in [0, 2^63)."""
    return int.from_bytes(hashlib.sha256(f"{job_seed}:{item_id}".encode()).digest()[:8]) >> 1


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Random numbers for `count` tokens of each row, f32[rows, count] in [0, 1).

    Each row draws from its own generator, so that its text does not depend on the rows beside it.
    """
    return torch.stack([torch.rand(count, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def next_tokens(logits: Tensor, sampling: Sampling, draw: Tensor | None) -> Tensor:
    """One token per row.

    Args:
        logits: f32[rows, vocabulary].
        sampling: Temperature 0 is greedy.
        draw: f32[rows], this position's random numbers; None when greedy.
    Returns:
        i64[rows].
    """
    if draw is None:
        return logits.argmax(-1)
    values, order = (logits / sampling.temperature).sort(dim=-1, descending=True, stable=True)
    share = values.softmax(-1)
    before = share.cumsum(-1) - share
    share = share.masked_fill(before >= sampling.top_p, 0.0)  # the first token always stays
    cumulative = share.cumsum(-1)
    chosen = torch.searchsorted(cumulative, (draw.to(cumulative) * cumulative[:, -1]).unsqueeze(-1), right=True)
    last = (share > 0).sum(-1, keepdim=True) - 1
    return order.gather(-1, chosen.minimum(last)).squeeze(-1)
