# pyright: basic
# Functions of the trainer are replaced here.
"""The trainer on a disk that misbehaves where a job asks for it.

A job asks by a file in its checkpoint folder: `faults.json`, `{"step-000003 before sync": FAULT}`. The moments of a
write are `before write`, `before sync`, `before rename` and `after rename`.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ratchet_trainer import __main__, checkpoint_writer, window_training
from ratchet_trainer.checkpoint_writer import CheckpointWriter

waiting = threading.Event()
"""Set when training waits for a write, because the next is due or because it is over."""


def asked(directory: Path) -> dict[str, str]:
    file = directory / "faults.json"
    return json.loads(file.read_text()) if file.exists() else {}


def reach(folder: Path, moment: str) -> None:
    name = folder.name.removeprefix(".").removesuffix(".tmp")
    match asked(folder.parent).get(f"{name} {moment}"):
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "disk full":
            raise OSError(28, "No space left on device")
        case "disk full, found when training waits":
            assert waiting.wait(60)
            raise OSError(28, "No space left on device")
        case "slow until training waits":
            assert waiting.wait(60)
        case "slow until the gate opens":
            (folder.parent / "gate").read_bytes()  # a FIFO; the test has its other end
        case _:
            pass


def around(function: Callable[..., Any], before: Callable[..., None]) -> Callable[..., Any]:
    def wrapped(*arguments: Any) -> Any:
        before(*arguments)
        return function(*arguments)

    return wrapped


def replace_folder(temporary: Path, final: Path) -> None:
    reach(temporary, "before rename")
    real_replace(temporary, final)
    reach(final, "after rename")


def save(writer: CheckpointWriter, step: int, directory: Path, take: Any) -> None:
    real_save(writer, step, directory, take)
    if asked(directory).get("all") == "written at once":
        assert writer._last is not None  # `real_save` has just made it
        real_wait([writer._last])


real_wait, real_replace, real_save = checkpoint_writer.wait, checkpoint_writer.replace_folder, CheckpointWriter.save
module: Any = checkpoint_writer
module.wait = around(real_wait, lambda _: waiting.set())
module.sync_tree = around(checkpoint_writer.sync_tree, lambda folder: reach(folder, "before sync"))
module.replace_folder = replace_folder
module.CheckpointWriter.save = save
module.CheckpointWriter.finish = around(CheckpointWriter.finish, lambda _: waiting.set())
module = window_training
module.write_tensors = around(window_training.write_tensors, lambda _, file: reach(file.parent, "before write"))

if __name__ == "__main__":
    sys.exit(__main__.main())
