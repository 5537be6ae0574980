"""Digests that tie an adapter to the base it was trained on."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, cast

from .errors import InvalidJobError, TrainerError
from .files import sha256_of, write_whole

_WEIGHTS = (".safetensors", ".bin")
_OTHERS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
)

PROVENANCE_FILE = "ratchet.json"
"""Beside an adapter's weights: which base, data and job it came from."""


def base_folder(path: str, revision: str | None = None) -> Path:
    """Local folder of a base model; a hub id is downloaded (or found in the hub cache) first.

    Raises:
        InvalidJobError: Neither a folder with config.json nor a hub id.
        TrainerError: The hub does not answer, or is busy.
    """
    folder = Path(path)
    if (folder / "config.json").is_file():
        return folder
    fix = (
        "Point base.path to a folder with config.json, weights and tokenizer, or to a hub id that this host can reach."
    )
    if folder.is_absolute() or folder.is_dir():
        raise InvalidJobError("noBase", f"base.path: {path} has no config.json", fix)
    try:
        from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]

        return Path(str(snapshot_download(path, revision=revision)))
    except Exception as error:
        if _hub_is_away(error):
            fix = "It is tried again; where this host has no way to the hub, point base.path to a folder."
            raise TrainerError("hubUnreachable", f"base.path: {path}: {error}", fix) from error
        raise InvalidJobError("noBase", f"base.path: {path}: {error}", fix) from error


def _hub_is_away(error: Exception) -> bool:
    """Whether the hub did not answer, or with an error of its own, as against an answer that there is no such base."""
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if constants.HF_HUB_OFFLINE:
        return False
    # "Not in the cache either" says nothing by itself: what the hub had answered before is its cause.
    asked = error.__cause__ if isinstance(error, LocalEntryNotFoundError) and error.__cause__ else error
    if isinstance(asked, HfHubHTTPError):
        status = asked.response.status_code
        return status in (408, 429) or status >= 500
    no_answer = isinstance(asked, ConnectionError | TimeoutError | LocalEntryNotFoundError)
    return no_answer or type(asked).__module__.startswith(("httpx", "httpcore"))


def base_digest(folder: Path) -> str:
    """Hex SHA-256 over the sorted lines `name sha256` of config, weights and tokenizer files.

    Hashing gigabytes takes seconds, so file digests are remembered in the user's cache folder under path, size and
    modification time.
    """
    names = sorted(p.name for p in folder.iterdir() if p.name in _OTHERS or p.suffix in _WEIGHTS)
    remembered = _read_cache()
    before = dict(remembered)
    lines: list[str] = []
    for name in names:
        stat = (folder / name).stat()
        key = f"{(folder / name).resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
        if key not in remembered:
            remembered[key] = sha256_of(folder / name)
        lines.append(f"{name} {remembered[key]}\n")
    if remembered != before:
        write_whole(_cache_file(), [json.dumps(remembered).encode()])
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def adapter_digest(folder: Path) -> str:
    """Hex SHA-256 of `adapter_model.safetensors`."""
    return sha256_of(folder / "adapter_model.safetensors")


def read_provenance(adapter: Path) -> dict[str, Any] | None:
    """Contents of `ratchet.json` beside an adapter; None where another tool made the adapter."""
    try:
        return cast("dict[str, Any]", json.loads((adapter / PROVENANCE_FILE).read_text("utf-8")))
    except FileNotFoundError:
        return None


def _cache_file() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "ratchet" / "file-digests.json"


def _read_cache() -> dict[str, str]:
    try:
        return cast("dict[str, str]", json.loads(_cache_file().read_text("utf-8")))
    except (OSError, ValueError):
        return {}
