# pyright: basic
"""Checkpoints are written while training goes on, and are what they would be if it had stood still."""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ratchet_trainer.checkpoint_writer import HostMemory
from ratchet_trainer.digests import adapter_digest
from ratchet_trainer.files import sha256_of

from .fork_server import Json, Server
from .job_files import Jobs


@pytest.fixture(scope="module")
def faulty(socket_folder: str, base: Path) -> Iterator[Server]:
    program = str(Path(__file__).with_name("faulty_server.py"))
    server = Server(f"{socket_folder}/f", "--preload", str(base), program=[program])
    yield server
    try:
        server.close_stdin()
    finally:
        server.end()


def faulty_job(jobs: Jobs, faults: Json, every: int = 3) -> tuple[Json, Path]:
    """A job of 12 steps, and the folder of its checkpoints."""
    job = jobs.sft(checkpointing={"everySteps": every})
    directory = Path(job["checkpointing"]["directory"])
    directory.mkdir()
    (directory / "faults.json").write_text(json.dumps(faults))
    return job, directory


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.suffix != ".json")


def at_step(step: int, act: Callable[[Callable[[str], None]], object]) -> Callable[[Json, Callable[[str], None]], None]:
    def look(event: Json, send: Callable[[str], None]) -> None:
        if event["event"] == "step" and event["step"] == step:
            act(send)

    return look


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def test_a_copy_is_the_same_bytes_and_stays_so() -> None:
    model = torch.nn.Linear(7, 3)
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        model(torch.ones(7)).sum().backward()
        optimizer.step()

    step()
    memory = HostMemory()
    before = saved(optimizer.state_dict())
    copy = memory.copy("optimizer", optimizer.state_dict())
    step()
    assert saved(copy) == before
    assert saved(optimizer.state_dict()) != before
    place = copy["state"][0]["exp_avg"].data_ptr()
    again = memory.copy("optimizer", optimizer.state_dict())
    assert saved(again) == saved(optimizer.state_dict())
    assert again["state"][0]["exp_avg"].data_ptr() == place


def test_written_behind_or_at_once(faulty: Server, jobs: Jobs) -> None:
    """The write of step 3 begins when step 5 is done; in the other job training stands still until it is written."""
    job, directory = faulty_job(jobs, {"step-000003 before write": "slow until the gate opens"})
    os.mkfifo(directory / "gate")
    behind = faulty.run(jobs.write(job), at_step(5, lambda _: (directory / "gate").write_bytes(b"")))
    order = [(event["event"], event["step"]) for event in behind.events if event["event"] in ("step", "checkpoint")]
    assert order.index(("step", 5)) < order.index(("checkpoint", 3))
    other = Jobs(jobs.folder / "other", jobs.base)
    other.folder.mkdir()
    job, at_once = faulty_job(other, {"all": "written at once"})
    assert faulty.run(other.write(job)).code == 0
    for step in ("step-000003", "step-000006"):
        expected = {path.name: sha256_of(path) for path in (at_once / step).iterdir()}
        assert {path.name: sha256_of(path) for path in (directory / step).iterdir()} == expected
    assert len(expected) == 7


def test_training_that_must_wait_says_so(faulty: Server, jobs: Jobs) -> None:
    job, directory = faulty_job(jobs, {"step-000001 before rename": "slow until training waits"}, every=1)
    outcome = faulty.run(jobs.write(job))
    assert outcome.code == 0
    said = [event for event in outcome.of("warning") if event["code"] == "checkpointWait"]
    assert "at step 2 " in said[0]["message"]
    second = outcome.of("checkpoint")[1]
    assert second["seconds"] >= said[0]["seconds"] > 0
    assert second["writeSeconds"] > 0
    assert names(directory) == [f"step-{step:06d}" for step in range(1, 12)]


def test_a_notice_during_a_write_keeps_both(faulty: Server, jobs: Jobs) -> None:
    job, directory = faulty_job(jobs, {"step-000003 before write": "slow until training waits"})
    outcome = faulty.run(jobs.write(job), at_step(4, lambda send: send("TERM")))
    assert (outcome.code, outcome.error["code"]) == (30, "interrupted")
    last = outcome.of("step")[-1]["step"]
    kept = [event["step"] for event in outcome.of("checkpoint")]
    assert (kept[0], kept[-1]) == (3, last)
    assert names(directory) == [f"step-{step:06d}" for step in kept]


@pytest.mark.parametrize("fault", ["disk full", "disk full, found when training waits"])
@pytest.mark.parametrize("step", ["step-000006", "step-000009"])
def test_a_write_that_fails_ends_the_job(faulty: Server, jobs: Jobs, step: str, fault: str) -> None:
    """Also when it is the last one, and fails after the last step."""
    job, directory = faulty_job(jobs, {f"{step} before sync": fault})
    outcome = faulty.run(jobs.write(job))
    assert (outcome.code, outcome.error["code"]) == (40, "diskFull")
    assert "checkpointing.directory" in outcome.error["fix"]
    assert names(directory) == [Path(event["path"]).name for event in outcome.of("checkpoint")]
    assert step not in names(directory)
    assert not (Path(job["outputDir"]) / "adapter").exists()


@pytest.fixture(scope="module")
def uninterrupted(faulty: Server, base: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    jobs = Jobs(tmp_path_factory.mktemp("whole"), base)
    return adapter_digest(Path(faulty.run(jobs.write(jobs.sft())).result["adapterPath"]))


@pytest.mark.parametrize("moment", ["before write", "before sync", "before rename", "after rename"])
def test_killed_in_the_middle_of_a_write(faulty: Server, jobs: Jobs, uninterrupted: str, moment: str) -> None:
    job, directory = faulty_job(jobs, {f"step-000006 {moment}": "kill"})
    outcome = faulty.run(jobs.write(job))
    assert (outcome.code, outcome.events[-1]["signal"]) == (137, 9)
    whole = [name for name in names(directory) if not name.startswith(".")]
    assert whole == ["step-000003", "step-000006"] if moment == "after rename" else ["step-000003"]
    (directory / "faults.json").unlink()
    job["checkpointing"]["resumeFrom"] = str(directory / whole[-1])
    resumed = faulty.run(jobs.write(job))
    assert adapter_digest(Path(resumed.result["adapterPath"])) == uninterrupted
    assert names(directory) == ["step-000003", "step-000006", "step-000009"]
