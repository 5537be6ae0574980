"""Generation against transformers' own, and its independence of batching."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ratchet_trainer.base_model import LoadedBase, load_base
from ratchet_trainer.decoding import Generated, decode_batch
from ratchet_trainer.generation import text_before_stop
from ratchet_trainer.job import Base, Sampling
from ratchet_trainer.sampling import item_seed, next_tokens, uniforms
from ratchet_trainer.transformers_engine import stop_matcher

GREEDY = Sampling(max_new_tokens=20, temperature=0.0, top_p=1.0, stop=[])
PROMPTS = ["is 3 more than 2?", "red", "the blue one?" * 3, "more yes", "no", "9"]


@pytest.fixture(scope="module")
def loaded(base: Path) -> LoadedBase:
    loaded = load_base(Base(str(base), "none", "float32"))
    loaded.model.eval()
    return loaded


def decode(
    loaded: LoadedBase, prompts: list[str], sampling: Sampling, ends: set[int], **options: Any
) -> list[Generated]:
    ids = loaded.tokenizer(prompts)["input_ids"]
    seeds = [item_seed(0, prompt) for prompt in prompts]
    stops = stop_matcher(loaded.tokenizer, sampling.stop)
    return decode_batch(loaded.model, ids, seeds, sampling, 0, ends, stops)


def test_greedy_is_what_transformers_generates(loaded: LoadedBase) -> None:
    plain = decode(loaded, PROMPTS, GREEDY, {1})
    ends = {token for text in plain for token in text.tokens[5:7]}  # so that rows end at different times
    ours = decode(loaded, PROMPTS, GREEDY, ends)
    assert len({len(text.tokens) for text in ours}) > 2
    for prompt, text in zip(PROMPTS, ours, strict=True):
        inputs = loaded.tokenizer(prompt, return_tensors="pt")
        theirs = loaded.model.generate(
            **inputs, max_new_tokens=20, do_sample=False, eos_token_id=sorted(ends), pad_token_id=0
        )
        assert text.tokens == theirs[0, inputs["input_ids"].shape[1] :].tolist()
        assert text.finish == ("stop" if text.tokens[-1] in ends else "length")


def test_samples_do_not_depend_on_neighbours(loaded: LoadedBase) -> None:
    sampling = Sampling(max_new_tokens=16, temperature=1.0, top_p=0.9, stop=[])
    together = decode(loaded, PROMPTS, sampling, {1})
    alone = [decode(loaded, [prompt], sampling, {1})[0] for prompt in PROMPTS]
    assert [text.tokens for text in together] == [text.tokens for text in alone]
    assert len({tuple(text.tokens) for text in together}) == len(PROMPTS)


def test_stop_strings(loaded: LoadedBase) -> None:
    plain = decode(loaded, PROMPTS[:1], GREEDY, {1})[0]
    text = loaded.tokenizer.decode(plain.tokens)
    stop = text[4:6]
    stopped = decode(loaded, PROMPTS[:1], Sampling(20, 0.0, 1.0, [stop]), {1})[0]
    assert stopped.finish == "stop"
    assert len(stopped.tokens) < len(plain.tokens)
    assert text_before_stop(loaded.tokenizer.decode(stopped.tokens), [stop]) == text[: text.find(stop)]


def test_top_p_keeps_the_nucleus() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    sampling = Sampling(1, 1.0, 0.7, [])
    chosen = [int(next_tokens(logits, sampling, torch.tensor([u]))) for u in (0.0, 0.62, 0.63, 0.999)]
    assert chosen == [0, 0, 1, 1]  # 0.5 / 0.8 = 0.625


def test_sampling_follows_the_distribution() -> None:
    share = torch.tensor([0.6, 0.3, 0.1])
    draws = uniforms([1], 20_000)[0]
    logits = torch.log(share).expand(20_000, 3)
    counts = next_tokens(logits, Sampling(1, 1.0, 1.0, []), draws).bincount() / 20_000
    torch.testing.assert_close(counts, share, atol=0.015, rtol=0)


def test_temperature_sharpens() -> None:
    logits = torch.log(torch.tensor([[0.6, 0.4]]))
    assert int(next_tokens(logits, Sampling(1, 1.0, 1.0, []), torch.tensor([0.7]))) == 1
    assert int(next_tokens(logits, Sampling(1, 0.1, 1.0, []), torch.tensor([0.7]))) == 0


def test_item_seeds() -> None:
    assert item_seed(1, "a") == item_seed(1, "a")
    assert len({item_seed(1, "a"), item_seed(2, "a"), item_seed(1, "b")}) == 3
    assert 0 <= item_seed(1, "a") < 2**63
