# pyright: basic
# transformers and bitsandbytes are only partly typed.
"""Loads the base model and its tokenizer, NF4 on CUDA and on CPU."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from .digests import base_digest, base_folder
from .errors import PreflightError, naming
from .job import Base
from .runtime import device_name
from .vocabulary import check_ids, check_special_tokens, embeddings_of

LARGE_MODEL_PARAMETERS = 1_000_000_000
"""Above this, training on CUDA recomputes activations instead of keeping them."""


@dataclass
class LoadedBase:
    """A base model ready for adapters.

    Attributes:
        dtype: Compute type.
        digest: See `digests.base_digest`.
        embeddings: See `vocabulary.embeddings_of`.
    """

    model: Any
    tokenizer: Any
    dtype: torch.dtype
    device: str
    digest: str
    folder: Path
    embeddings: int

    def check_ids(self, named: Iterable[tuple[str, Sequence[int]]]) -> None:
        """Refuses rows with tokens that the base does not have; see `vocabulary.check_ids`."""
        check_ids(self.tokenizer, self.embeddings, self.folder, named)


def compute_dtype(asked: str, device: str) -> torch.dtype:
    """Resolves `auto`: bfloat16 on CUDA devices that have it in hardware (not emulated: T4, V100), float32 elsewhere.

    CPUs with bfloat16 instructions still get float32: the small models that run there lose accuracy and gain nothing.
    """
    if asked == "auto":
        has_bfloat16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bfloat16 else torch.float32
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[asked]


def load_tokenizer(folder: Path) -> Any:
    """Loads the tokenizer; pads with the end token where the base names no padding token.

    Raises:
        InvalidJobError: No tokenizer that transformers can load.
        PreflightError: No end token: nothing that is trained could ever stop.
    """
    fix = "base.path must hold a tokenizer that transformers can load: tokenizer.json, or what its class needs."
    with naming("unloadableTokenizer", f"base.path: tokenizer of {folder}", fix):
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.eos_token_id is None:
        fix = "Set eos_token in the base's tokenizer_config.json."
        raise PreflightError("untrainedStopToken", f"base.path: the tokenizer of {folder} has no end token", fix)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(base: Base, *, sharded: bool = False) -> LoadedBase:
    """Loads a base as the job asks.

    Args:
        base: The job's.
        sharded: Keeps 4-bit weights in tensors of the compute type: FSDP does not split those of uint8.
    Raises:
        InvalidJobError: Nothing loadable at `base.path`.
        PreflightError: See `load_tokenizer` and `vocabulary.check_special_tokens`.
    """
    folder = base_folder(base.path, base.revision)
    device = device_name()
    dtype = compute_dtype(base.dtype, device)
    tokenizer = load_tokenizer(folder)
    fix = "base.path must hold a causal language model that transformers can load."
    with naming("unloadableBase", f"base.path: {folder}", fix):
        config = AutoConfig.from_pretrained(folder)
        embeddings = embeddings_of(config)
    check_special_tokens(tokenizer, config, folder)
    options: dict[str, Any] = {"dtype": dtype}
    if device == "cuda":
        options["device_map"] = {"": torch.cuda.current_device()}
    if base.quantization == "nf4":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_quant_storage=dtype if sharded else None,
        )
    with naming("unloadableBase", f"base.path: {folder}", fix):
        model = AutoModelForCausalLM.from_pretrained(folder, **options)
    _keep_nf4_weights(model)
    return LoadedBase(model, tokenizer, dtype, device, base_digest(folder), folder, embeddings)


def nf4_layers(model: Any) -> list[tuple[str, Any]]:
    """Names and modules of the bitsandbytes 4-bit layers of a model."""
    from bitsandbytes.nn.modules import Linear4bit

    return [(name, module) for name, module in model.named_modules() if isinstance(module, Linear4bit)]


def _keep_nf4_weights(model: Any) -> None:
    """Keeps bitsandbytes from repacking weights for its bfloat16 CPU kernel at the first evaluation pass.

    The repacked layer has no gradient and other rounding, so an evaluation in the middle of a run would end training
    silently; evaluation and training must also see the same function.
    """
    for _, module in nf4_layers(model):
        module.support_avx512bf16_for_cpu = False


def dequantize(model: Any) -> Any:
    """Replaces 4-bit layers by dense ones that hold the dequantised weights: the same function, without the unpacking.

    Costs memory (4 or 8 times the 4-bit weights), saves most of the time per generated token on a CPU.
    """
    import bitsandbytes.functional as bnb

    for name, module in nf4_layers(model):
        weight = bnb.dequantize_4bit(module.weight.data, module.weight.quant_state)
        dense = torch.nn.Linear(module.in_features, module.out_features, bias=module.bias is not None, device="meta")
        dense.weight = torch.nn.Parameter(weight.to(module.compute_dtype or weight.dtype), requires_grad=False)
        if module.bias is not None:
            dense.bias = module.bias
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, dense)
    return model
