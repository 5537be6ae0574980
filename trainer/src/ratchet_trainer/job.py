"""The job file: validation against `job.schema.json` (generated from zod) and typed access.

Field meanings and units are the schema's; names here are the same in snake_case.
"""

import dataclasses
import difflib
import json
import re
import types
import typing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from .errors import InvalidJobError
from .texts import lone_surrogate


@dataclass(frozen=True)
class Base:
    """Base model; `path` is a folder or a hub id."""

    path: str
    quantization: Literal["nf4", "none"]
    dtype: Literal["auto", "bfloat16", "float32"]
    revision: str | None = None


@dataclass(frozen=True)
class Adapter:
    """Folder of a peft adapter."""

    path: str


@dataclass(frozen=True)
class Lora:
    """Shape of a new LoRA (arXiv:2106.09685)."""

    r: int
    alpha: float
    dropout: float
    target_modules: list[str]


@dataclass(frozen=True)
class Optimisation:
    """Optimizer settings; `epochs` is absent (0) in DPO jobs, whose stages carry their own."""

    batch_size: int
    gradient_accumulation: int
    learning_rate: float
    warmup_share: float
    scheduler: Literal["linear", "cosine", "constant"]
    weight_decay: float
    max_grad_norm: float
    max_length: int
    epochs: float = 0.0

    @property
    def window(self) -> int:
        """Rows per optimizer step."""
        return self.batch_size * self.gradient_accumulation


@dataclass(frozen=True)
class Checkpointing:
    """Where and how often whole checkpoints appear; see `checkpoint_interval`."""

    every_steps: int | Literal["auto"]
    directory: str
    resume_from: str | None = None
    max_lost_seconds: float = 60.0


@dataclass(frozen=True)
class Preflight:
    """Limits checked before any step."""

    max_truncated_share: float


@dataclass(frozen=True)
class Distributed:
    """How many processes of one host train together, and how they share the work."""

    processes: int = 1
    strategy: Literal["ddp", "fsdp"] = "ddp"
    allow_other_world_size: bool = False


@dataclass(frozen=True)
class EarlyStopping:
    """Stops after this many epochs without a lower evaluation loss."""

    patience_epochs: int


