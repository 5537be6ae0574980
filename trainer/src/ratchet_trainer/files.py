"""Files that are whole or absent: digests, JSON lines, atomic renames."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from .errors import InvalidJobError, PreflightError
from .texts import encodable, refuse_lone_surrogate


def sha256_of(path: str | Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_rows(path: str, field: str) -> list[dict[str, Any]]:
    """Reads a JSON-lines file.

    Args:
        path: The file.
        field: Name of the job field that points to it, for messages.
    Raises:
        InvalidJobError: Missing or unreadable file, a line that is not a JSON object.
        PreflightError: No rows.
    """
    rows: list[dict[str, Any]] = []
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                row: object = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} is not an object")
                rows.append(cast("dict[str, Any]", row))
    except OSError as error:
        raise InvalidJobError(
            "unreadableFile", f"{field}: {path}: {error.strerror}", f"Point {field} to a file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidJobError("notJsonLines", f"{field}: {path}: {error}", "One JSON object per line.") from error
    if not rows:
        raise PreflightError("emptyData", f"{field}: {path} has no rows", "Check what the data step filtered away.")
    return rows


def read_items(path: str, field: str, texts: Sequence[str], fix: str) -> Iterator[dict[str, Any]]:
    """Reads a JSON-lines file whose rows have ids; each row is checked when its turn comes.

    Args:
        path: The file.
        field: Name of the job field that points to it, for messages.
        texts: Fields that must be texts, `id` among them.
        fix: What to do about a row that lacks one.
    Raises:
        InvalidJobError: As `read_rows`.
        PreflightError: No rows, a field that is no whole text, an id that appears twice.
    """
    seen: set[str] = set()
    for number, row in enumerate(read_rows(path, field), 1):
        for name in texts:
            if not isinstance(row.get(name), str):
                raise PreflightError("missingField", f"{field}: row {number} has no text in field {name!r}", fix)
            refuse_lone_surrogate(row[name], f"{field}: row {number}, field {name!r}")
        if row["id"] in seen:
            raise PreflightError("duplicateId", f"{field}: id {row['id']!r} appears twice", "Make ids unique.")
        seen.add(row["id"])
        yield row


def sync_tree(folder: Path) -> None:
    """Flushes every file of a folder, and the folder, to disk."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def replace_folder(temporary: Path, final: Path) -> None:
    """Puts a finished folder in its place; readers see the old one, the new one, or for an instant none."""
    if final.exists():
        old = final.with_name(f".{final.name}.old-{os.getpid()}")
        final.rename(old)
        temporary.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    else:
        temporary.rename(final)
    handle = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, lines: Iterable[bytes]) -> None:
    """Writes a file under a temporary name, flushes it and renames it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def json_line(row: dict[str, Any]) -> bytes:
    """One row as a line of UTF-8; half a character is replaced."""
    text, _ = encodable(json.dumps(row, ensure_ascii=False, allow_nan=False))
    return text.encode() + b"\n"


def whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a file that was appended to; a last line cut by a crash is left out."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            yield json.loads(line)
        except ValueError:
            return
