"""Fixtures: a small random base, a warm fork server for the whole session, job files."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet_trainer.runtime import prepare_environment

from .fork_server import Server
from .job_files import Jobs
from .random_base import make_base

prepare_environment()
os.environ["RATCHET_TRAINER_THREADS"] = "1"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"), seed=0)


@pytest.fixture(scope="session")
def other_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("other-base"), seed=1)


@pytest.fixture(scope="session")
def socket_folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="rt-") as folder:  # pytest's own paths can pass the socket's limit
        yield folder


@pytest.fixture(scope="session")
def server(socket_folder: str, base: Path) -> Iterator[Server]:
    server = Server(f"{socket_folder}/s", "--preload", str(base))
    yield server
    try:
        server.close_stdin()
    finally:
        server.end()


@pytest.fixture
def jobs(tmp_path: Path, base: Path) -> Jobs:
    return Jobs(tmp_path, base)


@pytest.fixture(scope="session")
def sft_adapter(server: Server, base: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An adapter that a short SFT job made on the base."""
    jobs = Jobs(tmp_path_factory.mktemp("sft"), base)
    return server.run(jobs.write(jobs.sft())).result["adapterPath"]
