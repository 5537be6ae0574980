"""Checks before any training: what would train nothing, or the wrong thing, is refused while it is still cheap."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, cast

from .errors import InvalidJobError, PreflightError
from .events import EventStream
from .rows import Encoding, TokenRow

_TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "mlflow": ("mlflow",), "wandb": ("wandb",)}


def check_trackers(report_to: Sequence[str]) -> None:
    """Refuses trackers that are not installed.

    Raises:
        InvalidJobError: Names the extra to install.
    """
    for tracker in report_to:
        if not any(find_spec(module) for module in _TRACKERS[tracker]):
            fix = f"Install it (uv sync --extra {tracker}) or take it out of reportTo."
            raise InvalidJobError("trackerMissing", f"reportTo: {tracker} is not installed", fix)


def check_rows(
    rows: Sequence[TokenRow], encoding: Encoding, total: int, end_token: int, max_truncated_share: float, field: str
) -> float:
    """Refuses data without supervised tokens, without a trained end token, or cut too often.

    Args:
        rows: Rows that are left after truncation.
        encoding: What truncation did.
        total: Completions before it.
        end_token: Id of the tokenizer's end token.
        max_truncated_share: The job's limit.
        field: Name of the file's job field.
    Returns:
        Share of completions that were truncated.
    Raises:
        PreflightError: `tooManyTruncated`, `zeroSupervisedTokens` or `untrainedStopToken`.
    """
    share = encoding.truncated / total
    if share > max_truncated_share:
        message = (
            f"{field}: {encoding.truncated} of {total} completions ({share:.1%}) are longer than "
            f"optimisation.maxLength; preflight.maxTruncatedShare allows {max_truncated_share:.1%}"
        )
        raise PreflightError("tooManyTruncated", message, "Raise optimisation.maxLength or shorten the texts.")
    if not rows or sum(row.supervised for row in rows if row.weight > 0) == 0:
        fix = "Completions must be non-empty, and maxLength longer than the prompts."
        raise PreflightError("zeroSupervisedTokens", f"{field}: no row has a token to train on", fix)
    if not any(row.ids[-1] == end_token for row in rows if row.weight > 0):
        message = f"{field}: no row keeps its end token after truncation; the model would never learn to stop"
        raise PreflightError("untrainedStopToken", message, "Raise optimisation.maxLength above the longest row.")
    return share


def check_end_token(model: Any, tokenizer: Any) -> None:
    """Refuses a base whose generation stops at other tokens than the one that training supervises.

    Raises:
        PreflightError: `untrainedStopToken`.
    """
    configured = model.generation_config.eos_token_id
    stops = cast(
        "list[int]", configured if isinstance(configured, list) else [configured] if configured is not None else []
    )
    if stops and tokenizer.eos_token_id not in stops:
        message = (
            f"base.path: generation stops at token {stops}, the tokenizer's end token is {tokenizer.eos_token_id}: "
            "training would teach a token at which generation does not stop"
        )
        fix = "Make eos_token_id in generation_config.json contain the tokenizer's end token."
        raise PreflightError("untrainedStopToken", message, fix)


def warn_about(encoding: Encoding, events: EventStream, field: str) -> None:
    """Reports what is worth knowing but no reason to refuse."""
    if encoding.dropped:
        message = f"{field}: {encoding.dropped} rows left out: their prompts alone fill optimisation.maxLength"
        events.emit("warning", code="rowsDropped", message=message)
    if encoding.empty:
        message = f"{field}: {encoding.empty} completions are empty; they teach the model to answer nothing"
        events.emit("warning", code="emptyCompletions", message=message)
    if encoding.merged:
        message = f"{field}: in {encoding.merged} rows prompt and completion share a token; tokenized apart"
        events.emit("warning", code="boundaryMerged", message=message)
