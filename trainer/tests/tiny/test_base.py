import hashlib
import json
from pathlib import Path

import pytest

from ratchet_trainer.tiny.base import Pretraining
from ratchet_trainer.tiny.build import build, build_tokenizer
from ratchet_trainer.tiny.tokenizer import END, PAD

TEXTS = [
    "Question: Do Ada and Bram live in the same town?\nAnswer: yes",
    "  Ünïcode, 日本語, emoji 🦉, tabs\t and 1,234.5 numbers\r\n\n",
    "Would a pear sink in water?",
]


def test_the_tokenizer_is_the_same_each_time_and_gives_any_text_back() -> None:
    tokenizer = build_tokenizer(500)
    assert tokenizer.to_str() == build_tokenizer(500).to_str()
    assert (tokenizer.token_to_id(PAD), tokenizer.token_to_id(END)) == (0, 1)
    for text in TEXTS:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("completion", [" yes", "\n## Teaching Analysis\nThe student answers No."])
def test_prompt_and_completion_tokenize_apart_as_together(completion: str) -> None:
    tokenizer = build_tokenizer(500)
    prompt = "Question: Does Ada win at chess?\nReasoning:"
    assert tokenizer.encode(prompt).ids + tokenizer.encode(completion).ids == tokenizer.encode(prompt + completion).ids


def test_plain_english_is_not_cut_into_bytes() -> None:
    tokenizer = build_tokenizer(500)
    text = "Would the president of the United States need a passport to travel to Mexico in winter?"
    assert len(tokenizer.encode(text).ids) < 0.45 * len(text)


def test_a_short_training_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    how = Pretraining(steps=4, rows=2)
    digests: list[dict[str, str]] = []
    for name in ("a", "b"):
        build(tmp_path / name, how)
        files = sorted((tmp_path / name).iterdir())
        digests.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert digests[0] == digests[1]
    assert {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md"} <= set(
        digests[0]
    )
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert (config["pad_token_id"], config["eos_token_id"]) == (0, 1)
