"""Rows that are done, beside the file they will become: an interrupted job goes on instead of starting again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .digests import adapter_digest
from .errors import InvalidJobError
from .files import json_line, whole_lines, write_whole
from .job import Adapter
from .run_state import digest_of


class PartialRows:
    """Rows of a job by id; what an earlier attempt at the same job left is gone on with.

    Args:
        output_file: Where the whole file will be; the rows lie in `<output_file>.partial` until then.
        identity: Everything that the rows depend on. Rows of another identity are thrown away.
    """

    def __init__(self, output_file: str, identity: dict[str, Any]) -> None:
        self._output = Path(output_file)
        self._path = Path(f"{output_file}.partial")
        key = digest_of(identity)
        rows = list(whole_lines(self._path))
        kept = rows[1:] if rows and rows[0].get("key") == key else []
        write_whole(self._path, map(json_line, [{"key": key}, *kept]))
        self.done: dict[str, dict[str, Any]] = {row["id"]: row for row in kept}
        self._file = open(self._path, "ab")  # noqa: SIM115 - open from batch to batch, until `finish`

    def add(self, row: dict[str, Any]) -> None:
        """Appends one row."""
        self.done[row["id"]] = row
        self._file.write(json_line(row))

    def flush(self) -> None:
        """Hands what was added to the operating system; it survives the death of this process."""
        self._file.flush()

    def finish(self, ids: Sequence[str]) -> None:
        """Writes the whole file, rows in the order of the ids, and drops this one."""
        write_whole(self._output, (json_line(self.done[name]) for name in ids))
        self._file.close()
        self._path.unlink()


def digest_of_adapter(adapter: Adapter | None) -> str | None:
    """Digest of the weights that a job names; None for the bare base.

    Raises:
        InvalidJobError: No adapter there.
    """
    if adapter is None:
        return None
    try:
        return adapter_digest(Path(adapter.path))
    except OSError as error:
        fix = "Point adapter.path to a folder with adapter_config.json and adapter_model.safetensors."
        raise InvalidJobError("noAdapter", f"adapter.path: {error}", fix) from error
