# pyright: basic
# TRL is only partly typed.
"""Supervised fine-tuning: LoRA or QLoRA on prompt/completion rows, loss on the completions only."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from safetensors.torch import load_file
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from .adapters import adapter_tensors, load_adapter, new_adapter
from .base_model import LoadedBase, load_base
from .batches import bins_of, collate, collate_packed, refuse_leaking_attention
from .digests import adapter_digest
from .errors import InvalidJobError
from .events import EventStream
from .files import read_rows
from .interrupts import Interrupts
from .job import SftJob
from .plan import StagePlan, WindowPlan, micro_batches
from .preflight import check_end_token, check_rows, check_trackers, warn_about
from .ranks import deal, sum_over_ranks
from .rows import TokenRow, encode_prompt_completion
from .run_state import job_fingerprint
from .training_setup import finish, is_sharding, keep_precision, prepare_state, train, trainer_arguments
from .window_training import BEST_FILE, TrainingRun, WindowTraining


class WindowSftTrainer(WindowTraining, SFTTrainer):
    """TRL's SFT trainer over windows, with row weights and an exact evaluation loss."""

    rows: list[TokenRow]
    eval_rows: list[TokenRow]

    @property
    def job(self) -> SftJob:
        """The run's job."""
        return cast("SftJob", self.run.job)

    def window_batches(self, step: int) -> list[dict[str, Any]]:
        """Micro-batches of one window; the loss is a mean over the window's weighted supervised tokens."""
        run = self.run
        numbers = run.plan.rows(run.plan.locate(step), range(len(self.rows)))
        window = [self.rows[number] for number in numbers]
        weight = sum(row.weight * row.supervised for row in window)
        pad = self.run.base.tokenizer.pad_token_id
        optimisation = self.job.optimisation

        def cut(rows: Sequence[int]) -> list[list[int]]:
            if self.job.packing:
                return bins_of(rows, run.lengths, optimisation.max_length)
            return micro_batches(rows, run.lengths, optimisation.batch_size)

        share = deal(numbers, run.lengths, cut)
        batches: list[dict[str, Any]] = []
        for group in [*share.groups, *[numbers[:1]] * share.idle]:
            rows = [self.rows[number] for number in group]
            batch = collate_packed(rows) if self.job.packing else collate(rows, pad)
            batches.append(batch | {"normalizer": torch.tensor(max(weight, 1e-9))})
        for batch in batches[len(share.groups) :]:
            batch |= {"idle": True, "token_weights": torch.zeros_like(batch["token_weights"])}
        return batches

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Negative log-likelihood, nats, summed over weighted tokens and divided by the window's weight."""
        weights, normalizer = inputs.pop("token_weights"), inputs.pop("normalizer")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        return -(outputs.log_probs.float() * weights[:, 1:]).sum() / normalizer

    def divergence_limit(self) -> float:
        """Twice the loss of guessing uniformly, nats per token."""
        return 2 * math.log(len(self.run.base.tokenizer))

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Mean negative log-likelihood per supervised token of the held-out rows; keeps the best epoch."""
        size = 2 * self.run.job.optimisation.batch_size
        lengths = [len(row.ids) for row in self.eval_rows]
        share = deal(range(len(lengths)), lengths, lambda rows: micro_batches(rows, lengths, size))
        total = 0.0
        model = cast("Any", self.model)
        model.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            for number, group in enumerate([*share.groups, *[[0]] * share.idle]):
                rows = [self.eval_rows[row] for row in group]
                batch = self._prepare_inputs(collate(rows, self.run.base.tokenizer.pad_token_id, weighted=False))
                batch["normalizer"] = torch.tensor(1.0)
                loss = float(self.compute_loss(model, batch))
                total += loss if number < len(share.groups) else 0.0
        whole = float(sum_over_ranks(torch.tensor(total, dtype=torch.float64)))
        loss = whole / sum(row.supervised for row in self.eval_rows)
        self._record_evaluation(loss)
        metrics = {"eval_loss": loss}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _record_evaluation(self, loss: float) -> None:
        run = self.run
        state = run.state
        epoch = run.plan.progress(state.step)
        run.events.emit("eval", step=state.step, epoch=epoch, loss=loss)
        state.eval_loss = loss
        if self.job.early_stopping is None:
            return
        if state.best_loss is None or loss < state.best_loss:
            state.best_loss, state.best_epoch, state.epochs_without_gain = loss, epoch, 0
            run.best = adapter_tensors(self.accelerator.unwrap_model(self.model))
            return
        state.epochs_without_gain += 1
        if state.epochs_without_gain >= self.job.early_stopping.patience_epochs:
            state.stopped_early = True
            self.control.should_training_stop = True


def run_sft(job: SftJob, events: EventStream, interrupts: Interrupts, read_at: float) -> None:
    """Runs one SFT job to its `result` event.

    Raises:
        InvalidJobError, PreflightError, DivergedError, InterruptedJobError: See `errors`.
    """
    check_trackers(job.report_to)
    if job.early_stopping is not None and job.eval_file is None:
        raise InvalidJobError("missingField", "earlyStopping: needs evalFile", "Give evalFile or drop earlyStopping.")
    raw = read_rows(job.train_file, "trainFile")
    raw_eval = read_rows(job.eval_file, "evalFile") if job.eval_file else []
    base = load_base(job.base, sharded=is_sharding(job))
    check_end_token(base.model, base.tokenizer)
    parent = adapter_digest_of(job)
    rows, share = _encode(base, raw, job, "trainFile", events)
    eval_rows = _encode(base, raw_eval, job, "evalFile", events)[0] if raw_eval else []
    lengths = [len(row.ids) for row in rows]
    state = prepare_state(job, base, job_fingerprint(job, base.digest, parent), lengths, events)
    optimisation = job.optimisation
    plan = WindowPlan([StagePlan(optimisation.epochs, len(rows))], optimisation.window, job.seed)
    model = (
        load_adapter(base, job.adapter.path, trainable=True, lora=job.lora)
        if job.adapter
        else new_adapter(base, job.lora)
    )
    if job.packing:
        refuse_leaking_attention(model, rows, base.device)
    run = TrainingRun(job, base, events, interrupts, state, plan, lengths, read_at)
    if job.checkpointing.resume_from and (Path(job.checkpointing.resume_from) / BEST_FILE).exists():
        run.best = load_file(Path(job.checkpointing.resume_from) / BEST_FILE)
    trainer = _trainer(job, base, model, plan)
    trainer.rows, trainer.eval_rows, trainer.evaluates = rows, eval_rows, bool(eval_rows)
    if not state.stopped_early:
        train(trainer, run)
    provenance = {"trainDigest": state.fingerprint["train_file"], "parentAdapter": parent}
    supervised = sum(row.supervised for row in rows)
    finish(trainer, run, provenance, supervisedTokens=supervised, truncatedShare=share, rows=len(rows))


def adapter_digest_of(job: SftJob) -> str | None:
    """Digest of the adapter that training goes on from."""
    if job.adapter is None:
        return None
    try:
        return adapter_digest(Path(job.adapter.path))
    except OSError as error:
        fix = "Point adapter.path to a folder with adapter_config.json and adapter_model.safetensors."
        raise InvalidJobError("noAdapter", f"adapter.path: {error}", fix) from error


def _encode(
    base: LoadedBase, raw: list[dict[str, Any]], job: SftJob, field: str, events: EventStream
) -> tuple[list[TokenRow], float]:
    rows, encoding = encode_prompt_completion(base.tokenizer, raw, job.optimisation.max_length, field, base.check_ids)
    limit = job.preflight.max_truncated_share
    share = check_rows(rows, encoding, len(raw), base.tokenizer.eos_token_id, limit, field)
    warn_about(encoding, events, field)
    return rows, share


def _trainer(job: SftJob, base: LoadedBase, model: Any, plan: WindowPlan) -> WindowSftTrainer:
    placeholder = Dataset.from_dict({"input_ids": [[0]], "labels": [[0]]})  # rows come from `window_batches`
    arguments = trainer_arguments(job, base, plan.total)
    config = SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True})

    def build() -> WindowSftTrainer:
        return WindowSftTrainer(
            model=model,
            args=config,
            train_dataset=placeholder,
            processing_class=base.tokenizer,
            data_collator=cast("Any", list),  # never called
        )

    return keep_precision(model, build)
