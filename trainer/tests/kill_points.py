# pyright: basic
"""Runs a job again and again, each time killed at the next operation on a file of its checkpoints.

`python -m tests.kill_points JOB CHECKPOINTS` prints a JSON line per run: `killed` and, per whole checkpoint, the
digests of its files. The last run is the one that came to its end.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from ratchet_trainer import serve
from ratchet_trainer.files import sha256_of
from ratchet_trainer.run_job import run_job
from ratchet_trainer.runtime import prepare_environment

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.copyfile", "shutil.rmtree"}


def run_until(number: int, job: str, folder: str) -> int:
    """Runs the job in this process, which dies before the operation of that number."""
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in OPERATIONS and any(str(argument).startswith(folder) for argument in arguments):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    return run_job(job, lambda _line: None)


def whole_checkpoints(folder: Path) -> dict[str, dict[str, str]]:
    """What a reader sees: folders under their final names."""
    found = sorted(folder.glob("step-*"))
    return {path.name: {file.name: sha256_of(file) for file in sorted(path.iterdir())} for path in found}


def main(job: str, folder: str) -> None:
    """Kills at the first operation, the second, and so on, until there are no more."""
    prepare_environment()
    serve._import_everything()
    number = 0
    killed = True
    while killed:
        number += 1
        shutil.rmtree(folder, ignore_errors=True)
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print
            os._exit(run_until(number, job, folder))
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status)
        assert killed or os.waitstatus_to_exitcode(status) == 0, status
        print(json.dumps({"killed": killed, "checkpoints": whole_checkpoints(Path(folder))}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
