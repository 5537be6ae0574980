"""A run that is killed and resumed ends with the very same bytes."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ratchet_trainer.digests import adapter_digest

from .fork_server import Json, Outcome, Server
from .job_files import Jobs, merged, question, write_rows


def sft_job(jobs: Jobs) -> Json:
    rows = [{"prompt": row["prompt"], "completion": row["yes"]} for row in map(question, range(10))]
    return jobs.sft(evalFile=write_rows(jobs.folder / "eval.jsonl", rows), earlyStopping={"patienceEpochs": 2})


def newest(job: Json) -> str | None:
    found = sorted(Path(job["checkpointing"]["directory"]).glob("step-*"))
    return str(found[-1]) if found else None


def at_step(step: int, signal: str) -> Callable[[Json, Callable[[str], None]], None]:
    def act(event: Json, send: Callable[[str], None]) -> None:
        if event["event"] == "step" and event["step"] == step:
            send(signal)

    return act


def run_with_losses(server: Server, jobs: Jobs, job: Json, signal: str, at: list[int]) -> list[Outcome]:
    """Every attempt but the last is stopped at one of the steps; each goes on from the newest checkpoint."""
    outcomes: list[Outcome] = []
    for step in [*at, None]:
        job["checkpointing"].pop("resumeFrom", None)
        checkpoint = newest(job)
        if checkpoint:
            job["checkpointing"]["resumeFrom"] = checkpoint
        shutil.rmtree(job["outputDir"], ignore_errors=True)  # as on another host
        outcomes.append(server.run(jobs.write(job), None if step is None else at_step(step, signal)))
    return outcomes


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_same_bytes(server: Server, jobs: Jobs, sft_adapter: str, kind: str, signal: str, dtype: str) -> None:
    def fresh() -> Json:
        return merged(sft_job(jobs) if kind == "sft" else jobs.dpo(sft_adapter), {"base": {"dtype": dtype}})

    whole = server.run(jobs.write(fresh()))
    expected = adapter_digest(Path(whole.result["adapterPath"]))
    steps = whole.result["steps"]
    shutil.rmtree(fresh()["checkpointing"]["directory"])
    # In the DPO job stages change after steps 3 and 6, and stage 3 leaves noisy pairs out.
    at = sorted(random.Random(f"{kind} {signal}").sample(range(1, steps), 3))
    outcomes = run_with_losses(server, jobs, fresh(), signal, at)
    assert adapter_digest(Path(outcomes[-1].result["adapterPath"])) == expected
    for outcome, step in zip(outcomes[:-1], at, strict=True):
        if signal == "TERM" and outcome.code == 30:
            assert outcome.error["code"] == "interrupted"
            assert outcome.of("checkpoint")[-1]["step"] >= step
        elif signal == "KILL" and outcome.code != 0:
            assert (outcome.code, outcome.events[-1]["signal"]) == (137, 9)
    for name in ("trainLoss", "bestEpoch", "evalLoss"):
        assert outcomes[-1].result.get(name) == whole.result.get(name)


def test_another_micro_batch_is_named_inexact(server: Server, jobs: Jobs) -> None:
    """The same rows a step, but other padding and dropout shapes: right, and not the same bytes."""
    run_with_losses(server, jobs, sft_job(jobs), "TERM", [4])
    job = merged(sft_job(jobs), {"optimisation": {"batchSize": 2, "gradientAccumulation": 4}})
    job["checkpointing"]["resumeFrom"] = newest(job)
    outcome = server.run(jobs.write(job))
    assert "batchSize 4 → 2" in outcome.result["inexact"]
    assert [event["code"] for event in outcome.of("warning")] == ["inexactResume"]


def test_no_step_is_redone_after_a_notice(server: Server, jobs: Jobs) -> None:
    interrupted, resumed = run_with_losses(server, jobs, sft_job(jobs), "TERM", [4])
    last = interrupted.of("step")[-1]["step"]
    assert resumed.of("started")[0]["resumedStep"] == last
    assert resumed.of("step")[0]["step"] == last + 1


def test_checkpoints_are_whole_or_absent(server: Server, jobs: Jobs) -> None:
    """Killed while a checkpoint is written: its folder has the temporary name only, and the next attempt clears it."""
    job = sft_job(jobs)
    directory = Path(job["checkpointing"]["directory"])
    half = directory / ".step-000003.tmp"
    half.mkdir(parents=True)
    (half / "optimizer.pt").write_bytes(b"half")
    outcome = server.run(jobs.write(job))
    assert outcome.code == 0
    assert sorted(path.name for path in directory.iterdir()) == ["step-000003", "step-000006", "step-000009"]
    assert (directory / "step-000003" / "optimizer.pt").stat().st_size > 4


def test_killed_at_every_operation_of_a_save(jobs: Jobs) -> None:
    """Each run dies before another operation on its checkpoints' files: a checkpoint is whole or absent, never half."""
    rows = [{"prompt": row["prompt"], "completion": row["yes"]} for row in map(question, range(16))]
    job = jobs.sft(
        trainFile=write_rows(jobs.folder / "few.jsonl", rows),
        checkpointing={"everySteps": 1},
        optimisation={"epochs": 1},
    )
    command = [sys.executable, "-m", "tests.kill_points", str(jobs.write(job)), job["checkpointing"]["directory"]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    *killed, undisturbed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [run["killed"] for run in killed] == [True] * len(killed)
    whole = undisturbed["checkpoints"]
    assert list(whole) == ["step-000001"]
    assert {"adapter_model.safetensors", "optimizer.pt", "ratchet_state.json"} < set(whole["step-000001"])
    outcomes = [run["checkpoints"] for run in killed]
    assert all(outcome in ({}, whole) for outcome in outcomes)
    assert len([outcome for outcome in outcomes if outcome == {}]) > len(whole["step-000001"])
    assert whole in outcomes  # killed after the rename, while its folder was flushed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 7}, "seed"),
        ({"optimisation": {"learningRate": 0.5}}, "optimisation"),
        ({"base": {"quantization": "none"}}, "base"),
    ],
)
def test_refuses_another_jobs_checkpoint(server: Server, jobs: Jobs, changes: dict[str, Any], message: str) -> None:
    job = jobs.sft()
    server.run(jobs.write(job))
    outcome = server.run(jobs.write(jobs.sft(checkpointing={"resumeFrom": newest(job)}, **changes)))
    assert (outcome.code, outcome.error["code"]) == (10, "resumeMismatch")
    assert message in outcome.error["message"]


