# pyright: basic
# transformers is only partly typed.
"""Builds the base model's folder: weights, configuration, tokenizer and card."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from ratchet_trainer.tiny.base import Pretraining, pretrain
from ratchet_trainer.tiny.corpus import Corpus
from ratchet_trainer.tiny.question_file import write_world
from ratchet_trainer.tiny.tokenizer import END, PAD, train_tokenizer

TOKENIZER_DOCUMENTS = 20_000


def build_tokenizer(documents: int = TOKENIZER_DOCUMENTS) -> Tokenizer:
    """The tokenizer of the base: trained on documents of its corpus and on plain English."""
    corpus = Corpus(seed=1)
    return train_tokenizer([corpus.document() for _ in range(documents)])


def _tell(step: int, loss: float) -> None:
    print(f"step {step}: {loss:.4f} nats per token", flush=True)


def build(out: Path, how: Pretraining) -> float:
    """Pretrain the base and write its folder; returns the mean loss of the last 50 steps, nats per token.

    One thread, so that sums are taken in one order: the same seed gives the same bytes on the same kind of processor
    and the same torch. Weights are stored in f16, which halves the file. The seed's question file lies beside them.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    tokenizer = build_tokenizer()
    model, losses = pretrain(tokenizer, how, _tell)
    model.half().save_pretrained(out)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, model_max_length=2048, padding_side="right"
    ).save_pretrained(out)
    (out / "README.md").write_text((Path(__file__).parent / "card.md").read_text())
    write_world(out / "world.jsonl", how.seed)
    last = losses[-50:]
    return sum(last) / len(last)
