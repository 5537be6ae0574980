"""Texts that can be written as UTF-8: JSON may hold half a character (a lone surrogate), a file cannot."""

import re

from .errors import PreflightError

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def encodable(text: str) -> tuple[str, int]:
    """The text with every lone surrogate replaced, and how many there were."""
    return _LONE_SURROGATE.subn(REPLACEMENT, text)


def lone_surrogate(text: str) -> str | None:
    """The first half of a character in a text, as JSON writes it; None where there is none."""
    found = _LONE_SURROGATE.search(text)
    return None if found is None else f"\\u{ord(found[0]):04x}"


def refuse_lone_surrogate(text: str, where: str) -> None:
    """Refuses a text that no tokenizer takes and no file holds.

    Args:
        text: The text.
        where: File, row and field, for the message.
    Raises:
        PreflightError: `invalidText`.
    """
    half = lone_surrogate(text)
    if half is not None:
        message = f"{where} holds half a character ({half} without its other half)"
        raise PreflightError("invalidText", message, "Replace it in the data, or leave the row out.")
