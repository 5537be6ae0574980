"""What a run must remember besides weights, optimizer, scheduler and generators."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from .errors import InvalidJobError, naming
from .files import sha256_of
from .job import DpoJob, SftJob

STATE_FILE = "ratchet_state.json"
_NOT_DECIDING = (
    *("version", "id", "base", "output_dir", "checkpointing", "preflight", "report_to", "adapter"),
    "distributed",  # how sums are split: see `RunState.arithmetic`
)


@dataclass
class RunState:
    """Lies in every checkpoint as `ratchet_state.json`.

    Attributes:
        fingerprint: Job fields that decide the result; a resume with others is refused.
        arithmetic: See `runtime.arithmetic_fingerprint`.
        step: Optimizer steps done.
        tokens: Tokens seen, padding excluded.
        loss_sum: Sum of the step losses.
        last_loss: Loss of the last step, nats.
        bad_steps: Consecutive steps whose loss looks divergent.
        eval_loss: Newest evaluation loss, nats per token.
        best_loss: Lowest evaluation loss so far.
        best_epoch: Epochs done when it was measured.
        epochs_without_gain: For early stopping.
        stopped_early: Whether patience ran out.
        kept: Pairs that each filtering DPO stage visits, by stage number.
        reference_digest: Adapter that the reference log-probs come from (DPO).
        inexact: Why the result is not bit for bit that of a run which nothing interrupted; None = it is.
    """

    fingerprint: dict[str, Any]
    arithmetic: dict[str, str | int]
    step: int = 0
    tokens: int = 0
    loss_sum: float = 0.0
    last_loss: float | None = None
    bad_steps: int = 0
    eval_loss: float | None = None
    best_loss: float | None = None
    best_epoch: float | None = None
    epochs_without_gain: int = 0
    stopped_early: bool = False
    kept: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    reference_digest: str | None = None
    inexact: str | None = None

    def write(self, folder: Path) -> None:
        """Writes the state into a checkpoint folder."""
        body = dataclasses.asdict(self)
        if self.inexact is None:
            del body["inexact"]
        (folder / STATE_FILE).write_text(json.dumps(body, allow_nan=False) + "\n", "utf-8")

    def mark_inexact(self, why: str) -> None:
        """Remembers one more reason; the result carries all of them."""
        self.inexact = why if self.inexact is None else f"{self.inexact}; {why}"


def read_state(checkpoint: Path) -> RunState:
    """Reads the state of a checkpoint.

    Raises:
        InvalidJobError: Not a whole checkpoint of this trainer.
    """
    where = f"checkpointing.resumeFrom: {checkpoint} is no whole checkpoint"
    with naming("badCheckpoint", where, "Resume from the checkpoint before it."):
        state = RunState(**cast("dict[str, Any]", json.loads((checkpoint / STATE_FILE).read_text("utf-8"))))
        int(state.arithmetic["threads"])
        _ = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))["global_step"]
        return state


def job_fingerprint(job: SftJob | DpoJob, base_digest: str, adapter_digest: str | None) -> dict[str, Any]:
    """The fields that decide a run's result, file contents by digest; where things lie does not matter.

    The micro-batch size is left out: halving it after running out of memory keeps the same rows per step.
    """
    data = dataclasses.asdict(job)
    for name in _NOT_DECIDING:
        data.pop(name)
    optimisation = data["optimisation"]
    optimisation["window"] = optimisation.pop("batch_size") * optimisation.pop("gradient_accumulation")
    for name in [name for name in data if name.endswith("_file")]:
        data[name] = sha256_of(data[name]) if data[name] else None
    data["base"] = {"digest": base_digest, "quantization": job.base.quantization, "dtype": job.base.dtype}
    data["adapter"] = adapter_digest
    return json.loads(json.dumps(data))


def check_same_job(saved: RunState, fingerprint: dict[str, Any]) -> None:
    """Refuses to resume another job's checkpoint.

    Raises:
        InvalidJobError: Names the fields that differ.
    """
    names = sorted(
        name for name in {*saved.fingerprint, *fingerprint} if saved.fingerprint.get(name) != fingerprint.get(name)
    )
    if names:
        message = f"checkpointing.resumeFrom: the checkpoint belongs to a job with other {', '.join(names)}"
        raise InvalidJobError("resumeMismatch", message, "Resume with the same job, or start without resumeFrom.")


def digest_of(value: Any) -> str:
    """Hex SHA-256 of a JSON value, keys sorted."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
