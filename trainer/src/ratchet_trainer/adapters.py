# pyright: basic
# peft is only partly typed.
"""LoRA adapters: made, loaded, checked against their base, saved whole."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from .base_model import LoadedBase
from .digests import PROVENANCE_FILE, read_provenance
from .errors import InvalidJobError, PreflightError, naming
from .files import replace_folder, sync_tree
from .job import Lora
from .sharding import whole

WEIGHTS_FILE = "adapter_model.safetensors"
_ADAPTER_FIX = "Point adapter.path to a folder with adapter_config.json and adapter_model.safetensors, of this base."


def new_adapter(base: LoadedBase, lora: Lora) -> Any:
    """Wraps the base with a fresh LoRA; its A matrices come from torch's global generator.

    Raises:
        InvalidJobError: A target module that the base does not have.
    """
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
        bias="none",
    )
    leaves = {name.rpartition(".")[2] for name, _ in base.model.named_modules()}
    missing = [name for name in lora.target_modules if name.rpartition(".")[2] not in leaves]
    if missing:
        fix = "Name linear layers of this base, for example q_proj, v_proj (Llama) or qkv_proj (Phi-3)."
        raise InvalidJobError("unknownModule", f"lora.targetModules: the base has no {', '.join(missing)}", fix)
    _refuse_head(base.model, lora)
    fix = "Name linear layers of this base alone."
    with naming("unknownModule", f"lora.targetModules: {', '.join(lora.target_modules)}", fix):
        return get_peft_model(base.model, config)


def _refuse_head(model: Any, lora: Lora) -> None:
    """The loss is computed from hidden states and the head's own weights, past an adapter on it."""
    head = model.get_output_embeddings()
    heads = {name.rpartition(".")[2] for name, module in model.named_modules() if module is head}
    named = [name for name in lora.target_modules if name.rpartition(".")[2] in heads]
    if named:
        message = f"lora.targetModules: {', '.join(named)} is the head of the base, which is not trained"
        raise InvalidJobError("headAsTarget", message, "Name linear layers of its blocks, for example q_proj, v_proj.")


def load_adapter(base: LoadedBase, path: str, *, trainable: bool, lora: Lora | None = None) -> Any:
    """Puts an existing adapter on the base.

    Args:
        base: The loaded base.
        path: Adapter folder.
        trainable: Whether training goes on from it.
        lora: What the job asks for; rank, scale and modules must be the adapter's own, dropout may differ.
    Raises:
        InvalidJobError: Unreadable adapter, or `lora` asks for another shape.
        PreflightError: The adapter belongs to another base.
    """
    folder = Path(path)
    check_adapter_base(folder, base.digest)
    unloadable = ("unloadableAdapter", f"adapter.path: {folder}", _ADAPTER_FIX)
    with naming(*unloadable):
        written = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        for name in ("r", "lora_alpha", "target_modules"):
            _ = written[name]  # peft would take a default, and another function than the one that was trained
        config = LoraConfig.from_pretrained(str(folder))
        if not isinstance(config, LoraConfig):
            raise TypeError(f"a {type(config).__name__}, not a LoRA")
    if lora is not None:
        _check_shape(config, lora)
        config.lora_dropout = lora.dropout
    config.inference_mode = not trainable
    with naming(*unloadable):
        return PeftModel.from_pretrained(base.model, str(folder), is_trainable=trainable, config=config)


def check_adapter_base(folder: Path, digest: str) -> None:
    """Refuses an adapter of another base.

    Raises:
        InvalidJobError: No adapter in the folder.
        PreflightError: `ratchet.json` names another base digest.
    """
    if not (folder / WEIGHTS_FILE).is_file():
        raise InvalidJobError("noAdapter", f"adapter.path: {folder} has no {WEIGHTS_FILE}", _ADAPTER_FIX)
    with naming("unloadableAdapter", f"adapter.path: {folder / PROVENANCE_FILE}", _ADAPTER_FIX):
        provenance = read_provenance(folder)
        theirs = digest if provenance is None else str(provenance["base"]["digest"])
    if theirs != digest:
        message = f"adapter.path: {folder} was trained on base {theirs[:12]}, base.path is {digest[:12]}"
        raise PreflightError("adapterOfAnotherBase", message, "Use the base that the adapter was trained on.")


def _check_shape(config: LoraConfig, lora: Lora) -> None:
    targets = config.target_modules
    theirs = {
        "r": config.r,
        "alpha": float(config.lora_alpha),
        "targetModules": sorted(targets) if isinstance(targets, (set, list)) else targets,
    }
    asked = {"r": lora.r, "alpha": float(lora.alpha), "targetModules": sorted(lora.target_modules)}
    for name, value in asked.items():
        if theirs[name] != value:
            message = f"lora.{name}: the job asks for {value}, the adapter at adapter.path has {theirs[name]}"
            raise InvalidJobError("adapterShape", message, f"Set lora.{name} to {theirs[name]} or leave adapter out.")


def adapter_state(model: Any) -> dict[str, torch.Tensor]:
    """The adapter's own tensors under peft's file names, sorted by name: same values, same bytes.

    Every rank must call it where the model is sharded.
    """
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: whole(state[name].detach()) for name in sorted(state)}


def adapter_tensors(model: Any) -> dict[str, torch.Tensor]:
    """A copy of `adapter_state` on the CPU."""
    return {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in adapter_state(model).items()}


def restore_adapter(model: Any, file: Path) -> None:
    """Copies the tensors of a weights file into the model's adapter, bit for bit."""
    with naming("badCheckpoint", f"checkpointing.resumeFrom: {file}", "Resume from the checkpoint before it."):
        result = set_peft_model_state_dict(model, load_file(file))
    if result.unexpected_keys:
        raise InvalidJobError("adapterShape", f"{file}: unexpected tensors {result.unexpected_keys[:3]}")


def save_adapter(model: Any, tensors: dict[str, torch.Tensor], final: Path, provenance: dict[str, Any]) -> None:
    """Writes adapter_config.json, adapter_model.safetensors and ratchet.json, and renames the folder into place."""
    temporary = final.with_name(f".{final.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write_tensors(tensors, temporary / WEIGHTS_FILE)
    write_adapter_config(model, temporary)
    (temporary / PROVENANCE_FILE).write_text(json.dumps(provenance, indent=2, sort_keys=True) + "\n", "utf-8")
    sync_tree(temporary)
    replace_folder(temporary, final)


def write_tensors(tensors: dict[str, torch.Tensor], file: Path) -> None:
    """Writes a weights file as peft reads it."""
    save_file(tensors, file, metadata={"format": "pt"})


def write_adapter_config(model: Any, folder: Path) -> None:
    """Writes the other file that peft reads."""
    config = model.peft_config["default"]
    was_inference = config.inference_mode
    config.inference_mode = True
    config.save_pretrained(folder)
    config.inference_mode = was_inference


def count_parameters(model: Any) -> tuple[int, int]:
    """Trainable and total parameters; 4-bit weights count as the weights that they stand for."""
    trainable, total = model.get_nb_trainable_parameters()
    return trainable, total
