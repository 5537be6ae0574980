# pyright: basic
"""NF4 on the CPU, packing, adapters: properties of real models."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ratchet_trainer.adapters import adapter_tensors, check_adapter_base, load_adapter, new_adapter
from ratchet_trainer.base_model import compute_dtype, dequantize, load_base, nf4_layers
from ratchet_trainer.batches import bins_of, collate, collate_packed, refuse_leaking_attention
from ratchet_trainer.digests import base_digest, base_folder
from ratchet_trainer.errors import InvalidJobError, PreflightError
from ratchet_trainer.job import Base, Lora
from ratchet_trainer.rows import IGNORED, TokenRow

IDS = torch.arange(40, 60).reshape(2, 10)


def nf4(path: Path) -> Base:
    return Base(str(path), "nf4", "float32")


def test_nf4_is_quantised_and_close(base: Path) -> None:
    """NF4 of normal weights errs by 8 to 9 % (arXiv:2305.14314)."""
    quantised, dense = load_base(nf4(base)).model, load_base(Base(str(base), "none", "float32")).model
    assert len(nf4_layers(quantised)) == 14
    dequantize(quantised)
    there, here = (model.model.layers[0].mlp.down_proj.weight for model in (dense, quantised))
    assert 0.06 < float((here - there).norm() / there.norm()) < 0.12


def test_evaluation_leaves_nf4_weights_trainable(base: Path) -> None:
    """bitsandbytes repacks weights at the first evaluation on CPUs with bfloat16; such layers have no gradient."""
    loaded = load_base(nf4(base))
    model = new_adapter(loaded, Lora(4, 8.0, 0.0, ["q_proj"]))
    with torch.no_grad():
        before = model.eval()(IDS).logits
    model.train()(IDS).logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    with torch.no_grad():
        assert torch.equal(before, model.eval()(IDS).logits)


def test_dequantised_is_the_same_function(base: Path) -> None:
    model = load_base(nf4(base)).model.eval()
    with torch.no_grad():
        before = model(IDS).logits
        dequantize(model)
        assert not nf4_layers(model)
        torch.testing.assert_close(model(IDS).logits, before, atol=1e-6, rtol=0)


def test_auto_dtype_on_a_cpu() -> None:
    assert compute_dtype("auto", "cpu") == torch.float32
    assert compute_dtype("bfloat16", "cpu") == torch.bfloat16


def test_new_adapter_is_reproducible_and_names_unknown_modules(base: Path) -> None:
    def fresh() -> dict[str, torch.Tensor]:
        torch.manual_seed(3)
        return adapter_tensors(new_adapter(load_base(nf4(base)), Lora(4, 8.0, 0.0, ["q_proj"])))

    one, other = fresh(), fresh()
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(InvalidJobError, match="the base has no qkv_proj"):
        new_adapter(load_base(nf4(base)), Lora(4, 8.0, 0.0, ["qkv_proj"]))
    with pytest.raises(InvalidJobError, match="lm_head is the head of the base"):
        new_adapter(load_base(nf4(base)), Lora(4, 8.0, 0.0, ["q_proj", "lm_head"]))


def test_adapter_of_another_base(sft_adapter: str, base: Path, other_base: Path) -> None:
    check_adapter_base(Path(sft_adapter), base_digest(base))
    with pytest.raises(PreflightError, match="was trained on base") as caught:
        load_adapter(load_base(nf4(other_base)), sft_adapter, trainable=False)
    assert caught.value.code == "adapterOfAnotherBase"


def test_adapter_of_another_shape(sft_adapter: str, base: Path) -> None:
    asked = Lora(4, 16.0, 0.0, ["q_proj", "v_proj", "down_proj"])
    with pytest.raises(InvalidJobError, match=r"lora\.r: the job asks for 4, the adapter at adapter\.path has 8"):
        load_adapter(load_base(nf4(base)), sft_adapter, trainable=True, lora=asked)


def test_no_base(tmp_path: Path) -> None:
    with pytest.raises(InvalidJobError, match=r"has no config\.json"):
        base_folder(str(tmp_path))


def test_digest_is_of_contents(base: Path, other_base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in base.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert base_digest(copy) == base_digest(base) != base_digest(other_base)


ROWS = [TokenRow([40, 41, 42, 1], 2), TokenRow([50, 51, 52, 53, 54, 1], 3, weight=0.5)]


def test_padding() -> None:
    batch = collate(ROWS, pad_token=0)
    assert batch["input_ids"].tolist() == [[40, 41, 42, 1, 0, 0], [50, 51, 52, 53, 54, 1]]
    assert batch["labels"][0].tolist() == [IGNORED, IGNORED, 42, 1, IGNORED, IGNORED]
    assert batch["attention_mask"].sum().item() == 10
    assert batch["token_weights"][1].tolist() == [0.5] * 6


def test_packing_scores_rows_as_if_alone(base: Path) -> None:
    model = load_base(nf4(base)).model.eval()
    packed, padded = collate_packed(ROWS), collate(ROWS, 0)
    assert packed["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1, 2, 3, 4, 5]]
    with torch.no_grad():
        together = model(input_ids=packed["input_ids"], position_ids=packed["position_ids"], use_cache=False).logits[0]
        apart = model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"]).logits
    torch.testing.assert_close(together, torch.cat([apart[0, :4], apart[1]]), atol=1e-5, rtol=1e-4)
    refuse_leaking_attention(model, ROWS, "cpu")


def test_leaking_attention_is_refused(base: Path) -> None:
    class Leaking(torch.nn.Module):
        """Ignores where rows begin, as attention without boundaries would."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, position_ids: Any, use_cache: bool) -> Any:
            return self.model(input_ids=input_ids, use_cache=use_cache)

    with pytest.raises(PreflightError, match="leaks") as caught:
        refuse_leaking_attention(Leaking(load_base(nf4(base)).model), ROWS, "cpu")
    assert caught.value.code == "packingUnsound"


def test_bins() -> None:
    assert bins_of([0, 1, 2, 3], [5, 3, 4, 2], capacity=8) == [[0, 1], [2, 3]]
