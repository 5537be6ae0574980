# pyright: basic
"""Token rows as tensors: padded, or packed into one row per micro-batch."""

from collections.abc import Sequence
from typing import Any

import torch

from .errors import PreflightError
from .rows import IGNORED, PairRow, TokenRow


def collate(rows: Sequence[TokenRow], pad_token: int, *, weighted: bool = True) -> dict[str, torch.Tensor]:
    """Pads rows on the right.

    Returns:
        `input_ids`, `labels`, `attention_mask`: i64[rows, longest]; `token_weights`: f32, the row's weight on every
        token (1 when not `weighted`).
    """
    longest = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), longest), pad_token)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    weights = torch.ones((len(rows), longest))
    for number, row in enumerate(rows):
        length = len(row.ids)
        ids[number, :length] = torch.tensor(row.ids)
        labels[number, :length] = torch.tensor(row.labels)
        mask[number, :length] = 1
        if weighted:
            weights[number] = row.weight
    return {"input_ids": ids, "labels": labels, "attention_mask": mask, "token_weights": weights}


def collate_packed(rows: Sequence[TokenRow]) -> dict[str, torch.Tensor]:
    """Puts rows end to end in one row; positions start again at 0 with each.

    Without an attention mask, transformers builds a block-diagonal one from the positions (or hands the boundaries to
    a variable-length kernel). The first token of a row is never a target: the row before it must not predict it.

    Returns:
        `input_ids`, `labels`, `position_ids`: i64[1, tokens]; `token_weights`: f32[1, tokens].
    """
    labels = [[IGNORED, *row.labels[1:]] for row in rows]
    return {
        "input_ids": torch.tensor([[token for row in rows for token in row.ids]]),
        "labels": torch.tensor([[label for row in labels for label in row]]),
        "position_ids": torch.tensor([[position for row in rows for position in range(len(row.ids))]]),
        "token_weights": torch.tensor([[row.weight for row in rows for _ in row.ids]]),
    }


def bins_of(numbers: Sequence[int], lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """First-fit decreasing: groups rows so that each group's tokens fit the capacity."""
    bins: list[list[int]] = []
    room: list[int] = []
    for number in sorted(numbers, key=lambda row: (-lengths[row], row)):
        place = next((index for index, left in enumerate(room) if left >= lengths[number]), None)
        if place is None:
            bins.append([])
            room.append(capacity)
            place = len(bins) - 1
        bins[place].append(number)
        room[place] -= lengths[number]
    return bins


def collate_pairs(pairs: Sequence[PairRow], pad_token: int) -> dict[str, torch.Tensor]:
    """Pads pairs on the right; the chosen rows come first, then the rejected ones.

    Returns:
        `input_ids`, `labels`, `attention_mask`: i64[2 * pairs, longest].
    """
    batch = collate([*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)], pad_token)
    del batch["token_weights"]
    return batch


def refuse_leaking_attention(model: Any, rows: Sequence[TokenRow], device: str) -> None:
    """Tries packing on this very model: a row must score the same alone and behind another row.

    Raises:
        PreflightError: `packingUnsound`.
    """
    first, second = rows[0], rows[-1]
    packed = collate_packed([first, second])
    alone = collate_packed([second])
    was_training = model.training
    model.eval()
    with torch.no_grad():
        together = _logits(model, packed, device)[:, len(first.ids) :]
        apart = _logits(model, alone, device)
    model.train(was_training)
    tolerance = 1e-3 if together.dtype == torch.float32 else 0.1
    if not torch.allclose(together, apart, rtol=tolerance, atol=tolerance * float(apart.abs().max())):
        message = "packing: attention of this base leaks between packed rows (logits change with the row before)"
        raise PreflightError("packingUnsound", message, "Set packing to false.")


def _logits(model: Any, batch: dict[str, torch.Tensor], device: str) -> torch.Tensor:
    inputs = {name: batch[name].to(device) for name in ("input_ids", "position_ids")}
    return model(**inputs, use_cache=False).logits
