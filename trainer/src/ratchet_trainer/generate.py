# pyright: basic
# transformers' tokenizers are only partly typed.
"""Generation jobs: prompts in, texts out, resumable after every batch."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .adapters import load_adapter
from .base_model import LoadedBase, dequantize, load_base
from .digests import adapter_digest
from .errors import InvalidJobError, PreflightError
from .events import EventStream
from .files import json_line, read_rows, sha256_of, whole_lines, write_whole
from .interrupts import Interrupts
from .job import GenerateJob, Sampling
from .run_state import digest_of
from .runtime import be_deterministic, default_threads, device_name, use_threads
from .sampling import item_seed


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


def run_generate(job: GenerateJob, events: EventStream, interrupts: Interrupts, read_at: float) -> None:
    """Runs one generation job to its `result` event.

    Raises:
        InvalidJobError, PreflightError, InterruptedJobError: See `errors`.
    """
    prompts = _prompts(job)
    partial = _Partial(job)
    done = partial.open()
    pending = [prompt for prompt in prompts if prompt.id not in done]
    engine, device = _engine(job) if pending else (None, device_name())
    events.emit("started", pid=os.getpid(), startupSeconds=time.monotonic() - read_at, device=device)
    began = time.monotonic()
    tokens = 0
    for batch in _batches(pending, job.batch_size):
        assert engine is not None
        interrupts.check(f"after {len(done)} of {len(prompts)} texts; they are kept")
        for text in engine(batch):
            done[text.id] = text.row()
            tokens += text.tokens
            partial.add(text)
        partial.flush()
        rate = tokens / max(time.monotonic() - began, 1e-9)
        events.emit("generated", done=len(done), total=len(prompts), tokensPerSecond=rate)
    write_whole(Path(job.output_file), (json_line(done[prompt.id]) for prompt in prompts))
    partial.close()
    events.emit("result", outputFile=job.output_file, rows=len(prompts), seconds=time.monotonic() - read_at)


def _prompts(job: GenerateJob) -> list[Prompt]:
    prompts: list[Prompt] = []
    seen: set[str] = set()
    for number, row in enumerate(read_rows(job.prompts_file, "promptsFile"), 1):
        for name in ("id", "prompt"):
            if not isinstance(row.get(name), str):
                message = f"promptsFile: row {number} has no text in field {name!r}"
                raise PreflightError("missingField", message, "Every row needs id and prompt.")
        if row["id"] in seen:
            raise PreflightError("duplicateId", f"promptsFile: id {row['id']!r} appears twice", "Make ids unique.")
        seen.add(row["id"])
        seed = row.get("seed")
        prompts.append(Prompt(row["id"], row["prompt"], item_seed(job.seed, row["id"]) if seed is None else int(seed)))
    return prompts


class _Partial:
    """Texts that are done, beside the output file, so that an interrupted job goes on instead of starting again."""

    def __init__(self, job: GenerateJob) -> None:
        self._path = Path(f"{job.output_file}.partial")
        adapter = _adapter_digest(job)
        sampling = vars(job.sampling)
        base = vars(job.base)
        prompts = sha256_of(job.prompts_file)
        self._key = digest_of({"prompts": prompts, "adapter": adapter, "base": base, "sampling": sampling, "seed": job.seed})

    def open(self) -> dict[str, dict[str, Any]]:
        """Results of an earlier attempt at the same job, by id; those of another job are thrown away."""
        rows = list(whole_lines(self._path))
        same = bool(rows) and rows[0].get("key") == self._key
        kept = rows[1:] if same else []
        write_whole(self._path, map(json_line, [{"key": self._key}, *kept]))
        self._file = open(self._path, "ab")  # noqa: SIM115
        return {row["id"]: row for row in kept}

    def add(self, text: Text) -> None:
        """Appends one result."""
        self._file.write(json_line(text.row()))

    def flush(self) -> None:
        """Hands what was added to the operating system; it survives the death of this process."""
        self._file.flush()

    def close(self) -> None:
        """Drops the file; the output file is whole."""
        self._file.close()
        self._path.unlink()


def _adapter_digest(job: GenerateJob) -> str | None:
    if job.adapter is None:
        return None
    try:
        return adapter_digest(Path(job.adapter.path))
    except OSError as error:
        fix = "Point adapter.path to a folder with adapter_config.json and adapter_model.safetensors."
        raise InvalidJobError("noAdapter", f"adapter.path: {error}", fix) from error


def _batches(prompts: Sequence[Prompt], size: int) -> Iterator[list[Prompt]]:
    """Batches of similar length, the longest first: running out of memory shows at once."""
    ordered = sorted(prompts, key=lambda prompt: (-len(prompt.text), prompt.id))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _engine(job: GenerateJob) -> tuple[Engine, str]:
    device = device_name()
    installed = find_spec("vllm") is not None
    if job.engine == "vllm" and not (installed and device == "cuda"):
        missing = "not installed" if not installed else "of no use without a CUDA device"
        fix = "Set engine to auto, or install it on a CUDA host: uv sync --no-dev --extra vllm."
        raise InvalidJobError("engineMissing", f"engine: vllm is {missing}", fix)
    if job.engine == "vllm" or (job.engine == "auto" and installed and device == "cuda"):
        from .vllm_engine import vllm_engine

        return vllm_engine(job), device
    return transformers_engine(job), device


def transformers_engine(job: GenerateJob) -> Engine:
    """The engine that runs everywhere.

    On a CPU the 4-bit weights are dequantised once and the adapter is merged into them in memory: the same function
    of the same quantised weights, up to rounding, without unpacking every layer for every token.
    """
    from .decoding import decode_batch

    base = load_base(job.base)
    use_threads(default_threads(base.model.num_parameters()))
    be_deterministic(job.seed)
    model = _model(job, base)
    tokenizer = base.tokenizer
    end_tokens = _end_tokens(base)
    stops = stop_matcher(tokenizer, job.sampling.stop)

    def generate(prompts: Sequence[Prompt]) -> list[Text]:
        ids = tokenizer([prompt.text for prompt in prompts])["input_ids"]
        ids = [row or [tokenizer.bos_token_id or tokenizer.eos_token_id] for row in ids]
        seeds = [prompt.seed for prompt in prompts]
        results = decode_batch(model, ids, seeds, job.sampling, tokenizer.pad_token_id, end_tokens, stops)
        return [
            Text(prompt.id, text_of(tokenizer, result.tokens, job.sampling), len(result.tokens), result.finish)
            for prompt, result in zip(prompts, results, strict=True)
        ]

    return generate


def _model(job: GenerateJob, base: LoadedBase) -> Any:
    if base.device == "cpu":
        dequantize(base.model)
    model = base.model
    if job.adapter is not None:
        model = load_adapter(base, job.adapter.path, trainable=False)
        if base.device == "cpu" or job.base.quantization == "none":
            model = model.merge_and_unload()
    return model.eval()


def _end_tokens(base: LoadedBase) -> set[int]:
    configured = base.model.generation_config.eos_token_id
    more = [] if configured is None else configured if isinstance(configured, list) else [configured]
    return {base.tokenizer.eos_token_id, *more}


def stop_matcher(tokenizer: Any, stop: Sequence[str]) -> Callable[[list[int]], bool]:
    """Says whether the text of the newest tokens holds a stop string.

    Only a tail is decoded: every token adds at least one byte, so a stop string that the newest token completes lies
    within as many tokens as it has bytes.
    """
    if not stop:
        return lambda tokens: False
    tail = max(len(text.encode()) for text in stop) + 4

    def matches(tokens: list[int]) -> bool:
        text = tokenizer.decode(tokens[-tail:], skip_special_tokens=True)
        return any(one in text for one in stop)

    return matches


def text_of(tokenizer: Any, tokens: Sequence[int], sampling: Sampling) -> str:
    """Decoded text without special tokens, cut before the first stop string."""
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    places = [place for place in (text.find(one) for one in sampling.stop) if place >= 0]
    return text[: min(places)] if places else text
