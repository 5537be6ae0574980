# pyright: basic
"""When checkpoints are made, on a clock that the test moves, and that the result does not depend on it."""

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ratchet_trainer.checkpoint_interval import CheckpointInterval
from ratchet_trainer.digests import adapter_digest

from .fork_server import Json, Outcome, Server
from .job_files import Jobs
from .test_resume import newest, run_with_losses, sft_job

HOUR = 3600.0


@dataclass
class Simulated:
    """A training on a clock of its own, one step after the other.

    Attributes:
        whole: When each checkpoint was whole, and of what moment it is.
    """

    step_seconds: Callable[[int], float]
    stall: float = 0.0
    write: float = 0.0
    worked: float = 0.0
    every: Any = "auto"
    limit: float = 60.0
    hiccup_at_save: int = 0
    now: float = 0.0
    stalled: float = 0.0
    steps: list[int] = field(default_factory=list)
    whole: list[tuple[float, float]] = field(default_factory=list)
    rarer: list[float] = field(default_factory=list)

    def run(self, until: float) -> "Simulated":
        interval = CheckpointInterval(self.every, self.limit, self.rarer.append, lambda: self.now)
        pending: list[tuple[float, float]] = []
        for step in itertools.count(1):
            self.now += self.step_seconds(step)
            interval.step_took(self.step_seconds(step))
            if pending and pending[0][0] <= self.now:
                whole, saved = pending.pop()
                self.whole.append((whole, saved))
                interval.save_ended(whole - saved - self.write + self.worked, whole - saved)
            if self.now >= until:
                return self
            if interval.due(step):
                assert not pending, "a save would have to wait"
                self.steps.append(step)
                interval.save_began()
                stall = 5.0 if len(self.steps) == self.hiccup_at_save else self.stall
                pending.append((self.now + stall + self.write, self.now))
                self.now += stall
                self.stalled += stall + self.worked
        raise AssertionError

    def most_lost(self) -> float:
        """Work lost by a host that dies at the worst moment: just before the next checkpoint is whole."""
        moments = [0.0, *(saved for _, saved in self.whole)]
        return max(whole - saved for saved, (whole, _) in zip(moments, self.whole, strict=False))


@pytest.mark.parametrize("step_seconds", [0.05, 0.7, 2.0, 7.0, 13.0, 29.0, 45.0, 55.0])
@pytest.mark.parametrize(("stall", "write"), [(0.0, 0.01), (0.1, 0.4), (0.5, 3.0)])
def test_loses_a_minute_at_most_and_takes_little(step_seconds: float, stall: float, write: float) -> None:
    run = Simulated(lambda _: step_seconds, stall, write).run(2 * HOUR)
    assert run.most_lost() <= 60
    assert run.stalled <= 0.02 * run.now
    assert not run.rarer
    # As few as that: no two in a row could have been one.
    assert len(run.steps) <= 2 + run.now / max(step_seconds, 54 - write - 2 * step_seconds)


@pytest.mark.parametrize("step_seconds", [0.05, 1.0, 20.0, 45.0, 59.0])
def test_a_host_that_dies_after_61_seconds_has_one(step_seconds: float) -> None:
    run = Simulated(lambda _: step_seconds, 0.2, 1.0).run(HOUR)
    whole, _ = run.whole[0]
    assert whole <= 61


@pytest.mark.parametrize("step_seconds", [61.0, 300.0])
def test_steps_longer_than_the_limit_are_saved_one_by_one(step_seconds: float) -> None:
    run = Simulated(lambda _: step_seconds, 0.5, 5.0).run(20 * HOUR)
    assert run.steps == list(range(1, len(run.steps) + 1))


@pytest.mark.parametrize(("stall", "worked"), [(3.0, 0.0), (0.5, 2.5)])
def test_where_saves_are_dear_the_price_wins_and_is_told_once(stall: float, worked: float) -> None:
    run = Simulated(lambda _: 1.0, stall, 6.0, worked).run(5 * HOUR)
    first = stall + worked
    assert run.stalled - first <= 0.02 * run.now
    assert run.most_lost() <= 170
    assert run.rarer == [pytest.approx(150.0)]


def test_never_waits_for_a_slow_disk() -> None:
    """The write takes longer than the limit; the simulation refuses a save beside it."""
    run = Simulated(lambda _: 1.0, 0.1, 200.0).run(HOUR)
    assert len(run.whole) > 10


