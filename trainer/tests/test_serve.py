"""The fork server's own behaviour."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from .fork_server import Json, Server
from .job_files import Jobs, write_rows


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def wait_until_gone(pid: int) -> None:
    """Waits for the process by its descriptor, so that no time is guessed; pytest's own limit ends it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    select.select([descriptor], [], [], 30)
    os.close(descriptor)
    assert gone(pid)


def test_ping(server: Server, base: Path) -> None:
    answer = server.ask({"ping": True})
    assert answer["event"] == "ready"
    assert answer["pid"] == server.process.pid
    assert answer["bases"] == [str(base)]
    assert server.said[-1]["event"] == "ready"


def test_bad_requests_are_answered(server: Server) -> None:
    for request in ({"jobs": "x"}, {"signal": "HUP"}):
        assert server.ask(request)["code"] == "badRequest"


def test_a_bad_job_file(server: Server, tmp_path: Path) -> None:
    outcome = server.run(tmp_path / "absent.json")
    assert (outcome.code, outcome.error["code"]) == (10, "unreadableJob")


def test_job_start_is_fast(server: Server, jobs: Jobs) -> None:
    """From the request to the first step; the bound is loose because other work shares these cores."""
    began = time.monotonic()
    first: list[float] = []

    def note(event: Json, _send: Any) -> None:
        if event["event"] == "step" and not first:
            first.append(time.monotonic() - began)

    server.run(jobs.write(jobs.sft()), note)
    assert first[0] < 5


def test_children_may_use_several_threads(server: Server, jobs: Jobs) -> None:
    """An OpenMP pool in the parent would hang the first parallel region of a child."""
    rows = [{"prompt": "is the red number more than the blue one? " * 4, "completion": " yes"}] * 32
    wide = {"optimisation": {"batchSize": 32, "gradientAccumulation": 1, "maxLength": 200}}
    job = jobs.sft(trainFile=write_rows(jobs.folder / "wide.jsonl", rows), **wide)
    job["checkpointing"]["everySteps"] = 1
    checkpoint = Path(server.run(jobs.write(job)).of("checkpoint")[0]["path"])
    state = json.loads((checkpoint / "ratchet_state.json").read_text())
    state["arithmetic"]["threads"] = 2  # a resumed run takes the thread count of its checkpoint
    (checkpoint / "ratchet_state.json").write_text(json.dumps(state))
    job["checkpointing"]["resumeFrom"] = str(checkpoint)
    pids: list[int] = []
    tasks: list[int] = []

    def count(event: Json, _send: Any) -> None:
        if event["event"] == "started":
            pids.append(event["pid"])
        if event["event"] == "checkpoint":
            tasks.append(len(os.listdir(f"/proc/{pids[0]}/task")))

    assert server.run(jobs.write(job), count).code == 0
    assert tasks[0] >= 3  # main, alive, and one more for arithmetic


