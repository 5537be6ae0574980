# pyright: basic
# TRL is only partly typed.
"""Preference training by stages: DPO, the plan's Cal-DPO and Dr-DPO, and the published ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from .adapters import load_adapter
from .base_model import LoadedBase, load_base
from .batches import collate_pairs
from .digests import adapter_digest
from .errors import InvalidJobError, PreflightError
from .events import EventStream
from .files import read_rows
from .interrupts import Interrupts
from .job import DpoJob, DpoStage
from .losses import (
    PairLogps,
    count_kept,
    disagreement_scores,
    dr_dpo_published,
    dr_dpo_weights,
    keep_least_noisy,
    log_ratios,
    mean_gap,
)
from .pair_losses import needs_window, stage_losses
from .plan import StagePlan, WindowPlan, micro_batches
from .preflight import check_end_token, check_rows, check_trackers, warn_about
from .ranks import concatenated, deal, in_rounds, rank_count
from .reference import REFERENCE_FILE, reference_logps
from .rows import PairRow, encode_pairs
from .run_state import digest_of, job_fingerprint
from .training_setup import finish, is_sharding, keep_precision, prepare_state, train, trainer_arguments
from .window_training import TrainingRun, WindowTraining


class WindowDpoTrainer(WindowTraining, DPOTrainer):
    """TRL's DPO trainer over windows: every batch statistic is one of the whole window, whatever the micro-batch.

    Where a loss needs such a statistic and the window has several micro-batches, a pass without gradient comes first;
    dropout is off, so both passes see the same numbers.
    """

    pairs: list[PairRow]
    reference: PairLogps

    @property
    def job(self) -> DpoJob:
        """The run's job."""
        return cast("DpoJob", self.run.job)

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # a placeholder; pairs come from `window_batches`

    def window_batches(self, step: int) -> list[dict[str, Any]]:
        """Micro-batches of one window with the constants of its loss."""
        run = self.run
        place = run.plan.locate(step)
        self._stage = self.job.stages[place.stage]
        self._seen: list[tuple[PairLogps, PairLogps, torch.Tensor]] = []
        numbers = run.plan.rows(place, self._kept(place.stage))
        size = run.job.optimisation.batch_size
        share = deal(numbers, run.lengths, lambda rows: micro_batches(rows, run.lengths, size))
        groups = share.groups
        batches = [self._batch(group) | {"weights": torch.full((len(group),), 1 / len(numbers))} for group in groups]
        idle = [self._batch(numbers[:1]) | {"weights": torch.zeros(1), "idle": True}] * share.idle
        if needs_window(self._stage) and (len(groups) > 1 or rank_count() > 1):
            ratios = self._ratios([*batches, *idle], sum(map(len, groups)))
            mu = mean_gap(ratios)
            weights = [batch["weights"] for batch in batches]
            if self._stage.loss == "dr-dpo-published":
                losses = stage_losses(self._stage, ratios, mu)
                own = dr_dpo_weights(losses, self._stage.dr_beta_prime)[share.start :][: sum(map(len, groups))]
                weights = own.split([len(group) for group in groups])
            batches = [batch | {"mu": mu, "weights": weight} for batch, weight in zip(batches, weights, strict=True)]
            idle = [batch | {"mu": mu} for batch in idle]
        self._rows = sum(map(len, groups))
        return [*batches, *map(dict, idle)]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Weighted sum of the pairs' losses, nats; over a window's micro-batches they add up to its loss."""
        policy = self.pair_logps(model, inputs)
        ratios = log_ratios(policy, PairLogps(inputs["ref_chosen"], inputs["ref_rejected"]))
        mu = inputs["mu"] if "mu" in inputs else mean_gap(ratios)
        losses = stage_losses(self._stage, ratios, mu)
        weights = inputs["weights"]
        if self._stage.loss == "dr-dpo-published" and "mu" not in inputs:
            weights = dr_dpo_weights(losses, self._stage.dr_beta_prime)
        self._seen.append(
            (
                PairLogps(policy.chosen.detach(), policy.rejected.detach()),
                PairLogps(ratios.chosen.detach(), ratios.rejected.detach()),
                losses.detach(),
            )
        )
        return (weights * losses).sum()

    def pair_logps(self, model: Any, batch: dict[str, Any]) -> PairLogps:
        """Summed completion log-probs, nats, f32[pairs] each.

        Policy and reference share this precision: accelerate wraps the forward in autocast only while it trains,
        so a reference that is scored before would be of another type, and h ≠ 0 before the first update.
        """
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
        with self.accelerator.autocast():
            logps = model(**inputs, use_cache=False, fused_lm_head=True).log_probs.float().sum(-1)
        return PairLogps(*logps.chunk(2))

    @torch.no_grad()
    def score(self, numbers: Sequence[int]) -> PairLogps:
        """`pair_logps` of these pairs under the adapter as it is now, without gradient, on the CPU."""
        batch = self._prepare_inputs(
            collate_pairs([self.pairs[n] for n in numbers], self.run.base.tokenizer.pad_token_id)
        )
        logps = self.pair_logps(self.model, batch)
        return PairLogps(logps.chosen.cpu(), logps.rejected.cpu())

    def reported_loss(self, backpropagated: float) -> float:
        """Dr. DPO's own value where its weights were constants in the backward pass."""
        seen = [torch.stack([*policy, *ratios, losses]) for policy, ratios, losses in self._seen]
        self._window = concatenated(torch.cat(seen, 1)[:, : self._rows], 1)
        if self._stage.loss != "dr-dpo-published":
            return backpropagated
        return float(dr_dpo_published(self._window[4], self._stage.dr_beta_prime))

    def step_fields(self) -> dict[str, float]:
        """β, pairs, and their means: margin β·(h_w − h_l), share of positive margins, log-probs, h_w."""
        chosen, rejected, h_w, h_l, _ = self._window
        gap = h_w - h_l
        return {
            "beta": self._stage.beta,
            "pairs": gap.numel(),
            "margin": self._stage.beta * float(gap.mean()),
            "accuracy": float((gap > 0).float().mean()),
            "chosenLogp": float(chosen.mean()),
            "rejectedLogp": float(rejected.mean()),
            "chosenRatio": float(h_w.mean()),
        }

    def divergence_limit(self) -> float:
        """50 nats per pair; the published Cal-DPO starts at 2λ/(2β)² and gets four times that."""
        stage = self._stage
        start = 2 * stage.cal_lambda / (2 * stage.beta) ** 2 if stage.loss == "cal-dpo-published" else 0.0
        return 50.0 + 4 * start

    def batches_of_all(self) -> list[list[int]]:
        """All pairs in batches of similar length."""
        size = self.run.job.optimisation.batch_size
        return micro_batches(range(len(self.pairs)), self.run.lengths, size)

    def _kept(self, stage: int) -> Sequence[int]:
        """Pairs that a stage visits; the noisy ones are found once, when it begins, and kept in the run's state."""
        share = self.job.stages[stage].drop_noisiest_share
        if share == 0:
            return range(len(self.pairs))
        kept = self.run.state.kept.get(str(stage))
        if kept is None:
            scores = torch.zeros(len(self.pairs))
            for group, policy in in_rounds(self.batches_of_all(), self.score):
                reference = PairLogps(self.reference.chosen[group], self.reference.rejected[group])
                scores[group] = disagreement_scores(log_ratios(policy, reference), self._stage.beta)
            kept = self.run.state.kept[str(stage)] = keep_least_noisy(scores, share)
            dropped = sorted(set(range(len(self.pairs))) - set(kept))
            least = f", disagreement {float(scores[dropped].min()):.3f} and more" if dropped else ""
            message = f"stage {stage + 1} leaves out {len(dropped)} of {len(self.pairs)} pairs{least}"
            self.run.events.emit("warning", code="pairsDropped", message=message)
        return kept

    def _batch(self, numbers: Sequence[int]) -> dict[str, Any]:
        batch = collate_pairs([self.pairs[n] for n in numbers], self.run.base.tokenizer.pad_token_id)
        return batch | {"ref_chosen": self.reference.chosen[numbers], "ref_rejected": self.reference.rejected[numbers]}

    @torch.no_grad()
    def _ratios(self, batches: Sequence[dict[str, Any]], rows: int) -> PairLogps:
        """Ratios of the whole window, all ranks' parts in their order; `rows` of the batches' pairs are this rank's."""
        parts: list[PairLogps] = []
        for batch in batches:
            inputs = self._prepare_inputs(batch)
            policy = self.pair_logps(self.model, inputs)
            parts.append(log_ratios(policy, PairLogps(inputs["ref_chosen"], inputs["ref_rejected"])))
        return PairLogps(
            concatenated(torch.cat([part.chosen for part in parts])[:rows]),
            concatenated(torch.cat([part.rejected for part in parts])[:rows]),
        )


