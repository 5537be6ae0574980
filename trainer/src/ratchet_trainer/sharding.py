# pyright: basic
# torch's DTensor and FSDP are only partly typed.
"""Fully sharded training (FSDP2): base, adapter and optimizer state are split over the ranks, whole in checkpoints."""

from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from .ranks import rank_count


def shard(model: Any, device: str) -> None:
    """Splits a model in place, one group of tensors per decoder layer and one for the rest.

    Call after the adapter has its numbers and before the optimizer is made. Every forward and backward pass is a common
    one from then on: all ranks must run as many.
    """
    mesh = init_device_mesh(device, (rank_count(),))
    names = set(model.get_base_model()._no_split_modules or ())
    for module in list(model.modules()):
        if type(module).__name__ in names:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def is_sharded(model: Any) -> bool:
    """Whether `shard` was called on the model."""
    return isinstance(model, FSDPModule)


def reduce_with_next_backward(model: Any, *, last: bool) -> None:
    """Gradients stay on their rank until the last micro-batch of a step, and are reduced with its backward pass."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor with all ranks' parts; every rank must call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_optimizer_state(optimizer: Any) -> dict[str, Any]:
    """The optimizer's state as one process would have it, on the CPU; every rank must call it."""
    state = optimizer.state_dict()
    return state | {
        "state": {
            number: {name: whole(value).cpu() if torch.is_tensor(value) else value for name, value in values.items()}
            for number, values in state["state"].items()
        }
    }


def shard_optimizer_state(optimizer: Any) -> None:
    """Splits state that was loaded whole as its parameters are split."""
    for parameter, values in optimizer.state.items():
        if isinstance(parameter, DTensor):
            for name, value in values.items():
                if torch.is_tensor(value) and not isinstance(value, DTensor) and value.shape == parameter.shape:
                    values[name] = distribute_tensor(value, parameter.device_mesh, parameter.placements)
