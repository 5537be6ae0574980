"""Generation jobs: prompts in, texts out, resumable after every batch."""

import os
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from .errors import InvalidJobError, PreflightError
from .events import EventStream
from .files import read_items, sha256_of
from .generation import Engine, Prompt
from .interrupts import Interrupts
from .job import GenerateJob
from .partial_rows import PartialRows, digest_of_adapter
from .runtime import device_name
from .sampling import item_seed
from .texts import REPLACEMENT, encodable


def run_generate(job: GenerateJob, events: EventStream, interrupts: Interrupts, read_at: float) -> None:
    """Runs one generation job to its `result` event.

    Raises:
        InvalidJobError, PreflightError, InterruptedJobError: See `errors`.
    """
    prompts = _prompts(job)
    partial = PartialRows(job.output_file, _identity(job))
    done = partial.done
    pending = [prompt for prompt in prompts if prompt.id not in done]
    engine, size = _engine(job, pending) if pending else (None, 1)
    events.emit("started", pid=os.getpid(), startupSeconds=time.monotonic() - read_at, device=device_name())
    began = time.monotonic()
    tokens = replaced = 0
    for batch in _batches(pending, size):
        assert engine is not None
        interrupts.check(f"after {len(done)} of {len(prompts)} texts; they are kept")
        for text in engine(batch):
            tokens += text.tokens
            whole, halves = encodable(text.text)
            replaced += halves
            partial.add(text.row() | {"text": whole})
        partial.flush()
        rate = tokens / max(time.monotonic() - began, 1e-9)
        events.emit("generated", done=len(done), total=len(prompts), tokensPerSecond=rate)
    if replaced:
        message = f"{replaced} halves of characters in generated texts were replaced by {REPLACEMENT}"
        events.emit("warning", code="charactersReplaced", message=message)
    partial.finish([prompt.id for prompt in prompts])
    events.emit("result", outputFile=job.output_file, rows=len(prompts), seconds=time.monotonic() - read_at)


def _prompts(job: GenerateJob) -> list[Prompt]:
    prompts: list[Prompt] = []
    for row in read_items(job.prompts_file, "promptsFile", ("id", "prompt"), "Every row needs id and prompt."):
        seed = row.get("seed")
        if seed is None:
            seed = item_seed(job.seed, row["id"])
        elif type(seed) is not int or not 0 <= seed < 2**64:
            message = f"promptsFile: id {row['id']!r} has seed {seed!r}"
            raise PreflightError(
                "invalidSeed", message, "Seeds are whole numbers from 0 to 2^64 - 1; leave the field out."
            )
        prompts.append(Prompt(row["id"], row["prompt"], seed))
    return prompts


def _identity(job: GenerateJob) -> dict[str, Any]:
    return {
        "prompts": sha256_of(job.prompts_file),
        "adapter": digest_of_adapter(job.adapter),
        "base": vars(job.base),
        "sampling": vars(job.sampling),
        "seed": job.seed,
    }


def _batches(prompts: Sequence[Prompt], size: int) -> Iterator[list[Prompt]]:
    """Batches of similar length, the longest first: running out of memory shows at once."""
    ordered = sorted(prompts, key=lambda prompt: (-len(prompt.text), prompt.id))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _engine(job: GenerateJob, prompts: Sequence[Prompt]) -> tuple[Engine, int]:
    """Engine and prompts per call."""
    cuda = device_name() == "cuda"
    installed = find_spec("vllm") is not None
    if job.engine == "vllm" and not (installed and cuda):
        missing = "of no use without a CUDA device" if installed else "not installed"
        fix = "Set engine to auto, or install it on a CUDA host: uv sync --no-dev --extra vllm."
        raise InvalidJobError("engineMissing", f"engine: vllm is {missing}", fix)
    if job.engine == "vllm" or (job.engine == "auto" and installed and cuda):
        from .vllm_engine import PROMPTS_PER_CALL, vllm_engine

        return vllm_engine(job), PROMPTS_PER_CALL
    from .transformers_engine import transformers_engine

    return transformers_engine(job, prompts), job.batch_size
