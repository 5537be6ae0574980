"""A base named by its hub id, where the hub says different things."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = """
import json
from ratchet_trainer.digests import base_folder
from ratchet_trainer.errors import TrainerError
try:
    base_folder("some/base")
except TrainerError as error:
    print(json.dumps([error.exit_code, error.code]))
"""


@pytest.fixture
def hub() -> Iterator[http.server.HTTPServer]:
    """Answers everything with the status that stands in its environment's address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, _, code = self.path.split("/")[1].partition("-")
            self.send_response(int(status))
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("503", [1, "hubUnreachable"]),
        ("500", [1, "hubUnreachable"]),
        ("429", [1, "hubUnreachable"]),
        ("404-RepoNotFound", [10, "noBase"]),
        ("403-GatedRepo", [10, "noBase"]),
        ("401", [10, "noBase"]),
        (None, [1, "hubUnreachable"]),
    ],
)
def test_a_hub_that_is_away_is_no_wrong_name(
    hub: http.server.HTTPServer, tmp_path: Path, answer: str | None, expected: list[object]
) -> None:
    address = f"http://127.0.0.1:{hub.server_address[1] if answer else 1}/{answer or ''}"
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True)
    assert json.loads(done.stdout) == expected