@dataclass(frozen=True)
class DpoStage:
    """One stage of the DPO schedule."""

    epochs: int
    beta: float
    loss: Literal["dpo", "cal-dpo", "cal-dpo-published", "dr-dpo-published"]
    drop_noisiest_share: float
    cal_lambda: float = 1.0
    dr_beta_prime: float = 1.0


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen and where texts end."""

    max_new_tokens: int
    temperature: float
    top_p: float
    stop: list[str]


@dataclass(frozen=True)
class _Common:
    version: int
    id: str
    seed: int
    base: Base
    output_dir: str


@dataclass(frozen=True)
class SftJob(_Common):
    """Supervised fine-tuning on prompt/completion rows."""

    kind: Literal["sft"]
    lora: Lora
    train_file: str
    optimisation: Optimisation
    packing: bool
    checkpointing: Checkpointing
    preflight: Preflight
    report_to: list[str]
    adapter: Adapter | None = None
    eval_file: str | None = None
    early_stopping: EarlyStopping | None = None
    distributed: Distributed = Distributed()


@dataclass(frozen=True)
class DpoJob(_Common):
    """Preference training from an SFT adapter, by stages."""

    kind: Literal["dpo"]
    adapter: Adapter
    pairs_file: str
    stages: list[DpoStage]
    optimisation: Optimisation
    checkpointing: Checkpointing
    preflight: Preflight
    report_to: list[str]
    distributed: Distributed = Distributed()


@dataclass(frozen=True)
class GenerateJob(_Common):
    """Texts for prompts."""

    kind: Literal["generate"]
    prompts_file: str
    output_file: str
    engine: Literal["auto", "transformers", "vllm"]
    sampling: Sampling
    batch_size: int
    adapter: Adapter | None = field(default=None)
    distributed: Distributed = Distributed()


@dataclass(frozen=True)
class AttributeJob(_Common):
    """Integrated gradients of answers on the tokens of their prompts."""

    kind: Literal["attribute"]
    items_file: str
    output_file: str
    steps: int
    batch_size: int
    adapter: Adapter | None = field(default=None)
    distributed: Distributed = Distributed()


TrainingJob = SftJob | DpoJob
Job = SftJob | DpoJob | GenerateJob | AttributeJob

_KINDS: dict[str, type[SftJob] | type[DpoJob] | type[GenerateJob] | type[AttributeJob]] = {
    "sft": SftJob,
    "dpo": DpoJob,
    "generate": GenerateJob,
    "attribute": AttributeJob,
}


def load_job(path: str | Path) -> Job:
    """Reads and validates a job file.

    Raises:
        InvalidJobError: Unreadable, not JSON, or against the schema; names the field, what was expected and the fix.
    """
    try:
        data: object = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise InvalidJobError("unreadableJob", f"{path}: {error.strerror}", "Pass the path of a job file.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidJobError("notJson", f"{path}: {error}", "The job file is one JSON object.") from error
    return parse_job(data)


def parse_job(data: object) -> Job:
    """Validates one decoded job.

    Raises:
        InvalidJobError: See `load_job`.
    """
    kind = cast("dict[str, Any]", data).get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidJobError("invalidField", f"kind: {kind!r} is none of {', '.join(_KINDS)}", "Set kind.")
    schema = _schema_of(kind)
    _refuse_unusable_text(cast("object", data), "")
    errors = sorted(
        cast("typing.Iterable[ValidationError]", Draft202012Validator(schema).iter_errors(cast("Any", data))),  # pyright: ignore[reportUnknownMemberType]
        key=lambda error: list(map(str, error.absolute_path)),
    )
    if errors:
        raise InvalidJobError("invalidField", *_explain(errors[0]))
    return cast("Job", _build(_KINDS[kind], data))


def _refuse_unusable_text(value: object, where: str) -> None:
    """No path, id or stop string can hold half a character, nor a path a NUL."""
    if isinstance(value, dict):
        for name, item in cast("dict[str, object]", value).items():
            _refuse_unusable_text(item, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[object]", value)):
            _refuse_unusable_text(item, f"{where}.{number}")
    elif isinstance(value, str):
        wrong = lone_surrogate(value) or (
            "\\u0000" if "\0" in value and not where.startswith("sampling.stop") else None
        )
        if wrong is not None:
            raise InvalidJobError("invalidField", f"{where}: holds {wrong}", "Take it out.")


def _schema_of(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        resources.files(__name__.rpartition(".")[0]).joinpath("job.schema.json").read_text("utf-8")
    )
    options: list[dict[str, Any]] = schema.get("oneOf") or schema["anyOf"]
    return next(option for option in options if option["properties"]["kind"]["const"] == kind)


def _explain(error: ValidationError) -> tuple[str, str]:
    """Message with the dotted field first, and the fix."""
    where = ".".join(map(str, error.absolute_path))
    rule = cast("str", error.validator)
    if rule == "additionalProperties":
        schema = cast("dict[str, Any]", error.schema)
        known = list(schema["properties"])
        extra = next(key for key in cast("dict[str, Any]", error.instance) if key not in known)
        near = difflib.get_close_matches(extra, known, n=1)
        name = f"{where}.{extra}" if where else extra
        fix = f"Did you mean {near[0]}?" if near else f"Remove it; known fields: {', '.join(known)}."
        return f"{name}: unknown field", fix
    if rule == "required":
        missing = error.message.split("'")[1]
        return f"{where}.{missing}: missing" if where else f"{missing}: missing", "This field is required."
    return f"{where}: {error.message}", f"Expected {rule} {json.dumps(error.validator_value)}."


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _build(kind: Any, value: Any) -> Any:
    """Builds the annotated type from plain JSON that the schema has already accepted."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if value is None else _build(inner[0], value)
    if origin is list:
        return [_build(typing.get_args(kind)[0], item) for item in value]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return cast("type", kind)(**{_snake(key): _build(hints[_snake(key)], item) for key, item in value.items()})
    return float(value) if kind is float else value
