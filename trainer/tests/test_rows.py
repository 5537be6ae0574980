"""Tokenizing rows, and what preflight refuses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ratchet_trainer.base_model import load_tokenizer
from ratchet_trainer.errors import InvalidJobError, PreflightError
from ratchet_trainer.files import read_rows
from ratchet_trainer.preflight import check_end_token, check_rows, check_trackers
from ratchet_trainer.rows import IGNORED, Encoding, TokenRow, encode, encode_pairs, encode_prompt_completion

END = 1


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return load_tokenizer(base)


def test_loss_on_completion_and_end_token_only(tokenizer: Any) -> None:
    (row,), merged = encode(tokenizer, ["is 3 more than 2?"], [" yes"])
    assert merged == 0
    assert row.ids[-1] == END
    assert [label for label in row.labels if label != IGNORED] == row.ids[row.prompt_length :]
    assert tokenizer.decode(row.ids[row.prompt_length :]) == " yes<end>"
    assert row.supervised == len(row.ids) - row.prompt_length


def test_an_end_token_in_the_text_is_not_doubled(tokenizer: Any) -> None:
    (row,), _ = encode(tokenizer, ["q?"], [" yes<end>"])
    assert row.ids.count(END) == 1


def test_context_is_what_generation_sees(tokenizer: Any) -> None:
    """`num` + `ber` would merge into fewer tokens together; the prompt keeps its own."""
    (row,), merged = encode(tokenizer, ["num"], ["ber"])
    assert merged == 1
    assert row.ids[: row.prompt_length] == tokenizer("num")["input_ids"]


def test_truncation_is_counted_and_empty_rows_left_out(tokenizer: Any) -> None:
    rows = [{"prompt": "q?", "completion": " yes"}, {"prompt": "q?" * 30, "completion": " no"}]
    kept, encoding = encode_prompt_completion(tokenizer, rows, 20, "trainFile")
    assert (len(kept), encoding) == (1, Encoding(truncated=1, dropped=1, merged=0))


def test_pairs_share_their_prompt(tokenizer: Any) -> None:
    (pair,), _ = encode_pairs(tokenizer, [{"prompt": "q?", "chosen": " yes", "rejected": " no"}], 64, "pairsFile")
    assert pair.chosen.ids[: pair.chosen.prompt_length] == pair.rejected.ids[: pair.rejected.prompt_length]
    assert pair.chosen.ids[-1] == pair.rejected.ids[-1] == END


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1, "2", True, None])
def test_bad_weights(tokenizer: Any, weight: Any) -> None:
    rows = [{"prompt": "q?", "completion": " yes", "weight": weight}]
    with pytest.raises(PreflightError, match="row 1 has weight") as caught:
        encode_prompt_completion(tokenizer, rows, 64, "trainFile")
    assert caught.value.code == "nonFiniteWeight"


def test_missing_field_is_named(tokenizer: Any) -> None:
    with pytest.raises(PreflightError, match=r"row 1 has no text in field 'completion'; it has prompt, answer"):
        encode_prompt_completion(tokenizer, [{"prompt": "q?", "answer": "yes"}], 64, "trainFile")


OK = TokenRow([5, 6, END], 1)


@pytest.mark.parametrize(
    ("rows", "encoding", "code"),
    [
        ([OK], Encoding(truncated=2, dropped=0, merged=0), "tooManyTruncated"),
        ([], Encoding(0, 0, 0), "zeroSupervisedTokens"),
        ([TokenRow([5, 6, END], 1, weight=0.0)], Encoding(0, 0, 0), "zeroSupervisedTokens"),
        ([TokenRow([5, 6, 7], 1)], Encoding(0, 0, 0), "untrainedStopToken"),
    ],
)
def test_refusals(rows: list[TokenRow], encoding: Encoding, code: str) -> None:
    with pytest.raises(PreflightError) as caught:
        check_rows(rows, encoding, 10, END, 0.1, "trainFile")
    assert caught.value.code == code
    assert caught.value.fix
    assert caught.value.exit_code == 11


def test_accepts_good_rows() -> None:
    assert check_rows([OK], Encoding(truncated=1, dropped=0, merged=0), 10, END, 0.1, "trainFile") == 0.1


@pytest.mark.parametrize(("stops", "accepted"), [(None, True), (1, True), ([7, 1], True), (7, False), ([7, 8], False)])
def test_generation_must_stop_at_the_trained_token(tokenizer: Any, stops: Any, accepted: bool) -> None:
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=stops))
    if accepted:
        check_end_token(model, tokenizer)
        return
    with pytest.raises(PreflightError, match="does not stop") as caught:
        check_end_token(model, tokenizer)
    assert caught.value.code == "untrainedStopToken"


def test_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidJobError, match=r"trainFile: .* No such file"):
        read_rows(str(tmp_path / "absent"), "trainFile")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(PreflightError, match="has no rows"):
        read_rows(str(tmp_path / "empty"), "trainFile")
    (tmp_path / "bad").write_text('{"a": 1}\n[]\n')
    with pytest.raises(InvalidJobError, match="line 2"):
        read_rows(str(tmp_path / "bad"), "trainFile")


def test_trackers() -> None:
    check_trackers(["tensorboard"])
    with pytest.raises(InvalidJobError, match="wandb is not installed"):
        check_trackers(["wandb"])
