# pyright: basic
# transformers' models and caches are only partly typed.
"""Token by token generation for a batch of prompts.

`model.generate` draws random numbers for the whole batch from one generator, so that an item's text depends on its
neighbours, and goes on computing rows that have ended. This loop gives every row its own random numbers and takes
finished rows out of the batch. Greedy texts are those of `model.generate`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from .job import Sampling
from .sampling import next_tokens, uniforms

COMPACT_BELOW = 0.75
"""Finished rows leave the batch when fewer than this share of it is still going."""


@dataclass
class Generated:
    """One finished text.

    Attributes:
        tokens: New tokens, the end token included.
        finish: `stop` at the end token or a stop string, `length` at the limit.
    """

    tokens: list[int] = field(default_factory=list)
    finish: str = "length"


def _pad_left(prompts: Sequence[Sequence[int]], pad: int, device: str) -> tuple[Tensor, Tensor]:
    longest = max(map(len, prompts))
    ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return ids, mask


@torch.inference_mode()
def decode_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    pad_token: int,
    end_tokens: set[int],
    stops: Callable[[list[int]], bool],
) -> list[Generated]:
    """Generates for one batch.

    Args:
        model: Causal language model in evaluation mode.
        prompts: Token ids per row, at least one each.
        seeds: Per row; unused when greedy.
        sampling: Limits and temperature.
        pad_token: Fills on the left.
        end_tokens: Tokens that end a text.
        stops: Says whether the text of these new tokens holds a stop string.
    Returns:
        Per row, in the order of `prompts`.
    """
    device = str(model.device)
    cache = DynamicCache(config=model.config)
    draws = uniforms(seeds, sampling.max_new_tokens).to(device) if sampling.temperature > 0 else None
    done = [Generated() for _ in prompts]
    rows = list(range(len(prompts)))  # who is still going
    ids, mask = _pad_left(prompts, pad_token, device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    for index in range(sampling.max_new_tokens):
        logits = (
            model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            .logits[:, -1]
            .float()
        )
        draw = None if draws is None else draws[rows, index]
        tokens = next_tokens(logits, sampling, draw)
        going = _append(done, rows, tokens.tolist(), end_tokens, stops)
        if not going:
            break
        if len(going) < COMPACT_BELOW * len(rows):
            keep = torch.tensor(going, device=device)
            tokens, mask, positions = tokens[keep], mask[keep], positions[keep]
            cache.batch_select_indices(keep)
            rows = [rows[place] for place in going]
        ids = tokens.unsqueeze(-1)
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=-1)
        positions = positions[:, -1:] + 1
    return done


def _append(
    done: list[Generated],
    rows: list[int],
    tokens: list[int],
    end_tokens: set[int],
    stops: Callable[[list[int]], bool],
) -> list[int]:
    """Adds one token to every row that is still going; returns the places in the batch that go on."""
    going: list[int] = []
    for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        text = done[row]
        if text.finish == "stop":
            continue  # finished earlier, still in the batch
        text.tokens.append(token)
        if token in end_tokens or stops(text.tokens):
            text.finish = "stop"
        else:
            going.append(place)
    return going
