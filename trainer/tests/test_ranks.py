# pyright: basic
"""Several processes train one adapter: as one would, exactly again after a loss, and as one unit.

On the CPU with gloo; what differs on GPUs (NCCL in place of gloo, a device per rank) is not run here.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ratchet_trainer import devices
from ratchet_trainer.digests import adapter_digest
from ratchet_trainer.errors import InvalidJobError
from ratchet_trainer.job import parse_job

from .fork_server import Json, Outcome, Server
from .job_files import Jobs, question, write_rows
from .test_resume import at_step, newest
from .test_serve import wait_until_gone

TWO = {"processes": 2}
THREE = {"processes": 3}
SPLIT = {"processes": 2, "strategy": "fsdp"}
# Sums over ranks are added up in another order: after 8 steps weights of up to 0.24 were seen to differ by under 1e-6.
TOLERANCE = 1e-5


def sft(jobs: Jobs, **changes: Any) -> Json:
    """25 rows, 8 a step: the last step of an epoch has a row for one rank alone."""
    rows = [{"prompt": row["prompt"], "completion": row["yes"]} for row in map(question, range(25))]
    held_out = [{"prompt": row["prompt"], "completion": row["yes"]} for row in map(question, range(9))]
    files = {
        "trainFile": write_rows(jobs.folder / "odd.jsonl", rows),
        "evalFile": write_rows(jobs.folder / "eval.jsonl", held_out),
    }
    return jobs.sft(**{"optimisation": {"epochs": 2}, **files, **changes})


def weights(outcome: Outcome) -> dict[str, torch.Tensor]:
    return load_file(Path(outcome.result["adapterPath"]) / "adapter_model.safetensors")


def expect_close(one: Outcome, several: Outcome) -> None:
    theirs = weights(several)
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor, theirs[name], atol=TOLERANCE), (name, (tensor - theirs[name]).abs().max())
    for field, tolerance in (("loss", 1e-4), ("gradNorm", 1e-3)):
        values = [[event[field] for event in outcome.of("step")] for outcome in (one, several)]
        assert values[0] == pytest.approx(values[1], rel=tolerance)
    assert [event["tokens"] for event in one.of("step")] == [event["tokens"] for event in several.of("step")]


@pytest.mark.parametrize("distributed", [TWO, THREE, SPLIT], ids=["two", "three", "split"])
def test_sft_is_that_of_one_process(server: Server, jobs: Jobs, distributed: Json) -> None:
    plain = {"lora": {"dropout": 0}}
    one = server.run(jobs.write(sft(jobs, **plain)))
    several = server.run(jobs.write(sft(jobs, **plain, distributed=distributed)))
    expect_close(one, several)
    losses = [[event["loss"] for event in outcome.of("eval")] for outcome in (one, several)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
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
def test_dpo_is_that_of_one_process(server: Server, jobs: Jobs, sft_adapter: str, distributed: Json, loss: str) -> None:
    """Micro-batches of three pairs in windows of nine, 20 pairs: every statistic has to be gathered over the ranks."""
    stages = [{"epochs": 2, "beta": 0.1, "loss": loss, "dropNoisiestShare": 0.0}]
    stages.append(stages[0] | {"epochs": 1, "dropNoisiestShare": 0.25})
    shape = {"batchSize": 3, "gradientAccumulation": 3}
    one = server.run(jobs.write(jobs.dpo(sft_adapter, stages=stages, optimisation=shape)))
    several = server.run(jobs.write(jobs.dpo(sft_adapter, stages=stages, optimisation=shape, distributed=distributed)))
    expect_close(one, several)
    # Whether training waits for a checkpoint is the disk's doing, not the ranks'.
    warnings = [
        [event for event in outcome.of("warning") if event["code"] != "checkpointWait"] for outcome in (one, several)
    ]
    assert [event["message"] for event in warnings[0]] == [event["message"] for event in warnings[1]]
    for name, tolerance in (("margin", 5e-3), ("chosenLogp", 1e-4), ("rejectedLogp", 1e-4)):
        values = [[event[name] for event in outcome.of("step")] for outcome in (one, several)]
        assert values[0] == pytest.approx(values[1], rel=tolerance, abs=1e-5)


def test_packed_rows(server: Server, jobs: Jobs) -> None:
    job = {"lora": {"dropout": 0}, "packing": True}
    one = server.run(jobs.write(sft(jobs, **job)))
    expect_close(one, server.run(jobs.write(sft(jobs, **job, distributed=TWO))))


@pytest.mark.parametrize("quantization", ["nf4", "none"])
def test_shards_a_bfloat16_base_under_a_float32_adapter(server: Server, jobs: Jobs, quantization: str) -> None:
    """What GPUs get by default: tensors of two types in one group of a sharded model."""
    job = {"lora": {"dropout": 0}, "base": {"dtype": "bfloat16", "quantization": quantization}}
    one = server.run(jobs.write(sft(jobs, **job)))
    split = server.run(jobs.write(sft(jobs, **job, distributed=SPLIT)))
    losses = [[event["loss"] for event in outcome.of("step")] for outcome in (one, split)]
    assert losses[0] == pytest.approx(losses[1], rel=5e-2)
    assert all(tensor.dtype == torch.float32 for tensor in weights(split).values())


def kill_at_checkpoint(event: Json, send: Callable[[str], None]) -> None:
    """Where a disk is slow, steps run far ahead of the first checkpoint."""
    if event["event"] == "checkpoint":
        send("KILL")


@pytest.mark.parametrize("kind", ["sft", "split sft", "dpo"])
def test_same_bytes_after_losses(server: Server, jobs: Jobs, sft_adapter: str, kind: str) -> None:
    """With dropout in the SFT jobs, where every rank has generators of its own."""

    def fresh() -> Json:
        if kind == "dpo":
            return jobs.dpo(sft_adapter, distributed=TWO)
        return sft(jobs, distributed=SPLIT if kind == "split sft" else THREE)

    first = server.run(jobs.write(fresh()))
    expected = adapter_digest(Path(first.result["adapterPath"]))
    assert adapter_digest(Path(server.run(jobs.write(fresh())).result["adapterPath"])) == expected
    directory = Path(fresh()["checkpointing"]["directory"])
    names = {file.name for file in (directory / "step-000003").iterdir()}
    assert {"rng_state.pth", "rng_state_1.pth", "optimizer.pt", "adapter_model.safetensors"} <= names
    shutil.rmtree(directory)
    server.run(jobs.write(fresh()), kill_at_checkpoint)
    job = fresh()
    job["checkpointing"]["resumeFrom"] = newest(job)
    shutil.rmtree(job["outputDir"])  # as on another host
    resumed = server.run(jobs.write(job))
    assert adapter_digest(Path(resumed.result["adapterPath"])) == expected
    assert resumed.of("started")[0]["resumedStep"] >= 3
    assert resumed.result["trainLoss"] == first.result["trainLoss"]


def test_notice_stops_all_ranks_at_one_step(server: Server, jobs: Jobs) -> None:
    job = sft(jobs, optimisation={"epochs": 9999}, distributed=TWO)
    interrupted = server.run(jobs.write(job), at_step(4, "TERM"))
    assert (interrupted.code, interrupted.error["code"]) == (30, "interrupted")
    last = interrupted.of("step")[-1]["step"]
    assert interrupted.of("checkpoint")[-1]["step"] == last


def test_another_world_size_is_refused_or_marked(server: Server, jobs: Jobs) -> None:
    """From two sharded ranks to one process, on as one, and to two that hold the whole model."""
    job = sft(jobs, distributed=SPLIT)
    server.run(jobs.write(job))
    resumed = {"checkpointing": {"resumeFrom": newest(job), "everySteps": 1}}
    refused = server.run(jobs.write(sft(jobs, **resumed)))
    assert (refused.code, refused.error["code"]) == (10, "otherWorldSize")
    assert "2 processes, this job has 1" in refused.error["message"]
    alone = server.run(jobs.write(sft(jobs, **resumed, distributed={"allowOtherWorldSize": True})))
    assert [event["code"] for event in alone.of("warning")] == ["inexactResume"]
    assert "processes 2 → 1, strategy fsdp → ddp" in alone.result["inexact"]
    assert alone.of("started")[0]["resumedStep"] == 6
    # The mark stays, also where the next attempt has what its checkpoint had.
    again = server.run(jobs.write(sft(jobs, checkpointing={"resumeFrom": newest(job)})))
    assert again.of("started")[0]["resumedStep"] == 7
    assert not again.of("warning")
    assert again.result["inexact"] == alone.result["inexact"]
    more = sft(jobs, checkpointing={"resumeFrom": newest(job)}, distributed=TWO | {"allowOtherWorldSize": True})
    assert "processes 1 → 2" in server.run(jobs.write(more)).result["inexact"]


def ranks_of(leader: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]


def leader_of(rank: int) -> int:
    return int(Path(f"/proc/{rank}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize("victim", ["rank 0", "rank 1", "leader"])
def test_one_killed_process_ends_the_job(server: Server, jobs: Jobs, victim: str) -> None:
    family: dict[str, int] = {}

    def act(event: Json, _send: Any) -> None:
        if event["event"] == "started":
            leader = leader_of(event["pid"])
            family.update(zip(("leader", "rank 0", "rank 1"), [leader, *ranks_of(leader)], strict=True))
            assert family["rank 0"] == event["pid"]
        elif event["event"] == "step" and event["step"] == 2:
            os.kill(family[victim], signal.SIGKILL)

    outcome = server.run(jobs.write(sft(jobs, optimisation={"epochs": 9999}, distributed=TWO)), act)
    assert outcome.code == 137
    for pid in family.values():
        wait_until_gone(pid)
    if victim == "leader":
        return
    assert [event["code"] for event in outcome.of("error")] == ["rankLost"]
    assert f"{victim} of 2 was killed by signal 9" in outcome.error["message"]
    assert not list(Path(sft(jobs)["outputDir"]).glob(".ranks-*"))


def test_errors_come_once(server: Server, jobs: Jobs) -> None:
    """All ranks find the same fault; one tells it, and its exit code is the job's."""
    outcome = server.run(jobs.write(sft(jobs, optimisation={"learningRate": 1e30, "warmupShare": 0}, distributed=TWO)))
    assert outcome.code == 21
    assert [event["code"] for event in outcome.of("error")] == ["diverged"]


def test_what_cannot_work_is_refused(
    server: Server, jobs: Jobs, sft_adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {"processes": 9}
    for job in (sft(jobs, distributed=many), jobs.dpo(sft_adapter, distributed=many)):
        outcome = server.run(jobs.write(job))
        assert (outcome.code, outcome.error["code"]) == (10, "windowTooSmall")
    monkeypatch.setattr(devices, "visible_devices", lambda: ["0", "1"])
    three = {"processes": 3}
    for job in (sft(jobs, distributed=three), jobs.generate(distributed=three)):
        with pytest.raises(InvalidJobError, match="3 processes need a GPU each, this host has 2"):
            devices.processes_here(parse_job(job))
    allowed = three | {"allowOtherWorldSize": True}
    assert devices.processes_here(parse_job(sft(jobs, distributed=allowed))) == 2
    assert devices.processes_here(parse_job(jobs.generate(distributed=allowed))) == 1


def test_each_rank_sees_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.visible_devices() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    devices.see_only(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
