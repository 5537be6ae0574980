# pyright: basic
# transformers' tokenizers and configurations are only partly typed.
"""Tokens that a base has no embedding for: on a CPU looking one up raises an error, on a GPU it ends the context."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .errors import PreflightError

_USED = ("pad_token", "eos_token", "bos_token", "unk_token")
"""Special tokens that come into rows by themselves."""


def embeddings_of(config: Any) -> int:
    """Rows of the embedding matrix of a base: ids below it have an embedding."""
    return int(config.get_text_config(decoder=True).vocab_size)


def check_special_tokens(tokenizer: Any, config: Any, folder: Path) -> None:
    """Refuses a base whose tokenizer puts tokens into rows that the model does not have.

    Ordinary tokens beyond the embeddings are refused where a text has them (`check_ids`): the tokenizers of some good
    bases know a few tokens more, for models that see images.

    Raises:
        PreflightError: `tokenBeyondEmbeddings`.
    """
    rows = embeddings_of(config)
    beyond = [
        f"{name} {getattr(tokenizer, name)!r} has id {getattr(tokenizer, f'{name}_id')}"
        for name in _USED
        if (getattr(tokenizer, f"{name}_id") or 0) >= rows
    ]
    padding = config.get_text_config(decoder=True).pad_token_id
    if padding is not None and padding >= rows:
        beyond.append(f"pad_token_id of config.json is {padding}")
    if beyond:
        fix = (
            f"Resize the base's embeddings to {len(tokenizer)} tokens (resize_token_embeddings) and save it, or name a "
            "token below that in tokenizer_config.json and config.json; padding may be the end token."
        )
        raise PreflightError("tokenBeyondEmbeddings", f"base.path: {_sizes(tokenizer, rows, folder)}: {beyond[0]}", fix)


def check_ids(tokenizer: Any, rows: int, folder: Path, named: Iterable[tuple[str, Sequence[int]]]) -> None:
    """Refuses rows with tokens that the base has no embedding for.

    Args:
        tokenizer: Of the base.
        rows: See `embeddings_of`.
        folder: Of the base, for the message.
        named: Where each row stands, and its tokens.
    Raises:
        PreflightError: `tokenBeyondEmbeddings`.
    """
    for where, ids in named:
        token = max(ids, default=0)
        if token >= rows:
            text = tokenizer.convert_ids_to_tokens(token)
            message = f"{where}: token {text!r} has id {token}; base.path: {_sizes(tokenizer, rows, folder)}"
            fix = (
                "Take the tokenizer that belongs to the base, or the token out of the texts, or resize its embeddings."
            )
            raise PreflightError("tokenBeyondEmbeddings", message, fix)


def _sizes(tokenizer: Any, rows: int, folder: Path) -> str:
    return f"{folder} has embeddings for {rows} tokens (ids 0 to {rows - 1}), its tokenizer knows {len(tokenizer)}"
