"""What generation engines share: items, results, stop strings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """One item."""

    id: str
    text: str
    seed: int


@dataclass(frozen=True)
class Text:
    """One result; `tokens` counts new tokens with the end token."""

    id: str
    text: str
    tokens: int
    finish: str

    def row(self) -> dict[str, Any]:
        """The line of the output file."""
        return {"id": self.id, "text": self.text, "tokens": self.tokens, "finish": self.finish}


Engine = Callable[[Sequence[Prompt]], list[Text]]
"""Generates one batch, results in the order of the prompts."""


def text_before_stop(text: str, stop: Sequence[str]) -> str:
    """Cuts a text before the first stop string in it."""
    places = [place for place in (text.find(one) for one in stop) if place >= 0]
    return text[: min(places)] if places else text
