# pyright: basic
# transformers, TRL and accelerate are only partly typed.
"""The part of a TRL trainer that is the same for SFT and DPO: windows, step events, checkpoints, exact resume.

One item of the data loader is one window: the rows of an optimizer step, cut here into micro-batches. So batch
statistics (weights, means over the batch) see the whole window, and the order of rows is a pure function of the seed.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME

from .adapters import WEIGHTS_FILE, adapter_state, restore_adapter, write_adapter_config, write_tensors
from .base_model import LoadedBase
from .checkpoint_interval import MOST_OVERHEAD, CheckpointInterval
from .checkpoint_writer import CheckpointWriter
from .errors import DivergedError
from .events import EventStream
from .interrupts import Interrupts
from .job import DpoJob, SftJob
from .plan import WindowPlan
from .rank_training import TrainingOverRanks
from .ranks import any_rank, own_rank, rank_count, sum_gradients, sum_over_ranks
from .run_state import RunState
from .sharding import is_sharded, reduce_with_next_backward, whole

BEST_FILE = "best_adapter.safetensors"
BAD_STEPS_ALLOWED = 10
"""Consecutive steps above the divergence limit before the job ends with `diverged`."""


@dataclass
class TrainingRun:
    """What a training job carries around.

    Attributes:
        lengths: Tokens of every row (pairs: of the longer side), by row number.
        best: Adapter of the best epoch, when early stopping asks for it.
        read_at: `time.monotonic()` when the job was read.
        parameters: Trainable and total, counted before a sharded model is split.
    """

    job: SftJob | DpoJob
    base: LoadedBase
    events: EventStream
    interrupts: Interrupts
    state: RunState
    plan: WindowPlan
    lengths: Sequence[int]
    read_at: float
    best: dict[str, torch.Tensor] | None = None
    extra_checkpoint_files: Sequence[Path] = ()
    parameters: tuple[int, int] | None = None
    interval: CheckpointInterval = field(init=False)
    writer: CheckpointWriter = field(init=False)

    def __post_init__(self) -> None:
        asked = self.job.checkpointing
        self.interval = CheckpointInterval(asked.every_steps, asked.max_lost_seconds, self._say_rarer)
        self.writer = CheckpointWriter(self.events, self.interval)

    def checkpoint_due(self) -> bool:
        """Whether to save after the step that is done: the same answer on all ranks, by rank 0's clock."""
        if self.state.step >= self.plan.total:
            return False
        if not self.interval.measures:
            return self.interval.due(self.state.step)
        return any_rank(own_rank() == 0 and self.interval.due(self.state.step))

    def _say_rarer(self, seconds: float) -> None:
        limit = self.job.checkpointing.max_lost_seconds
        message = (
            f"saves are slow: at {MOST_OVERHEAD:.0%} of the training, checkpoints come every {seconds:.0f} s, and a "
            f"lost host loses more than {limit:g} s; a number in everySteps insists"
        )
        self.events.emit("warning", code="checkpointsRarer", message=message)


