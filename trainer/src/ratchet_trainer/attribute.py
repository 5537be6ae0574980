# pyright: basic
# transformers is only partly typed.
"""Attribution jobs: answers in, their attributions to the tokens of the prompt out, resumable after every answer."""

import os
import time
from collections.abc import Sequence
from typing import Any

import torch

from .attribution import Attributor, Encoded, Item, encode_item
from .base_model import load_base
from .errors import PreflightError
from .events import EventStream
from .files import read_items, sha256_of
from .inference import inference_model
from .interrupts import Interrupts
from .job import AttributeJob
from .partial_rows import PartialRows, digest_of_adapter
from .runtime import be_deterministic, default_threads, device_name, use_threads


def run_attribute(job: AttributeJob, events: EventStream, interrupts: Interrupts, read_at: float) -> None:
    """Runs one attribution job to its `result` event.

    Raises:
        InvalidJobError, PreflightError, InterruptedJobError, OutOfMemoryError: See `errors`.
    """
    items = _items(job)
    partial = PartialRows(job.output_file, _identity(job))
    pending = [item for item in items if item.id not in partial.done]
    work = _Work(job, pending, events) if pending else None
    events.emit("started", pid=os.getpid(), startupSeconds=time.monotonic() - read_at, device=device_name())
    began = time.monotonic()
    tokens = 0
    while work is not None and work.left:
        interrupts.check(f"after {len(partial.done)} of {len(items)} answers; they are kept")
        row, length = work.next()
        partial.add(row)
        partial.flush()
        tokens += length * job.steps
        rate = tokens / max(time.monotonic() - began, 1e-9)
        events.emit("generated", done=len(partial.done), total=len(items), tokensPerSecond=rate)
    partial.finish([item.id for item in items])
    events.emit("result", outputFile=job.output_file, rows=len(items), seconds=time.monotonic() - read_at)


class _Work:
    """Items with the model loaded, the longest first: running out of memory shows at once."""

    def __init__(self, job: AttributeJob, items: Sequence[Item], events: EventStream) -> None:
        base = load_base(job.base)
        encoded = [(item, encode_item(base.tokenizer, item)) for item in items]
        base.check_ids((f"itemsFile: item {item.id!r}", one.ids) for item, one in encoded)
        self.left: list[tuple[Item, Encoded]] = sorted(encoded, key=lambda pair: (len(pair[1].ids), pair[0].id))
        longest = len(self.left[-1][1].ids)
        use_threads(default_threads(base.model.num_parameters(), job.batch_size * longest))
        be_deterministic(job.seed, strict=False)
        self._attributor = Attributor(inference_model(job, base), base.tokenizer, job.steps)
        self._points = job.batch_size
        self._events = events

    def next(self) -> tuple[dict[str, Any], int]:
        """Row of the next item and its tokens; takes fewer points at once where memory does not suffice for more."""
        item, encoded = self.left.pop()
        while True:
            try:
                return self._attributor.row(item, encoded, self._points), len(encoded.ids)
            except torch.OutOfMemoryError:
                if self._points == 1:
                    raise
            self._points = max(1, self._points // 2)
            message = f"out of memory: {self._points} points of the path at once from here on"
            self._events.emit("warning", code="smallerBatch", message=message)


def _items(job: AttributeJob) -> list[Item]:
    items: list[Item] = []
    texts = ("id", "prompt", "answer", "other")
    fix = "Every row needs id, prompt, draft, answer and other."
    for number, row in enumerate(read_items(job.items_file, "itemsFile", texts, fix), 1):
        draft = row.get("draft")
        if not isinstance(draft, list) or not all(_is_range(each, len(row["prompt"])) for each in draft):
            message = f"itemsFile: row {number}: draft is no list of [start, end] within the prompt"
            raise PreflightError("missingField", message, "Places are counted in code points, from 0.")
        ranges = [(start, end) for start, end in draft]
        items.append(Item(row["id"], row["prompt"], ranges, row["answer"], row["other"]))
    return items


def _is_range(value: Any, length: int) -> bool:
    match value:
        case [int(start), int(end)]:
            return 0 <= start <= end <= length
        case _:
            return False


def _identity(job: AttributeJob) -> dict[str, Any]:
    return {
        "items": sha256_of(job.items_file),
        "adapter": digest_of_adapter(job.adapter),
        "base": vars(job.base),
        "steps": job.steps,
    }
