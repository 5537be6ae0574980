# pyright: basic
# transformers' models and tokenizers are only partly typed.
"""The generation engine that runs everywhere."""

from collections.abc import Callable, Sequence
from typing import Any

from .base_model import LoadedBase, load_base
from .decoding import decode_batch
from .generation import Engine, Prompt, Text, text_before_stop
from .inference import inference_model
from .job import GenerateJob
from .runtime import be_deterministic, default_threads, use_threads


def transformers_engine(job: GenerateJob, prompts: Sequence[Prompt]) -> Engine:
    """Loads base and adapter for `decode_batch`.

    Args:
        job: The job.
        prompts: All that will be asked for.
    Raises:
        InvalidJobError, PreflightError: No such base or adapter, or a prompt with a token that the base does not have.
    """
    base = load_base(job.base)
    if len(base.tokenizer) > base.embeddings:
        base.check_ids((f"promptsFile: id {one.id!r}", base.tokenizer(one.text)["input_ids"]) for one in prompts)
    use_threads(default_threads(base.model.num_parameters(), job.batch_size))
    be_deterministic(job.seed, strict=False)
    model = inference_model(job, base)
    tokenizer = base.tokenizer
    end_tokens = _end_tokens(base)
    stops = stop_matcher(tokenizer, job.sampling.stop)

    def generate(prompts: Sequence[Prompt]) -> list[Text]:
        ids = tokenizer([prompt.text for prompt in prompts])["input_ids"]
        first = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        ids = [row or [first] for row in ids]
        seeds = [prompt.seed for prompt in prompts]
        results = decode_batch(model, ids, seeds, job.sampling, tokenizer.pad_token_id, end_tokens, stops)
        texts = [tokenizer.decode(result.tokens, skip_special_tokens=True) for result in results]
        return [
            Text(prompt.id, text_before_stop(text, job.sampling.stop), len(result.tokens), result.finish)
            for prompt, text, result in zip(prompts, texts, results, strict=True)
        ]

    return generate


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