def run_dpo(job: DpoJob, events: EventStream, interrupts: Interrupts, read_at: float) -> None:
    """Runs one DPO job to its `result` event.

    Raises:
        InvalidJobError, PreflightError, DivergedError, InterruptedJobError: See `errors`.
    """
    check_trackers(job.report_to)
    _check_stages(job)
    raw = read_rows(job.pairs_file, "pairsFile")
    base = load_base(job.base, sharded=is_sharding(job))
    check_end_token(base.model, base.tokenizer)
    try:
        reference_digest = adapter_digest(Path(job.adapter.path))
    except OSError as error:
        raise InvalidJobError(
            "noAdapter", f"adapter.path: {error}", "Point adapter.path to the SFT adapter."
        ) from error
    pairs, share = _encode(base, raw, job, events)
    lengths = [pair.length for pair in pairs]
    both = [2 * length for length in lengths]
    state = prepare_state(job, base, job_fingerprint(job, base.digest, reference_digest), both, events)
    state.reference_digest = reference_digest
    stages = [_stage_plan(stage, len(pairs)) for stage in job.stages]
    plan = WindowPlan(stages, job.optimisation.window, job.seed)
    # On resume too the model is first the SFT adapter, the reference; the checkpoint's adapter is loaded over it later.
    model = load_adapter(base, job.adapter.path, trainable=True)
    cache = Path(job.output_dir) / REFERENCE_FILE
    run = TrainingRun(job, base, events, interrupts, state, plan, lengths, read_at, extra_checkpoint_files=[cache])
    trainer = _trainer(job, base, model, plan)
    trainer.run, trainer.pairs = run, pairs
    key = _reference_key(job, base, state.fingerprint["pairs_file"], reference_digest)
    model.eval()
    trainer.reference = reference_logps(
        cache.parent, job.checkpointing.resume_from, key, trainer.batches_of_all(), trainer.score, interrupts
    )
    train(trainer, run)
    provenance = {"trainDigest": state.fingerprint["pairs_file"], "parentAdapter": reference_digest}
    supervised = sum(pair.chosen.supervised + pair.rejected.supervised for pair in pairs)
    finish(trainer, run, provenance, supervisedTokens=supervised, truncatedShare=share, rows=len(pairs))


