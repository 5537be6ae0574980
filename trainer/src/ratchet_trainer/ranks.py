"""What the processes (ranks) of one training do together: shares of the work, sums and agreements over all of them.

A job of one process has no group: every function here is then the identity and costs nothing. transformers and
accelerate see one process in every rank; gradients and statistics are added up here, over the whole optimizer step.
"""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from .runtime import device_name

_T = TypeVar("_T")

# That a rank hangs is noticed from outside, by steps that do not come; that one died, by the process that leads them.
_NO_TIMEOUT = timedelta(days=7)


def join_ranks(rank: int, size: int, store: Path) -> None:
    """Makes this process rank `rank` of `size`; returns when all have joined.

    Args:
        rank: Zero-based; 0 writes checkpoints and results.
        size: Number of processes, all on this host.
        store: File through which they find each other; no port that another process could take.
    """
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")  # lo0 on macOS
    os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
    # Flags, statistics and generator states are on the CPU on every host; gradients are where the model is.
    backend = "cpu:gloo,cuda:nccl" if device_name() == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=f"file://{store}", rank=rank, world_size=size, timeout=_NO_TIMEOUT)


def rank_count() -> int:
    """Processes of this job (world size)."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own_rank() -> int:
    """Zero-based number of this process."""
    return dist.get_rank() if dist.is_initialized() else 0


def rng_file(rank: int) -> str:
    """Name of a rank's generator states in a checkpoint; rank 0's is that of a job of one process."""
    return "rng_state.pth" if rank == 0 else f"rng_state_{rank}.pth"


def any_rank(flag: bool) -> bool:
    """Whether the flag is set on any rank: the same answer on all of them."""
    if rank_count() == 1:
        return flag
    flags = torch.tensor(int(flag))
    dist.all_reduce(flags)
    return bool(flags)


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Element-wise sum, in place, the same bits on every rank."""
    if rank_count() > 1:
        dist.all_reduce(tensor)
    return tensor


def of_all_ranks(value: _T) -> list[_T]:
    """Everybody's value, in the order of ranks; any picklable thing."""
    if rank_count() == 1:
        return [value]
    values: list[Any] = [None] * rank_count()
    dist.all_gather_object(values, value)
    return values


def of_first_rank(make: Callable[[], _T]) -> _T:
    """What rank 0 makes, on every rank."""
    if rank_count() == 1:
        return make()
    values: list[Any] = [make() if own_rank() == 0 else None]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def concatenated(values: torch.Tensor, dim: int = 0) -> torch.Tensor:
    """Everybody's tensor, one behind the other in the order of ranks; they may differ in length."""
    if rank_count() == 1:
        return values
    return torch.cat(of_all_ranks(values.cpu()), dim).to(values.device)


def sum_gradients(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Adds the gradients of all ranks up, in one flat vector.

    Its layout is the same in every step, so a resumed run adds in the same order. DistributedDataParallel would average
    instead, and lay its buckets out anew after the first step of a process.
    """
    if rank_count() == 1:
        return
    flat = torch.cat([_gradient(parameter).reshape(-1) for parameter in parameters])
    dist.all_reduce(flat)
    start = 0
    for parameter in parameters:
        parameter.grad = flat[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


@dataclass(frozen=True)
class Share:
    """One rank's part of some rows.

    Attributes:
        groups: Row numbers of its micro-batches.
        idle: Micro-batches that others have more: this rank runs as many without weight, because a forward pass through
            a sharded model needs everybody.
        start: Rows that lower ranks have.
    """

    groups: list[list[int]]
    idle: int
    start: int


def deal(numbers: Sequence[int], lengths: Sequence[int], cut: Callable[[Sequence[int]], list[list[int]]]) -> Share:
    """This rank's share of rows: dealt out by length, so that all have about as much to do.

    Args:
        numbers: Row numbers.
        lengths: Tokens of every row, by row number.
        cut: Cuts rows into micro-batches.
    """
    size, rank = rank_count(), own_rank()
    if size == 1:
        return Share(cut(numbers), 0, 0)
    ordered = sorted(numbers, key=lambda row: (lengths[row], row))
    cuts = [cut(ordered[other::size]) for other in range(size)]
    start = sum(len(ordered[other::size]) for other in range(rank))
    return Share(cuts[rank], max(map(len, cuts)) - len(cuts[rank]), start)


def in_rounds(groups: Sequence[Sequence[int]], work: Callable[[Sequence[int]], _T]) -> Iterator[tuple[list[int], _T]]:
    """Works on all groups, one per rank at a time; yields every group with its result, in order, on every rank."""
    size = rank_count()
    for start in range(0, len(groups), size):
        chunk = groups[start : start + size]
        own = work(chunk[min(own_rank(), len(chunk) - 1)])  # the last round may have too few: its last is done twice
        for group, result in zip(chunk, of_all_ranks(own), strict=False):
            yield list(group), result