def test_a_smaller_micro_batch_may_resume(server: Server, jobs: Jobs) -> None:
    """After running out of memory: same rows per step, half of them at a time."""
    job = jobs.sft()
    server.run(jobs.write(job))
    halved = jobs.sft(
        checkpointing={"resumeFrom": newest(job)}, optimisation={"batchSize": 2, "gradientAccumulation": 4}
    )
    assert server.run(jobs.write(halved)).code == 0


def test_refuses_half_a_checkpoint(server: Server, jobs: Jobs) -> None:
    job = jobs.sft()
    server.run(jobs.write(job))
    checkpoint = Path(str(newest(job)))
    (checkpoint / "ratchet_state.json").unlink()
    outcome = server.run(jobs.write(jobs.sft(checkpointing={"resumeFrom": str(checkpoint)})))
    assert (outcome.code, outcome.error["code"]) == (10, "badCheckpoint")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB: room for one checkpoint."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", folder], capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_whole_checkpoints(server: Server, jobs: Jobs, small_disk: Path) -> None:
    outcome = server.run(jobs.write(jobs.sft(checkpointing={"directory": str(small_disk), "everySteps": 1})))
    assert (outcome.code, outcome.error["code"]) == (40, "diskFull")
    left = sorted(small_disk.iterdir())
    assert left == [Path(event["path"]) for event in outcome.of("checkpoint")]
    assert len(left) >= 1
    resumed = jobs.sft(checkpointing={"resumeFrom": str(left[-1]), "directory": str(jobs.folder / "roomy")})
    assert server.run(jobs.write(resumed)).code == 0
