"""A host that shows a GPU does not train on its CPU without a word."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ratchet_trainer import cuda_required, devices, runtime
from ratchet_trainer.cuda_required import VARIABLE, gpu_sign, require_cuda
from ratchet_trainer.errors import InvalidJobError
from ratchet_trainer.run_job import run_job

from .job_files import Jobs

OLD_DRIVER = "535.183.01"


def stub_smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture(autouse=True)
def no_gpu_in_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torch as on a host whose driver is too old, whatever this one has; SIGTERM as it was."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(cuda_required, "_works", False)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("there", "script", "seen"),
    [
        (["dev/nvidia0"], None, "dev/nvidia0"),
        (["dev/nvidia3"], None, "dev/nvidia3"),
        (["proc/driver/nvidia/version"], None, "proc/driver/nvidia"),
        ([], f"echo {OLD_DRIVER}", "nvidia-smi"),
        ([], "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "nvidia-smi"),
        ([], "echo 'No devices were found'; exit 6", None),
        (["dev/nvidiactl"], "echo 'No devices were found'", None),
    ],
)
def test_signs_of_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], script: str | None, seen: str | None
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    stub_smi(tmp_path, script or "echo 'No devices were found'", monkeypatch)
    sign = gpu_sign(tmp_path)
    assert (sign is None) if seen is None else (sign is not None and seen in sign)


def run(jobs: Jobs, job: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    lines: list[bytes] = []
    code = run_job(str(jobs.write(job)), lines.append)
    return code, [json.loads(line) for line in lines]


KINDS: dict[str, Callable[[Jobs], dict[str, Any]]] = {
    "sft": lambda jobs: jobs.sft(),
    "several processes": lambda jobs: jobs.sft(distributed={"processes": 2}),
    "dpo": lambda jobs: jobs.dpo("/adapter"),
    "generate": lambda jobs: jobs.generate(),
    "attribute": lambda jobs: jobs.attribute(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["sign", "variable"])
def test_every_job_is_refused(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, by: str) -> None:
    stub_smi(tmp_path, f"echo {OLD_DRIVER}", monkeypatch)
    if by == "variable":
        monkeypatch.setenv(VARIABLE, "1")
    code, events = run(jobs, KINDS[kind](jobs))
    assert code == 10
    (error,) = events
    assert error["code"] == "cudaUnusable"
    assert OLD_DRIVER in error["message"]
    assert f"torch {torch.__version__}" in error["message"]
    if torch.version.cuda:
        assert f"CUDA {torch.version.cuda}" in error["message"]
        assert "driver 580 or newer" in error["fix"] or not torch.version.cuda.startswith("13")
    assert f"{VARIABLE}=0" in error["fix"]
    assert not torch.cuda.is_initialized()  # a process that has initialised CUDA cannot fork jobs


def test_what_torch_says_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    def too_old() -> bool:
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old", stacklevel=1)
        return False

    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(torch.cuda, "is_available", too_old)
    with pytest.raises(InvalidJobError, match="driver on your system is too old"):
        require_cuda()


def test_where_cuda_works_it_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    require_cuda()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    require_cuda()


def test_zero_insists_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub_smi(tmp_path, f"echo {OLD_DRIVER}", monkeypatch)
    monkeypatch.setenv(VARIABLE, "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    require_cuda()
    runtime.prepare_environment()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert devices.visible_devices() == []


def test_another_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "yes")
    with pytest.raises(InvalidJobError, match="'yes' is neither 0 nor 1"):
        require_cuda()
