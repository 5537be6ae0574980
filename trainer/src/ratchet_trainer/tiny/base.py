# pyright: basic
# transformers is only partly typed.
"""The tiny Llama and its pretraining."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from ratchet_trainer.tiny.corpus import Corpus
from ratchet_trainer.tiny.tokenizer import END, PAD

# About hidden_size ** -0.5. With the usual 0.02, made for wide models, attention stays flat for thousands of steps.
INITIAL_SPREAD = 0.08


@dataclass(frozen=True)
class Pretraining:
    """How the base is pretrained; `row_tokens` is the length of one packed row of whole documents."""

    steps: int = 8000
    rows: int = 4
    row_tokens: int = 128
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    seed: int = 42


def new_model(vocabulary: int) -> LlamaForCausalLM:
    """A Llama of about a million parameters, weights drawn from torch's current seed."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            initializer_range=INITIAL_SPREAD,
            bos_token_id=None,
            pad_token_id=0,
            eos_token_id=1,
        )
    )


class Rows:
    """Packs whole documents into rows, each ended by the end token, the rest padded."""

    def __init__(self, tokenizer: Tokenizer, corpus: Corpus, how: Pretraining) -> None:
        """Keep what is needed to make batches."""
        self._tokenizer, self._corpus, self._how = tokenizer, corpus, how
        ids = tokenizer.get_vocab()
        self._pad, self._end = ids[PAD], ids[END]
        self._next: list[int] = []

    def _document(self) -> list[int]:
        return [*self._tokenizer.encode(self._corpus.document()).ids, self._end]

    def _row(self) -> list[list[int]]:
        row = [self._next or self._document()]
        used = len(row[0])
        while used + len(following := self._document()) <= self._how.row_tokens:
            row.append(following)
            used += len(following)
        self._next = following
        return row

    def batch(self) -> dict[str, Tensor]:
        """Inputs of the model: ids, places within the document, attention within the document only, labels."""
        rows, width = [self._row() for _ in range(self._how.rows)], self._how.row_tokens
        ids = torch.full((len(rows), width), self._pad)
        places, owners = torch.zeros_like(ids), torch.full_like(ids, -1)
        for at, row in enumerate(rows):
            start = 0
            for number, document in enumerate(row):
                end = start + len(document)
                ids[at, start:end] = torch.tensor(document)
                places[at, start:end] = torch.arange(len(document))
                owners[at, start:end] = number
                start = end
        causal = torch.ones(width, width, dtype=torch.bool).tril()
        attend = (owners[:, None, :, None] == owners[:, None, None, :]) & causal
        return {
            "input_ids": ids,
            "position_ids": places,
            "attention_mask": attend,
            "labels": ids.masked_fill((owners < 0) | (places == 0), -100),
        }


def _rate(step: int, how: Pretraining) -> float:
    if step < how.warmup_steps:
        return (step + 1) / how.warmup_steps
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - how.warmup_steps) / (how.steps - how.warmup_steps)))


def pretrain(
    tokenizer: Tokenizer, how: Pretraining, tell: Callable[[int, float], None] | None = None
) -> tuple[LlamaForCausalLM, list[float]]:
    """Train from scratch in f32 on the CPU; returns the model and the loss of every step (nats per token).

    `tell` gets the step and the mean loss of the last 200 steps, every 500 steps.
    """
    torch.manual_seed(how.seed)
    model = new_model(tokenizer.get_vocab_size())
    model.train()
    rows = Rows(tokenizer, Corpus(how.seed), how)
    optimizer = torch.optim.AdamW(
        model.parameters(), how.learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, how))
    losses: list[float] = []
    for _ in range(how.steps):
        loss = model(**rows.batch()).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
        if tell and len(losses) % 500 == 0:
            tell(len(losses), sum(losses[-200:]) / 200)
    return model, losses
