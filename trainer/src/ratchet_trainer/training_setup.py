# pyright: basic
# transformers and TRL are only partly typed.
"""What SFT and DPO set up alike: trainer arguments, fp32 adapters, resume, result."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from .adapters import adapter_tensors, count_parameters, save_adapter
from .base_model import LARGE_MODEL_PARAMETERS, LoadedBase
from .errors import InterruptedJobError, InvalidJobError
from .events import EventStream
from .job import DpoJob, SftJob
from .ranks import own_rank, rank_count
from .run_state import RunState, check_same_job, read_state
from .runtime import arithmetic_fingerprint, be_deterministic, default_threads, numpy_seed, use_threads
from .window_training import StepCallback, TrainingRun

_SCHEDULERS = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


_ALONE: dict[str, str | int] = {"processes": 1, "strategy": "ddp"}
"""Arithmetic of a job of one process, which its checkpoints do not name."""


def trainer_arguments(job: SftJob | DpoJob, base: LoadedBase, total_steps: int) -> dict[str, Any]:
    """Arguments for `SFTConfig` and `DPOConfig`; everything that this package does itself is switched off."""
    optimisation = job.optimisation
    trackers = job.report_to if own_rank() == 0 else []
    large = base.device == "cuda" and base.model.num_parameters() >= LARGE_MODEL_PARAMETERS
    if "tensorboard" in job.report_to:
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(Path(job.output_dir) / "tensorboard"))
    return {
        "output_dir": job.output_dir,
        "run_name": job.id,
        "seed": numpy_seed(job.seed),
        "max_steps": total_steps,
        "per_device_train_batch_size": 1,  # one window
        "gradient_accumulation_steps": 1,
        "learning_rate": optimisation.learning_rate,
        "warmup_steps": round(optimisation.warmup_share * total_steps),
        "lr_scheduler_type": _SCHEDULERS[optimisation.scheduler],
        "weight_decay": optimisation.weight_decay,
        "max_grad_norm": optimisation.max_grad_norm,
        "max_length": None,
        "bf16": base.dtype == torch.bfloat16,
        "use_cpu": base.device == "cpu",
        "gradient_checkpointing": large,
        "report_to": trackers or "none",
        "logging_strategy": "steps" if trackers else "no",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
    }


def prepare_state(
    job: SftJob | DpoJob, base: LoadedBase, fingerprint: dict[str, Any], lengths: Sequence[int], events: EventStream
) -> RunState:
    """Fresh state, or the checkpoint's; sets threads and seeds.

    A resumed run uses as many threads as it began with: how sums are split decides their last bits.

    Args:
        job: The job.
        base: Its base.
        fingerprint: See `run_state.job_fingerprint`.
        lengths: Tokens that each row brings to a forward pass.
        events: For a warning where a resume cannot be exact.
    Raises:
        InvalidJobError: Bad checkpoint, or another job's.
    """
    tokens = job.optimisation.batch_size * sum(lengths) / len(lengths)
    threads = max(1, default_threads(base.model.num_parameters(), tokens) // rank_count())
    resume = job.checkpointing.resume_from
    if resume is None:
        state = RunState(fingerprint, _arithmetic(job, base, threads))
    else:
        state = read_state(Path(resume))
        check_same_job(state, fingerprint)
        threads = int(state.arithmetic["threads"])
        here = _arithmetic(job, base, threads)
        before, now = _ALONE | state.arithmetic, _ALONE | here
        _check_world_size(job, int(before["processes"]))
        changes = ", ".join(f"{name} {before.get(name)} → {now[name]}" for name in now if before.get(name) != now[name])
        if changes:
            why = f"resumed at step {state.step} under other arithmetic ({changes})"
            message = f"{why}: correct, but not bit for bit the uninterrupted run"
            events.emit("warning", code="inexactResume", message=message)
            state.mark_inexact(why)
            state.arithmetic = here
    use_threads(threads)
    be_deterministic(job.seed, strict=True)
    return state


def is_sharding(job: SftJob | DpoJob) -> bool:
    """Whether the model is split over the processes of this job."""
    return rank_count() > 1 and job.distributed.strategy == "fsdp"


def _arithmetic(job: SftJob | DpoJob, base: LoadedBase, threads: int) -> dict[str, str | int]:
    """Padding and dropout have the shape of a micro-batch, so its size decides the last bits as well."""
    shape = {"dtype": str(base.dtype).removeprefix("torch."), "batchSize": job.optimisation.batch_size}
    ranks = {"processes": rank_count(), "strategy": job.distributed.strategy} if rank_count() > 1 else {}
    return arithmetic_fingerprint(threads) | shape | ranks


def _check_world_size(job: SftJob | DpoJob, theirs: int) -> None:
    if theirs != rank_count() and not job.distributed.allow_other_world_size:
        message = f"checkpointing.resumeFrom: the checkpoint is of {theirs} processes, this job has {rank_count()}"
        fix = f"Resume with {theirs}, or set distributed.allowOtherWorldSize: the result is then marked inexact."
        raise InvalidJobError("otherWorldSize", message, fix)


def keep_precision(model: Any, build: Any) -> Any:
    """Builds a TRL trainer and gives the adapter back its own numbers.

    TRL rounds the adapter of a quantised base to bfloat16. At the learning rates used here most updates would round
    to nothing, and an adapter that is trained on would change before the first step.
    """
    before = {name: parameter.data for name, parameter in model.named_parameters() if parameter.requires_grad}
    trainer = build()
    for name, parameter in model.named_parameters():
        if name in before:
            parameter.data = before[name]
    return trainer


def train(trainer: Any, run: TrainingRun) -> None:
    """Runs the loop to its end, and to that of the last checkpoint's write.

    Generators of ranks differ from here on; those of a checkpoint replace them.

    Raises:
        InterruptedJobError: SIGTERM; a checkpoint of the last step done is on disk.
    """
    trainer.run = run
    trainer.add_callback(StepCallback(trainer))
    if own_rank() > 0:
        set_seed(numpy_seed(run.job.seed + own_rank()))  # dropout must not mask the same places in every rank's rows
    try:
        trainer.train(resume_from_checkpoint=run.job.checkpointing.resume_from)
    finally:
        run.writer.finish()
    run.writer.check()
    if run.interrupts.requested and run.state.step < run.plan.total and not run.state.stopped_early:
        raise InterruptedJobError(f"interrupted after step {run.state.step}; its checkpoint is on disk")


def finish(trainer: Any, run: TrainingRun, provenance: dict[str, Any], **fields: Any) -> None:
    """Saves the adapter (the best epoch's where early stopping keeps it) and emits the result."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    final = Path(run.job.output_dir) / "adapter"
    state = run.state
    tensors = run.best if run.best is not None else adapter_tensors(model)
    if own_rank() > 0:
        return
    body = {
        "version": 1,
        "job": run.job.id,
        "kind": run.job.kind,
        "base": {"digest": run.base.digest, "quantization": run.job.base.quantization},
        "seed": run.job.seed,
        "steps": state.step,
        **provenance,
    }
    save_adapter(model, tensors, final, body)
    trainable, total = run.parameters or count_parameters(model)
    run.events.emit(
        "result",
        adapterPath=str(final),
        steps=state.step,
        trainLoss=state.loss_sum / state.step if state.step else None,
        evalLoss=state.best_loss if run.best is not None else state.eval_loss,
        bestEpoch=state.best_epoch if run.best is not None else None,
        trainableParameters=trainable,
        totalParameters=total,
        inexact=state.inexact,
        seconds=time.monotonic() - run.read_at,
        **fields,
    )
