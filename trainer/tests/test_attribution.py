# pyright: basic
"""Integrated gradients against what can be computed by hand, and which tokens are the draft's."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from ratchet_trainer.attribution import Attributor, Item, attribute, encode_item, pieces_of
from ratchet_trainer.base_model import load_tokenizer
from ratchet_trainer.errors import PreflightError

from .job_files import attributable


@pytest.fixture(scope="module")
def tokenizer(base: Any) -> Any:
    return load_tokenizer(base)


def item_of(row: dict[str, Any]) -> Item:
    return Item(row["id"], row["prompt"], row["draft"], row["answer"], row["other"])


def test_a_linear_score_gives_weight_times_difference() -> None:
    torch.manual_seed(0)
    weights, embeddings, baseline = torch.randn(3, 5, 4)
    values, at_input, at_baseline = attribute(lambda e: (e * weights).sum((1, 2)), embeddings, baseline, 7, 3)
    assert values == pytest.approx((weights * (embeddings - baseline)).sum(-1).tolist(), abs=1e-5)
    assert at_input - at_baseline == pytest.approx(sum(values), abs=1e-5)


def test_a_product_of_two_tokens_is_shared_between_them() -> None:
    first, second, unused = torch.tensor([2.0, 1.0]), torch.tensor([3.0, -1.0]), torch.tensor([9.0, 9.0])
    embeddings = torch.stack([first, second, unused])
    # (Σ first)·(Σ second) from 0: the integral of each gradient along the path is half of the product.
    values, *_ = attribute(lambda e: e[:, 0].sum(-1) * e[:, 1].sum(-1), embeddings, torch.zeros(3, 2), 2, 1)
    assert values == pytest.approx([3.0, 3.0, 0.0], abs=1e-5)


class Planted(torch.nn.Module):
    """Looks like a causal model; its logits are the mean embedding times a matrix, so all is known by hand."""

    def __init__(self, vocabulary: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embedding = torch.nn.Embedding(vocabulary, 6, dtype=dtype)
        self.head = torch.nn.Linear(6, vocabulary, bias=False, dtype=dtype)
        self.device = torch.device("cpu")

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.embedding

    def forward(self, inputs_embeds: Tensor, use_cache: bool, logits_to_keep: int) -> Any:
        assert not use_cache
        return SimpleNamespace(logits=self.head(inputs_embeds.mean(1, keepdim=True)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_a_planted_model_is_attributed_as_by_hand(tokenizer: Any, dtype: torch.dtype, tolerance: float) -> None:
    model = Planted(len(tokenizer), dtype)
    item = item_of(attributable("a", "is 3 more than 2?"))
    encoded = encode_item(tokenizer, item)
    row = Attributor(model, tokenizer, steps=8).row(item, encoded, 4)
    table, head = model.embedding.weight.float(), model.head.weight.float()
    preferred = head[encoded.answer] - head[encoded.other]
    ids = encoded.ids[: len(encoded.pieces)]
    expected = (table[ids] - table[tokenizer.eos_token_id]) @ preferred / len(encoded.ids)
    assert [token["attribution"] for token in row["tokens"]] == pytest.approx(expected.tolist(), abs=tolerance)
    assert row["score"] == pytest.approx(float(table[encoded.ids].mean(0) @ preferred), abs=tolerance)
    change = row["score"] - row["baselineScore"]
    assert sum(token["attribution"] for token in row["tokens"]) == pytest.approx(change, abs=tolerance)


def test_special_tokens_keep_their_place_and_get_nothing(tokenizer: Any) -> None:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    raw = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    raw.post_processor = TemplateProcessing(single="<end> $A", special_tokens=[("<end>", tokenizer.eos_token_id)])
    with_beginning = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>")
    item = item_of(attributable("a", "is 3 more than 2?"))
    encoded = encode_item(with_beginning, item)
    tokens = Attributor(Planted(len(tokenizer)), with_beginning, 4).row(item, encoded, 4)["tokens"]
    assert tokens[0] == {"text": "", "draft": False, "special": True, "attribution": 0.0}
    assert not any(token["special"] for token in tokens[1:])


@pytest.mark.parametrize("draft", ["no, it is blue", "größer 🦙 – 日本", "é", "\t yes\n\n  no?"])
def test_the_tokens_of_the_draft_are_those_of_its_characters(tokenizer: Any, draft: str) -> None:
    item = item_of(attributable("a", "¿ist das größer? 🦙", draft))
    pieces = pieces_of(tokenizer, item)
    assert "".join(piece.text for piece in pieces) == item.prompt
    # A space before the first word is part of its token.
    assert "".join(piece.text for piece in pieces if piece.draft).strip() == draft.strip()
    encoded = tokenizer(item.prompt)["input_ids"]
    assert len(pieces) == len(encoded)
    lone = sum(len(tokenizer(character)["input_ids"]) for character in draft if ord(character) > 127)
    assert sum(piece.draft for piece in pieces) >= lone


def test_the_answers_first_different_token_is_what_is_scored(tokenizer: Any) -> None:
    row = attributable("a", "is 3 more than 2?")
    encoded = encode_item(tokenizer, item_of(row))
    context = tokenizer.decode(encoded.ids)
    assert context == row["prompt"] + row["answer"].removesuffix("YES")
    assert (tokenizer.decode(encoded.answer), tokenizer.decode(encoded.other)) == ("Y", "N")
    with pytest.raises(PreflightError, match="same tokens"):
        encode_item(tokenizer, item_of(row | {"other": row["answer"]}))