def _check_stages(job: DpoJob) -> None:
    for number, stage in enumerate(job.stages):
        if needs_window(stage) and job.optimisation.window == 1:
            message = f"stages.{number}.loss: {stage.loss} needs a batch, and a step has one pair"
            fix = "Raise optimisation.batchSize or gradientAccumulation: statistics are gathered over the whole step."
            raise PreflightError("batchTooSmall", message, fix)


def _stage_plan(stage: DpoStage, pairs: int) -> StagePlan:
    """A pair alone is its own mean: a statistic of the batch would cancel what it teaches."""
    kept = count_kept(pairs, stage.drop_noisiest_share)
    return StagePlan(stage.epochs, kept, least=2 if needs_window(stage) else 1)


def _reference_key(job: DpoJob, base: LoadedBase, pairs: str, adapter: str) -> str:
    model = {"digest": base.digest, "quantization": job.base.quantization, "dtype": str(base.dtype)}
    optimisation = job.optimisation
    shape = {"maxLength": optimisation.max_length, "batchSize": optimisation.batch_size}
    return digest_of({"base": model, "adapter": adapter, "pairs": pairs} | shape)


def _encode(
    base: LoadedBase, raw: list[dict[str, Any]], job: DpoJob, events: EventStream
) -> tuple[list[PairRow], float]:
    pairs, encoding = encode_pairs(base.tokenizer, raw, job.optimisation.max_length, "pairsFile", base.check_ids)
    sides = [side for pair in pairs for side in (pair.chosen, pair.rejected)]
    limit = job.preflight.max_truncated_share
    share = check_rows(sides, encoding, 2 * len(raw), base.tokenizer.eos_token_id, limit, "pairsFile")
    warn_about(encoding, events, "pairsFile")
    same = sum(pair.chosen.ids == pair.rejected.ids for pair in pairs)
    if same:
        message = (
            f"pairsFile: in {same} of {len(pairs)} pairs chosen and rejected are the same text; they teach nothing"
        )
        events.emit("warning", code="identicalPairs", message=message)
    return pairs, share


def _trainer(job: DpoJob, base: LoadedBase, model: Any, plan: WindowPlan) -> WindowDpoTrainer:
    placeholder = Dataset.from_dict({"prompt": [""], "chosen": [""], "rejected": [""]})
    config = DPOConfig(**trainer_arguments(job, base, plan.total), disable_dropout=True)

    def build() -> WindowDpoTrainer:
        return WindowDpoTrainer(
            model=model,
            args=config,
            train_dataset=placeholder,
            processing_class=base.tokenizer,
            data_collator=cast("Any", list),  # never called
        )

    trainer = keep_precision(model, build)
    model.delete_adapter("ref")  # TRL's second adapter; the log-probs are on disk instead
    return trainer
