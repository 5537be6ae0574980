# pyright: basic
"""Several processes train one adapter: as one would, exactly again after a loss, and as one unit.

On the CPU with gloo; what differs on GPUs (NCCL in place of gloo, a device per rank) is not run here.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ratchet_trainer import devices
from ratchet_trainer.digests import adapter_digest
from ratchet_trainer.errors import InvalidJobError
from ratchet_trainer.job import parse_job

from .conftest import Jobs, Json, Outcome, Server, question, write_rows
from .test_resume import at_step, newest, run_with_losses
from .test_serve import gone

TWO = {"processes": 2}
SPLIT = {"processes": 2, "strategy": "fsdp"}
# Sums over ranks are added up in another order, and AdamW's first steps magnify the last bits of small gradients.
TOLERANCE = 2e-3


def sft(jobs: Jobs, **changes: Any) -> Json:
    """25 rows, 8 a step: the last step of an epoch has a row for one rank alone."""
    rows = [{"prompt": row["prompt"], "completion": row["yes"]} for row in map(question, range(25))]
    held_out = [{"prompt": row["prompt"], "completion": row["yes"]} for row in map(question, range(9))]
    files = {
        "trainFile": write_rows(jobs.folder / "train.jsonl", rows),
        "evalFile": write_rows(jobs.folder / "eval.jsonl", held_out),
    }
    return jobs.sft(**{"optimisation": {"epochs": 2}, **files, **changes})


def weights(outcome: Outcome) -> dict[str, torch.Tensor]:
    return load_file(Path(outcome.result["adapterPath"]) / "adapter_model.safetensors")


def expect_close(one: Outcome, several: Outcome) -> None:
    theirs = weights(several)
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor, theirs[name], atol=TOLERANCE), (name, (tensor - theirs[name]).abs().max())
    for field, tolerance in (("loss", 1e-3), ("gradNorm", 2e-2)):
        values = [[event[field] for event in outcome.of("step")] for outcome in (one, several)]
        assert values[0] == pytest.approx(values[1], rel=tolerance)
    assert [event["tokens"] for event in one.of("step")] == [event["tokens"] for event in several.of("step")]


@pytest.mark.parametrize("distributed", [TWO, SPLIT], ids=["ddp", "fsdp"])
def test_sft_is_that_of_one_process(server: Server, jobs: Jobs, distributed: Json) -> None:
    plain = {"lora": {"dropout": 0}}
    one = server.run(jobs.write(sft(jobs, **plain)))
    several = server.run(jobs.write(sft(jobs, **plain, distributed=distributed)))
    expect_close(one, several)
    losses = [[event["loss"] for event in outcome.of("eval")] for outcome in (one, several)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert len(several.of("started")) == len(several.of("result")) == 1
    assert [event["step"] for event in several.of("step")] == list(range(1, 9))
    assert [event["step"] for event in several.of("checkpoint")] == [3, 6]
    for name in ("trainableParameters", "totalParameters", "supervisedTokens", "rows"):
        assert several.result[name] == one.result[name]
    assert "inexact" not in several.result


@pytest.mark.parametrize(
    ("distributed", "loss"),
    [(TWO, "dpo"), (TWO, "cal-dpo"), (TWO, "dr-dpo-published"), (TWO, "cal-dpo-published"), (SPLIT, "cal-dpo")],
)
def test_dpo_is_that_of_one_process(
    server: Server, jobs: Jobs, sft_adapter: str, distributed: Json, loss: str
) -> None:
    """Micro-batches of three pairs in windows of nine, 20 pairs: every statistic has to be gathered over the ranks."""
    stages = [{"epochs": 2, "beta": 0.1, "loss": loss, "dropNoisiestShare": 0.0}]
    stages.append(stages[0] | {"epochs": 1, "dropNoisiestShare": 0.25})
    shape = {"batchSize": 3, "gradientAccumulation": 3}
    one = server.run(jobs.write(jobs.dpo(sft_adapter, stages=stages, optimisation=shape)))
    several = server.run(
        jobs.write(jobs.dpo(sft_adapter, stages=stages, optimisation=shape, distributed=distributed))
    )
    expect_close(one, several)
    assert [event["message"] for event in one.of("warning")] == [event["message"] for event in several.of("warning")]
    for name, tolerance in (("margin", 5e-3), ("chosenLogp", 1e-4), ("rejectedLogp", 1e-4)):
        values = [[event[name] for event in outcome.of("step")] for outcome in (one, several)]
        assert values[0] == pytest.approx(values[1], rel=tolerance, abs=1e-5)


def test_packed_rows(server: Server, jobs: Jobs) -> None:
    job = {"lora": {"dropout": 0}, "packing": True}
    one = server.run(jobs.write(sft(jobs, **job)))
    expect_close(one, server.run(jobs.write(sft(jobs, **job, distributed=TWO))))


@pytest.mark.parametrize("kind", ["sft", "fsdp", "dpo"])
def test_same_bytes_after_losses(server: Server, jobs: Jobs, sft_adapter: str, kind: str) -> None:
    """With dropout in the SFT jobs, whose generators differ per rank; killed, then given notice."""

    def fresh() -> Json:
        if kind == "dpo":
            return jobs.dpo(sft_adapter, distributed=TWO)
        return sft(jobs, distributed=SPLIT if kind == "fsdp" else TWO)

    first = server.run(jobs.write(fresh()))
    expected = adapter_digest(Path(first.result["adapterPath"]))
    assert adapter_digest(Path(server.run(jobs.write(fresh())).result["adapterPath"])) == expected
    directory = Path(fresh()["checkpointing"]["directory"])
    names = {file.name for file in (directory / "step-000003").iterdir()}
    assert {"rng_state.pth", "rng_state_1.pth", "optimizer.pt", "adapter_model.safetensors"} <= names
    for step, sign in ((5, "KILL"), (4, "TERM")):
        for checkpoint in directory.iterdir():
            for file in checkpoint.iterdir():
                file.unlink()
            checkpoint.rmdir()
        outcomes = run_with_losses(server, jobs, fresh(), sign, [step])
        assert outcomes[0].code == {"KILL": 137, "TERM": 30}[sign]
        assert outcomes[-1].of("started")[0]["resumedStep"] >= 3
        assert adapter_digest(Path(outcomes[-1].result["adapterPath"])) == expected
        assert outcomes[-1].result["trainLoss"] == first.result["trainLoss"]


def test_another_world_size_is_refused_or_marked(server: Server, jobs: Jobs) -> None:
    """From two sharded ranks to one process, and on to two ranks again."""
    job = sft(jobs, distributed=SPLIT)
    server.run(jobs.write(job))
    resumed = {"checkpointing": {"resumeFrom": newest(job)}}
    refused = server.run(jobs.write(sft(jobs, **resumed)))
    assert (refused.code, refused.error["code"]) == (10, "otherWorldSize")
    assert "2 processes, this job has 1" in refused.error["message"]
    for processes, words in ((1, "processes 2 → 1, strategy fsdp → 1"), (2, "processes 2 → 2")):
        distributed = {"processes": processes, "allowOtherWorldSize": True}
        outcome = server.run(jobs.write(sft(jobs, **resumed, distributed=distributed)))
        assert words


def ranks_of(leader: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]


def leader_of(rank: int) -> int:
    return int(Path(f"/proc/{rank}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize("victim", [0, 1, "leader"])
def test_one_killed_rank_ends_the_job(server: Server, jobs: Jobs, victim: int | str) -> None:
    family: list[int] = []

    def kill(event: Json, _send: Any) -> None:
        if event["event"] == "step" and not family:
            rank = started[0]
            leader = leader_of(rank)
            family.extend([leader, *ranks_of(leader)])
            assert len(family) == 3
            assert family[1] == rank
            os.kill(leader if victim == "leader" else family[1 + int(victim)], signal.SIGKILL)

    started: list[int] = []

    def act(event: Json, send: Any) -> None:
        if event["event"] == "started":
            started.append(event["pid"])
        kill(event, send)

    outcome = server.run(jobs.write(sft(jobs, optimisation={"epochs": 9999}, distributed=TWO)), act)
    assert outcome.code == 137
    if victim != "leader":
        assert outcome.error["code"] == "rankLost"
        assert f"rank {victim} of 2 was killed by signal 9" in outcome.error["message"]
    assert len(outcome.of("error")) == (0 if victim == "leader" else 1)
    for pid in family:
        wait_until_gone(pid)
    assert not list(Path(sft(jobs)["outputDir"]).glob(".ranks-*")) or victim == "leader"
