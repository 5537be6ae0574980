# pyright: basic
# Tokenizers are only partly typed.
"""Turns text rows into token rows, the same way for training and generation."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import PreflightError
from .texts import refuse_lone_surrogate

IGNORED = -100
"""Label of tokens without loss."""


@dataclass(frozen=True)
class TokenRow:
    """One prompt with its completion.

    Attributes:
        ids: Tokens of prompt and completion, the end token included unless it was cut.
        prompt_length: Leading tokens without loss.
        weight: Factor of the row's loss, 1 by default.
    """

    ids: list[int]
    prompt_length: int
    weight: float = 1.0

    @property
    def labels(self) -> list[int]:
        """Targets: `IGNORED` on the prompt, the token itself on the completion."""
        return [IGNORED] * self.prompt_length + self.ids[self.prompt_length :]

    @property
    def supervised(self) -> int:
        """Tokens with loss; the very first token of a row is never predicted."""
        return len(self.ids) - max(self.prompt_length, 1)


@dataclass(frozen=True)
class Encoding:
    """Outcome of encoding a file.

    Attributes:
        truncated: Completions that were longer than the limit, dropped ones included.
        dropped: Completions that kept no supervised token.
        merged: Rows whose prompt and completion merge into one token when tokenized together.
        empty: Completions without text.
    """

    truncated: int
    dropped: int
    merged: int
    empty: int = 0


def require_text(rows: Sequence[dict[str, Any]], fields: Sequence[str], file_field: str) -> None:
    """Refuses rows without their fields.

    Raises:
        PreflightError: A field is missing, not a string, or no whole text; names the row and the field.
    """
    for number, row in enumerate(rows, 1):
        for name in fields:
            if not isinstance(row.get(name), str):
                message = (
                    f"{file_field}: row {number} has no text in field {name!r}; it has {', '.join(row) or 'nothing'}"
                )
                fix = f"Every row needs {', '.join(fields)}; check the template that wrote the file."
                raise PreflightError("missingField", message, fix)
            refuse_lone_surrogate(row[name], f"{file_field}: row {number}, field {name!r}")


def weights_of(rows: Sequence[dict[str, Any]], file_field: str) -> list[float]:
    """Row weights, 1 where absent.

    Raises:
        PreflightError: A weight that is not a finite number >= 0, or all of them 0.
    """
    weights: list[float] = []
    for number, row in enumerate(rows, 1):
        weight = row.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or weight < 0:
            message = f"{file_field}: row {number} has weight {weight!r}"
            raise PreflightError(
                "nonFiniteWeight", message, "Weights are finite numbers >= 0; leave the field out for 1."
            )
        weights.append(float(weight))
    if not any(weights):
        raise PreflightError("nonFiniteWeight", f"{file_field}: all weights are 0", "Give some rows a positive weight.")
    return weights


def encode(tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]) -> tuple[list[TokenRow], int]:
    """Tokenizes pairs; the end token closes every completion and is supervised.

    Prompt and completion are tokenized together when the prompt's own tokens are a prefix of that, else apart: the
    training context is always what generation will see.

    Returns:
        Rows without truncation, and in how many the two merge across the boundary.
    """
    alone = tokenizer(list(prompts))["input_ids"]
    together = tokenizer([p + c for p, c in zip(prompts, completions, strict=True)])["input_ids"]
    end = tokenizer.eos_token_id
    rows: list[TokenRow] = []
    merged = 0
    for prompt_ids, ids, completion in zip(alone, together, completions, strict=True):
        if ids[: len(prompt_ids)] != prompt_ids:
            merged += 1
            ids = prompt_ids + tokenizer(completion, add_special_tokens=False)["input_ids"]
        if ids[-1:] != [end]:
            ids = [*ids, end]
        rows.append(TokenRow(ids, len(prompt_ids)))
    return rows, merged


def truncate(row: TokenRow, max_length: int) -> TokenRow:
    """Keeps the first `max_length` tokens."""
    return TokenRow(row.ids[:max_length], min(row.prompt_length, max_length), row.weight)


CheckIds = Callable[[Iterable[tuple[str, Sequence[int]]]], None]
"""Refuses tokens that the base does not have, given where each row stands; see `vocabulary.check_ids`."""


def encode_prompt_completion(
    tokenizer: Any,
    rows: Sequence[dict[str, Any]],
    max_length: int,
    file_field: str,
    check_ids: CheckIds = lambda _: None,
) -> tuple[list[TokenRow], Encoding]:
    """Encodes SFT rows; rows that keep no supervised token are left out.

    Raises:
        PreflightError: Missing fields, bad weights, what `check_ids` refuses.
    """
    require_text(rows, ["prompt", "completion"], file_field)
    weights = weights_of(rows, file_field)
    whole, merged = encode(tokenizer, [row["prompt"] for row in rows], [row["completion"] for row in rows])
    cut = [
        truncate(TokenRow(row.ids, row.prompt_length, weight), max_length)
        for row, weight in zip(whole, weights, strict=True)
    ]
    check_ids((f"{file_field}: row {number}", row.ids) for number, row in enumerate(cut, 1))
    truncated = sum(len(row.ids) > max_length for row in whole)
    kept = [row for row in cut if row.supervised > 0]
    empty = sum(row["completion"] == "" for row in rows)
    return kept, Encoding(truncated, len(cut) - len(kept), merged, empty)


@dataclass(frozen=True)
class PairRow:
    """A preference pair; both rows share the prompt."""

    chosen: TokenRow
    rejected: TokenRow

    @property
    def length(self) -> int:
        """Tokens of the longer side."""
        return max(len(self.chosen.ids), len(self.rejected.ids))


def encode_pairs(
    tokenizer: Any,
    rows: Sequence[dict[str, Any]],
    max_length: int,
    file_field: str,
    check_ids: CheckIds = lambda _: None,
) -> tuple[list[PairRow], Encoding]:
    """Encodes DPO rows; pairs in which a side keeps no supervised token are left out.

    Raises:
        PreflightError: Missing fields, what `check_ids` refuses.
    """
    require_text(rows, ["prompt", "chosen", "rejected"], file_field)
    prompts = [row["prompt"] for row in rows]
    chosen, merged_chosen = encode(tokenizer, prompts, [row["chosen"] for row in rows])
    rejected, merged_rejected = encode(tokenizer, prompts, [row["rejected"] for row in rows])
    cut = [
        PairRow(truncate(good, max_length), truncate(bad, max_length))
        for good, bad in zip(chosen, rejected, strict=True)
    ]
    for name, sides in (("chosen", [pair.chosen for pair in cut]), ("rejected", [pair.rejected for pair in cut])):
        check_ids((f"{file_field}: row {number}, {name}", side.ids) for number, side in enumerate(sides, 1))
    truncated = sum(len(row.ids) > max_length for row in [*chosen, *rejected])
    kept = [pair for pair in cut if min(pair.chosen.supervised, pair.rejected.supervised) > 0]
    return kept, Encoding(truncated, len(cut) - len(kept), merged_chosen + merged_rejected)
