# pyright: basic
"""A fork server of the trainer, and what its jobs say."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass
class Outcome:
    """Events of one job and how it ended."""

    events: list[Json] = field(default_factory=list[Json])

    @property
    def code(self) -> int:
        return self.events[-1]["code"]

    def of(self, kind: str) -> list[Json]:
        return [event for event in self.events if event["event"] == kind]

    @property
    def error(self) -> Json:
        return self.of("error")[-1]

    @property
    def result(self) -> Json:
        assert self.code == 0, self.events[-2:]
        return self.of("result")[-1]


Act = Callable[[Json, Callable[[str], None]], None]


class Server:
    """A fork server in a process of its own."""

    def __init__(self, socket_path: str, *arguments: str, program: Sequence[str] = ("-m", "ratchet_trainer")) -> None:
        self.socket_path = socket_path
        command = [sys.executable, *program, "serve", "--socket", socket_path, *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.said: list[Json] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))
            if self.said[-1]["event"] == "ready":
                return
        raise RuntimeError(f"the server ended with {self.process.wait()}")

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.socket_path)
        return client

    def ask(self, request: Json) -> Json:
        with self.connect() as client:
            client.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(client.makefile().readline())

    def run(self, job: Path, act: Act | None = None) -> Outcome:
        """Runs a job file; `act` sees every event and may send `TERM` or `KILL`."""
        outcome = Outcome()
        with self.connect() as client:

            def send(name: str) -> None:
                client.sendall(json.dumps({"signal": name}).encode() + b"\n")

            client.sendall(json.dumps({"job": str(job)}).encode() + b"\n")
            for line in client.makefile():
                event = json.loads(line)
                outcome.events.append(event)
                if act is not None:
                    act(event, send)
        return outcome

    def close_stdin(self) -> None:
        """What happens when its owner goes away."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=30) == 0
        assert not Path(self.socket_path).exists()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
