# pyright: basic
# transformers and captum are only partly typed.
"""Integrated gradients of an answer on the tokens of its prompt (Sundararajan et al. 2017, arXiv:1703.01365).

F(e) = logit(answer) − logit(other answer) at the place of the answer, where e are the embeddings of the prompt and the
text that the model wrote before its answer stands fixed behind it. So F is how much the answer given is preferred, in
nats, and its attributions say what of the prompt moves it directly, with the reasoning as it was written.

The path runs from the prompt with the end token's embedding in place of every ordinary token. Not from zero: the
norms of such models (RMSNorm) are scale-free, so everything happens next to zero, and 100 steps miss a fifth of it. Not
from the padding token: where it is none of its own nothing has trained it. Special tokens (a beginning of text that
attention rests on) stay what they are on the whole path, and have no part in the attribution.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from .errors import InvalidJobError, PreflightError
from .rows import encode

Score = Callable[[Tensor], Tensor]
"""Embeddings f32[batch, tokens, width] to f32[batch]."""


@dataclass(frozen=True)
class Item:
    """An answer to be attributed.

    Attributes:
        draft: Characters of the prompt that are the draft: half-open ranges, in code points.
        answer: What the model wrote, up to the end of its answer.
        other: The same with the other answer in its place.
    """

    id: str
    prompt: str
    draft: Sequence[tuple[int, int]]
    answer: str
    other: str


@dataclass(frozen=True)
class Piece:
    """A token of the prompt; the texts of all pieces, joined, are the prompt."""

    text: str
    draft: bool
    special: bool


@dataclass(frozen=True)
class Encoded:
    """An item as tokens.

    Attributes:
        ids: Prompt, then the text before the answer.
        pieces: Of the prompt: the first `len(pieces)` ids.
        answer, other: Tokens that the two answers would go on with.
    """

    ids: list[int]
    pieces: list[Piece]
    answer: int
    other: int


def encode_item(tokenizer: Any, item: Item) -> Encoded:
    """Tokenizes an item as training and generation do.

    Raises:
        InvalidJobError: The tokenizer cannot say which characters a token stands for.
        PreflightError: Both answers are the same to this tokenizer, or have nothing before them.
    """
    if not tokenizer.is_fast:
        fix = "Use a base with a tokenizer.json."
        raise InvalidJobError("slowTokenizer", "base.path: the tokenizer gives no character offsets", fix)
    (given, other), _ = encode(tokenizer, [item.prompt] * 2, [item.answer, item.other])
    length = given.prompt_length
    pairs = zip(given.ids[length:], other.ids[length:], strict=False)
    place = next((length + index for index, (one, two) in enumerate(pairs) if one != two), None)
    if place is None:
        message = f"itemsFile: item {item.id!r}: both answers have the same tokens"
        raise PreflightError("answersAlike", message, "answer and other must end with different answers.")
    if place == 0:
        message = f"itemsFile: item {item.id!r}: there is nothing before its answers"
        raise PreflightError("emptyPrompt", message, "Give it a prompt, or leave it out.")
    return Encoded(given.ids[:place], pieces_of(tokenizer, item), given.ids[place], other.ids[place])


def pieces_of(tokenizer: Any, item: Item) -> list[Piece]:
    """The prompt's tokens with the text that each stands for.

    A token belongs to the draft when the first character of it that is no space does; where a character takes several
    tokens, the first has its text and all of them its place.
    """
    encoded = tokenizer(item.prompt, return_offsets_mapping=True, return_special_tokens_mask=True)
    pieces: list[Piece] = []
    told = 0
    for (start, end), special in zip(encoded["offset_mapping"], encoded["special_tokens_mask"], strict=True):
        text = item.prompt[told : max(told, end)]
        told = max(told, end)
        own = item.prompt[start:end]
        at = start + (len(own) - len(own.lstrip()) if own.strip() else 0)
        in_draft = not special and any(first <= at < last for first, last in item.draft)
        pieces.append(Piece(text, in_draft, bool(special)))
    return pieces


def attribute(
    score: Score, embeddings: Tensor, baseline: Tensor, steps: int, points_per_pass: int
) -> tuple[list[float], float, float]:
    """Attributes a score to the tokens of one row.

    Args:
        score: What is attributed.
        embeddings: f32[tokens, width].
        baseline: The same shape; where both are equal the attribution is 0.
        steps: Points of the Gauss–Legendre rule.
        points_per_pass: Points in one forward and backward pass; changes memory, and the result by rounding.
    Returns:
        Attribution per token (summed over the width, nats), score at the embeddings, score at the baseline. By
        completeness the attributions sum to the difference of the scores, but for the error of the rule.
    """
    ends = torch.stack([embeddings, baseline])
    with torch.no_grad():
        at_input, at_baseline = score(ends).tolist()
    attributions = IntegratedGradients(score).attribute(
        ends[:1], ends[1:], n_steps=steps, internal_batch_size=points_per_pass
    )
    return attributions[0].sum(-1).tolist(), at_input, at_baseline


class Attributor:
    """Attributes answers of one model.

    Embeddings go into the model as float32 and are rounded to its type inside of what is differentiated, so that the
    path and the sums over it are float32 also where the model is bfloat16.
    """

    def __init__(self, model: Any, tokenizer: Any, steps: int) -> None:
        self._model = model.requires_grad_(False)
        self._tokenizer = tokenizer
        self._steps = steps

    def row(self, item: Item, encoded: Encoded, points_per_pass: int) -> dict[str, Any]:
        """The line of the output file."""
        embed, device = self._model.get_input_embeddings(), self._model.device
        with torch.no_grad():
            own = embed(torch.tensor(encoded.ids, device=device))
            end = embed(torch.tensor(self._tokenizer.eos_token_id, device=device))
        embeddings = own.float()
        baseline = embeddings.clone()
        baseline[[at for at, piece in enumerate(encoded.pieces) if not piece.special]] = end.float()

        def score(inputs: Tensor) -> Tensor:
            output = self._model(inputs_embeds=inputs.to(own.dtype), use_cache=False, logits_to_keep=1)
            logits = output.logits[:, -1].float()
            return logits[:, encoded.answer] - logits[:, encoded.other]

        values, at_input, at_baseline = attribute(score, embeddings, baseline, self._steps, points_per_pass)
        tokens = [
            {"text": piece.text, "draft": piece.draft, "special": piece.special, "attribution": value}
            for piece, value in zip(encoded.pieces, values, strict=False)
        ]
        return {"id": item.id, "score": at_input, "baselineScore": at_baseline, "tokens": tokens}