def test_two_jobs_at_once(server: Server, jobs: Jobs, tmp_path: Path) -> None:
    other = Jobs(tmp_path / "other", jobs.base)
    other.folder.mkdir()
    codes: list[int] = []

    def run(one: Jobs) -> None:
        codes.append(server.run(one.write(one.sft())).code)

    threads = [threading.Thread(target=run, args=[one]) for one in (jobs, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0]


def test_a_client_that_leaves_takes_its_job_along(server: Server, jobs: Jobs) -> None:
    client = server.connect()
    client.sendall(json.dumps({"job": str(jobs.write(jobs.sft(optimisation={"epochs": 9999})))}).encode() + b"\n")
    lines = client.makefile()
    pid = next(event["pid"] for event in map(json.loads, lines) if event["event"] == "started")
    lines.close()
    client.close()
    wait_until_gone(pid)
    assert server.ask({"ping": True})["event"] == "ready"


def test_alive_is_apart_from_progress(server: Server, jobs: Jobs) -> None:
    def stop(event: Json, send: Any) -> None:
        if event["event"] == "alive":
            send("KILL")

    outcome = server.run(jobs.write(jobs.sft(optimisation={"epochs": 9999})), stop)
    assert outcome.of("alive")
    assert outcome.code == 137


class TestEnds:
    """Servers of their own. That closing stdin ends a server is checked where the session's server ends."""

    @pytest.fixture(params=["linux", "portable"])
    def own(self, socket_folder: str, request: pytest.FixtureRequest) -> Any:
        portable = str(Path(__file__).with_name("portable_server.py"))
        program = ["-m", "ratchet_trainer"] if request.param == "linux" else [portable]
        server = Server(f"{socket_folder}/own", program=program)
        yield server
        server.end()

    def start(self, server: Server, jobs: Jobs, **changes: Any) -> tuple[Any, int]:
        client = server.connect()
        job = jobs.write(jobs.sft(**{"optimisation": {"epochs": 9999}, **changes}))
        client.sendall(json.dumps({"job": str(job)}).encode() + b"\n")
        lines = client.makefile()
        return lines, next(event["pid"] for event in map(json.loads, lines) if event["event"] == "started")

    def test_sigterm_saves_running_jobs(self, own: Server, jobs: Jobs) -> None:
        lines, _ = self.start(own, jobs)
        while json.loads(next(lines))["event"] != "step":
            pass
        own.process.terminate()
        events = [json.loads(line) for line in lines]
        assert own.process.wait(timeout=30) == 0
        assert [event for event in events if event["event"] == "checkpoint"]
        assert events[-1]["code"] == 30

    def test_killed_server_takes_its_jobs_along(self, own: Server, jobs: Jobs) -> None:
        _, pid = self.start(own, jobs)
        own.process.send_signal(signal.SIGKILL)
        own.process.wait()
        wait_until_gone(pid)

    def test_killed_server_takes_all_ranks_along(self, own: Server, jobs: Jobs) -> None:
        _, pid = self.start(own, jobs, distributed={"processes": 2})
        leader = parent_of(pid)
        ranks = [int(child) for child in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]
        assert len(ranks) == 2
        own.process.send_signal(signal.SIGKILL)
        own.process.wait()
        for one in (leader, *ranks):
            wait_until_gone(one)

    def test_a_killed_job_is_told_and_the_next_one_runs(self, own: Server, jobs: Jobs) -> None:
        lines, pid = self.start(own, jobs, optimisation={"epochs": 9999}, distributed={"processes": 2})
        os.kill(pid, signal.SIGKILL)
        assert json.loads(list(lines)[-1])["code"] == 137
        assert own.run(jobs.write(jobs.sft(optimisation={"epochs": 1}))).code == 0


def test_refuses_a_long_socket_path(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ratchet_trainer", "serve", "--socket", str(tmp_path / ("x" * 100))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 10
    assert "use under 100" in done.stderr


def test_one_shot_run(jobs: Jobs, tmp_path: Path) -> None:
    """`run` needs no server: events on stdout, the exit code is the process's."""
    command = [sys.executable, "-m", "ratchet_trainer", "run", str(jobs.write(jobs.sft(optimisation={"epochs": -1})))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 10
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "error"


def test_threads_of_a_forked_process_find_a_thread_pool() -> None:
    """Without a pool made before the threads, one process in four failed here with "Invalid thread pool!"."""
    script = """
import os
from concurrent.futures import ThreadPoolExecutor
import torch
from ratchet_trainer.parent_death import Lifeline
from ratchet_trainer.rank_processes import begin_child
from ratchet_trainer.runtime import use_threads

use_threads(1)
torch.get_num_threads()  # as the first arithmetic does: from then on torch leaves the pool alone in a fork
for _ in range(60):
    lifeline = Lifeline()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            begin_child(lifeline)
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(lambda _: torch.zeros(40_000).to(torch.bfloat16), range(8)))
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_and_warming_never_initialise_cuda(base: Path) -> None:
    """CUDA that is initialised in the parent makes every child die at its first call of it."""
    script = """
import sys
from ratchet_trainer.runtime import prepare_environment

prepare_environment()
import torch

asked = []
# As on a host with one GPU, with the driver's initialisation replaced by a note.
torch.cuda.device_count = lambda: 1
torch.cuda.is_available = lambda: True
torch.cuda._lazy_init = lambda: asked.append("init")
torch._C._cuda_getDevice = lambda: 0
from ratchet_trainer import serve

serve._import_everything()
assert serve._warm(sys.argv[1])
assert asked == [], asked
"""
    done = subprocess.run([sys.executable, "-c", script, str(base)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_refuses_to_serve_where_cuda_is_initialised(socket_folder: str) -> None:
    script = """
import sys
import torch

torch.cuda.is_initialized = lambda: True
from ratchet_trainer.serve import serve_forever

sys.exit(serve_forever(sys.argv[1], []))
"""
    command = [sys.executable, "-c", script, f"{socket_folder}/cuda"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "no job could use the GPU" in done.stderr
    assert done.stdout == ""