def test_one_hiccup_is_paid_by_what_the_saves_before_it_left() -> None:
    run = Simulated(lambda _: 1.0, 0.1, 0.5, hiccup_at_save=20).run(3 * HOUR)
    assert run.most_lost() <= 60
    assert run.stalled <= 0.02 * run.now
    assert not run.rarer


def test_steps_of_different_length() -> None:
    run = Simulated(lambda step: 25.0 if step % 8 == 0 else 1.0, 0.1, 0.5).run(3 * HOUR)
    assert run.most_lost() <= 60


def test_another_limit() -> None:
    run = Simulated(lambda _: 0.5, 0.01, 0.1, limit=10.0).run(HOUR)
    assert run.most_lost() <= 10
    assert run.whole[0][0] <= 10


def test_a_number_is_that_number() -> None:
    run = Simulated(lambda _: 1.0, 10.0, 0.0, every=7).run(1000)
    assert run.steps == [*range(7, 7 * len(run.steps) + 1, 7)]
    assert not run.rarer


OFTEN: Json = {"everySteps": "auto", "maxLostSeconds": 0.01}


def job_of(jobs: Jobs, kind: str, adapter: str) -> Json:
    return sft_job(jobs) if kind == "sft" else jobs.dpo(adapter)


def outcome_of(outcomes: list[Outcome]) -> Json:
    """What must not depend on checkpoints; evaluations of all attempts, those that were redone once."""
    result = outcomes[-1].result
    evaluations = {event["step"]: event["loss"] for outcome in outcomes for event in outcome.of("eval")}
    names = ("steps", "trainLoss", "evalLoss", "bestEpoch")
    weights = adapter_digest(Path(result["adapterPath"]))
    return {"weights": weights, "evaluations": evaluations} | {name: result.get(name) for name in names}


@pytest.fixture(scope="module")
def plain(server: Server, base: Path, sft_adapter: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """What comes out without any checkpoint."""
    found: dict[str, Json] = {}
    for kind in ("sft", "dpo"):
        jobs = Jobs(tmp_path_factory.mktemp(f"plain-{kind}"), base)
        job = job_of(jobs, kind, sft_adapter)
        job["checkpointing"]["everySteps"] = 1000
        outcome = server.run(jobs.write(job))
        assert not outcome.of("checkpoint")
        found[kind] = outcome_of([outcome])
    return found


@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize("every", [OFTEN, {"everySteps": "auto"}, {"everySteps": 1}, {"everySteps": 7}], ids=str)
def test_the_result_does_not_depend_on_the_interval(
    server: Server, jobs: Jobs, sft_adapter: str, plain: dict[str, Json], kind: str, every: Json
) -> None:
    job = job_of(jobs, kind, sft_adapter)
    job["checkpointing"] |= every
    outcome = server.run(jobs.write(job))
    assert outcome_of([outcome]) == plain[kind]
    saved = [event["step"] for event in outcome.of("checkpoint")]
    if every == OFTEN:
        assert saved[:1] == [1]
    elif every["everySteps"] == "auto":
        assert not saved  # over in seconds
    else:
        assert saved == list(range(every["everySteps"], plain[kind]["steps"], every["everySteps"]))


@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_nor_does_that_of_a_run_that_was_lost(
    server: Server, jobs: Jobs, sft_adapter: str, plain: dict[str, Json], kind: str, signal: str
) -> None:
    """Each attempt saves at steps of its own clock, and the next may save at others."""
    job = job_of(jobs, kind, sft_adapter)
    job["checkpointing"] |= OFTEN
    lost = run_with_losses(server, jobs, job, signal, [5])
    job["checkpointing"] |= {"everySteps": 7, "resumeFrom": newest(job)}
    shutil.rmtree(job["outputDir"])
    resumed = server.run(jobs.write(job))
    assert outcome_of([*lost, resumed])["weights"] == plain[kind]["weights"]
    assert outcome_of(lost) == plain[kind]
    if signal == "TERM":
        assert lost[-1].of("started")[0]["resumedStep"] >= 5


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_ranks_decide_alike(server: Server, jobs: Jobs, strategy: str) -> None:
    """Each has a clock of its own: where they disagreed, one would wait for the others' parts for ever."""
    job = sft_job(jobs)
    job["distributed"] = {"processes": 2, "strategy": strategy}
    job["checkpointing"]["everySteps"] = 1000
    whole = outcome_of([server.run(jobs.write(job))])
    job["checkpointing"] |= OFTEN
    outcome = server.run(jobs.write(job))
    assert outcome_of([outcome]) == whole
    assert outcome.of("checkpoint")