class WindowTraining(TrainingOverRanks):
    """Mixin in front of a TRL trainer; set `run` before `train()`."""

    run: TrainingRun
    evaluates = False

    def window_batches(self, step: int) -> list[dict[str, Any]]:
        """This rank's micro-batches of the zero-based optimizer step, ready for `compute_loss`.

        One that only keeps step with the other ranks says `idle` and has no weight.
        """
        raise NotImplementedError

    def divergence_limit(self) -> float:
        """Step loss that counts as divergent, nats."""
        raise NotImplementedError

    def step_fields(self) -> dict[str, float]:
        """Further fields of the newest step's event."""
        return {}

    def reported_loss(self, backpropagated: float) -> float:
        """The window's loss, nats; not the number that was differentiated where batch weights were constants.

        Called once per step, on all ranks.
        """
        return backpropagated

    def get_train_dataloader(self) -> DataLoader:
        """Numbers of the windows in order; rows are looked up when the step begins."""
        return DataLoader(range(self.run.plan.total), batch_size=1, collate_fn=lambda items: {"window": items[0]})  # type: ignore[arg-type]

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward over all micro-batches of a window; returns the window's loss.

        Losses are parts of the window's, so gradients add up over micro-batches and ranks.
        """
        self._step_began = time.monotonic()
        self._rate = cast("Any", self.optimizer).param_groups[0]["lr"]
        batches = self.window_batches(inputs["window"])
        if not model.training:  # the call walks every module, so not for each micro-batch
            model.train()
        tokens = 0
        losses = []
        sharded = is_sharded(model)
        for number, batch in enumerate(batches):
            tokens += 0 if batch.pop("idle", False) else _tokens_in(batch)
            reduce_with_next_backward(model, last=number == len(batches) - 1)
            with self.compute_loss_context_manager():
                loss = cast("torch.Tensor", self.compute_loss(model, self._prepare_inputs(batch)))
            self.accelerator.backward(loss * rank_count() if sharded else loss)  # FSDP averages over the ranks
            losses.append(loss.detach())
        if not sharded:
            sum_gradients(self._trainable())
        self._tokens = int(sum_over_ranks(torch.tensor(tokens)))
        total = sum_over_ranks(torch.stack(losses).sum())
        self._loss = self.reported_loss(float(total))
        return total

    def _trainable(self) -> list[torch.nn.Parameter]:
        return [parameter for group in cast("Any", self.optimizer).param_groups for parameter in group["params"]]

    def _clip_grad_norm(self, model: Any) -> Any:
        self._grad_norm: Any = whole(torch.nn.utils.clip_grad_norm_(self._trainable(), self.args.max_grad_norm))
        return self._grad_norm

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Copies what a bit-exact resume needs; it is written while training goes on."""
        run = self.run
        if own_rank() > 0:
            self.give_checkpoint_parts()
            return
        run.writer.save(run.state.step, Path(run.job.checkpointing.directory), self._take)

    def _take(self, temporary: Path) -> Callable[[], None]:
        """Writes the small files of a checkpoint and copies the large ones; returns what writes the copies."""
        run = self.run
        peft_model = self.accelerator.unwrap_model(self.model)
        adapter = run.writer.memory.copy("adapter", adapter_state(peft_model))
        optimizer = run.writer.memory.copy("optimizer", self.optimizer_state())
        best = run.best  # replaced when a better epoch comes, never changed
        write_adapter_config(peft_model, temporary)
        torch.save(cast("Any", self.lr_scheduler).state_dict(), temporary / SCHEDULER_NAME)
        self._save_scaler(str(temporary))
        self._save_rng_state(str(temporary))
        self.state.save_to_json(str(temporary / TRAINER_STATE_NAME))
        run.state.write(temporary)

        def write_copies() -> None:
            write_tensors(adapter, temporary / WEIGHTS_FILE)
            torch.save(optimizer, temporary / OPTIMIZER_NAME)
            if best is not None:
                write_tensors(best, temporary / BEST_FILE)
            for file in run.extra_checkpoint_files:
                shutil.copyfile(file, temporary / file.name)

        return write_copies

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        restore_adapter(model or self.model, Path(resume_from_checkpoint) / WEIGHTS_FILE)

    def record_step(self) -> None:
        """Adds the finished step to the state and emits its event."""
        run = self.run
        state = run.state
        state.step += 1
        state.tokens += self._tokens
        state.last_loss = self._loss
        state.loss_sum += self._loss
        seconds = max(time.monotonic() - self._step_began, 1e-9)
        run.interval.step_took(seconds)
        run.events.emit(
            "step",
            step=state.step,
            totalSteps=run.plan.total,
            epoch=run.plan.progress(state.step),
            loss=self._loss,
            learningRate=self._rate,
            gradNorm=float(self._grad_norm),
            tokens=state.tokens,
            tokensPerSecond=self._tokens / seconds,
            **self.step_fields(),
        )

    def refuse_divergence(self) -> None:
        """Ends the job before an optimizer step that would spoil the adapter.

        Raises:
            DivergedError: Loss or gradient is not finite, or the loss has been above the limit for too long.
        """
        state = self.run.state
        norm = float(self._grad_norm)
        fix = "Lower optimisation.learningRate; the last whole checkpoint is still good."
        if not (abs(self._loss) < float("inf") and norm < float("inf")):
            message = f"step {state.step + 1}: loss {self._loss}, gradient norm {norm}"
            raise DivergedError("diverged", message, fix)
        limit = self.divergence_limit()
        state.bad_steps = state.bad_steps + 1 if self._loss > limit else 0
        if state.bad_steps >= BAD_STEPS_ALLOWED:
            message = f"step {state.step + 1}: loss {self._loss:.3f} above {limit:.3f} for {state.bad_steps} steps"
            raise DivergedError("diverged", message, fix)


def _tokens_in(batch: dict[str, Any]) -> int:
    return int(batch["attention_mask"].sum()) if "attention_mask" in batch else batch["input_ids"].numel()


class StepCallback(TrainerCallback):
    """Connects the training loop of transformers to the run: events, evaluation and checkpoints between steps."""

    def __init__(self, trainer: WindowTraining) -> None:
        self._trainer = trainer
        self._started = False

    def on_step_begin(self, args: Any, state: Any, control: TrainerControl, **kwargs: Any) -> None:
        """Says once that training begins; a SIGTERM that arrived while loading ends the job here."""
        if self._started:
            return
        self._started = True
        run = self._trainer.run
        run.interrupts.check("before the first step")
        run.events.emit(
            "started",
            pid=os.getpid(),
            startupSeconds=time.monotonic() - run.read_at,
            totalSteps=run.plan.total,
            resumedStep=run.state.step or None,
            device=run.base.device,
        )

    def on_pre_optimizer_step(self, args: Any, state: Any, control: TrainerControl, **kwargs: Any) -> None:
        """Refuses a divergent step."""
        self._trainer.refuse_divergence()

    def on_step_end(self, args: Any, state: Any, control: TrainerControl, **kwargs: Any) -> None:
        """Records the step and asks for what is due: evaluation first, then a checkpoint that knows its outcome."""
        self._trainer.record_step()
        run = self._trainer.run
        run.writer.check()
        step = run.state.step
        control.should_evaluate = self._trainer.evaluates and step in run.plan.epoch_ends()
        due = run.checkpoint_due()
        interrupted = run.interrupts.arrived()
        control.should_save = due or interrupted
        if interrupted:
            control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: TrainerControl, **kwargs: Any) -> None:
        """An evaluation takes time too: the checkpoint may have become due meanwhile."""
        run = self._trainer.run
        if run.interval.measures and not control.should_save:
            control.should_save = run.checkpoint_due()
