"""What libraries really raise, mapped to exit codes."""

import errno

import pytest
import torch

from ratchet_trainer.errors import classify
from ratchet_trainer.exit_codes import EXIT_CODES


def test_disk_full_from_python() -> None:
    with pytest.raises(OSError, match="No space") as caught, open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    assert caught.value.errno == errno.ENOSPC
    assert classify(caught.value).exit_code == EXIT_CODES["diskFull"]


def test_disk_full_in_a_cause() -> None:
    error = RuntimeError("could not save")
    error.__cause__ = OSError(errno.EDQUOT, "Disk quota exceeded")
    assert classify(error).exit_code == EXIT_CODES["diskFull"]


def test_disk_full_from_torch() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.save(torch.ones(9999), "/dev/full")
    assert classify(caught.value).exit_code == EXIT_CODES["diskFull"]


def test_out_of_memory_from_torch() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert classify(caught.value).exit_code == EXIT_CODES["outOfMemory"]
    assert "batchSize" in (classify(caught.value).fix or "")


def test_the_rest_is_unexpected() -> None:
    assert classify(KeyError("x")).exit_code == EXIT_CODES["unexpected"]
