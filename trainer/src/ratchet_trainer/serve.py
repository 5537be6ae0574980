"""The fork server: imports once, then forks a child per job, so that a job starts in well under a second.

One thread, one `selectors` loop. The parent never runs a multi-threaded kernel, a backward pass or a CUDA call: a
child must be able to start its own OpenMP pool, autograd engine and CUDA context.
"""

import contextlib
import gc
import importlib
import json
import logging
import os
import selectors
import signal
import socket
import stat
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cuda_required import require_cuda
from .errors import TrainerError
from .exit_codes import EXIT_CODES
from .parent_death import Lifeline
from .rank_processes import begin_child
from .run_job import log_to_output_folder, run_job
from .runtime import HEAVY_MODULES, importing_without_cuda, use_threads

_log = logging.getLogger(__name__)

SOCKET_PATH_LIMIT = 100


@dataclass
class _Connection:
    sock: socket.socket
    received: bytes = b""
    pid: int | None = None


@dataclass
class _Server:
    selector: selectors.BaseSelector
    listener: socket.socket
    bases: list[str]
    lifeline: Lifeline
    connections: dict[int, _Connection] = field(default_factory=dict[int, _Connection])
    told_to_end: bool = False
    ending: bool = False


def serve_forever(socket_path: str, preload: list[str]) -> int:
    """Serves jobs until stdin closes or SIGTERM arrives.

    SIGTERM is passed on to running jobs, which save a checkpoint; the server ends after them.

    Args:
        socket_path: Where to listen; a stale socket file is replaced.
        preload: Folders of bases whose code, files and digests to warm up.
    Returns:
        Exit code.
    """
    if len(socket_path) >= SOCKET_PATH_LIMIT:
        print(
            f"--socket: {socket_path} has {len(socket_path)} characters; use under {SOCKET_PATH_LIMIT}", file=sys.stderr
        )
        return EXIT_CODES["invalidJob"]
    began = time.monotonic()
    _import_everything()
    _try_cuda_once()
    bases = [base for base in preload if _warm(base)]
    if _is_cuda_initialised():
        message = "CUDA was initialised while libraries were imported, so no job could use the GPU"
        print(f"{message}. Fix: install the versions of trainer/uv.lock.", file=sys.stderr)
        return EXIT_CODES["unexpected"]
    gc.collect()
    gc.freeze()  # children neither scan nor copy what is here already
    Path(socket_path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(socket_path)
    listener.listen()
    server = _Server(selectors.DefaultSelector(), listener, bases, Lifeline())
    server.selector.register(listener, selectors.EVENT_READ, "listener")
    _watch_stdin(server)
    signals = _watch_signals(server)
    _print(_ready(server) | {"startupSeconds": time.monotonic() - began})
    try:
        _loop(server)
    finally:
        for connection in server.connections.values():
            _signal(connection, signal.SIGKILL)
        signals.close()
        Path(socket_path).unlink(missing_ok=True)
    return EXIT_CODES["ok"]


def _import_everything() -> None:
    use_threads(1)
    with importing_without_cuda():
        for name in HEAVY_MODULES:
            importlib.import_module(name)


def _is_cuda_initialised() -> bool:
    import torch

    return torch.cuda.is_initialized()


def _try_cuda_once() -> None:
    """Jobs need not try again what works here; what does not is tried, and named, by each."""
    try:
        require_cuda()
    except TrainerError as error:
        _print({"event": "warning", "code": error.code, "message": error.message, "time": time.time()})


def _warm(base: str) -> bool:
    """Loads a base once, so that files are in the page cache, model code is imported and digests are known."""
    from .warm_up import warm_up

    try:
        warm_up(base)
    except Exception as error:
        _print({"event": "warning", "code": "preloadFailed", "message": f"{base}: {error}", "time": time.time()})
        return False
    return True


def _watch_stdin(server: _Server) -> None:
    """Ends with the parent process: its end of the pipe closes. A stdin that is no pipe says nothing."""
    kind = os.fstat(0).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        server.selector.register(0, selectors.EVENT_READ, "stdin")


def _watch_signals(server: _Server) -> socket.socket:
    """Turns SIGTERM and the end of a child into something that the selector sees; returns the socket to close.

    The socket only wakes the loop: a child that has not given it up yet writes into it too.
    """

    def end(*_: object) -> None:
        server.told_to_end = True

    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    server.selector.register(reader, selectors.EVENT_READ, reader)
    return writer


def _loop(server: _Server) -> None:
    while not (server.ending and not server.connections):
        for key, _ in server.selector.select():
            what: Any = key.data
            if what == "listener":
                _accept(server)
            elif what == "stdin":
                if not os.read(0, 4096):
                    return
            elif isinstance(what, _Connection):
                _on_connection(server, what)
            else:
                what.recv(4096)
                _on_signal(server)


def _on_signal(server: _Server) -> None:
    for connection in list(server.connections.values()):
        _reap(server, connection)
    if not server.told_to_end or server.ending:
        return
    server.ending = True
    for connection in list(server.connections.values()):
        _signal(connection, signal.SIGTERM)
        if connection.pid is None:
            _forget(server, connection)


def _accept(server: _Server) -> None:
    sock, _ = server.listener.accept()
    connection = _Connection(sock)
    server.connections[sock.fileno()] = connection
    server.selector.register(sock, selectors.EVENT_READ, connection)


def _on_connection(server: _Server, connection: _Connection) -> None:
    if connection.sock.fileno() < 0:
        return  # forgotten in this very round
    try:
        data = connection.sock.recv(65536)
    except ConnectionError:
        data = b""
    if not data:
        _signal(connection, signal.SIGKILL)  # nobody supervises the job any more
        if connection.pid is None:
            _forget(server, connection)
        else:
            server.selector.unregister(connection.sock)
        return
    connection.received += data
    while b"\n" in connection.received:
        line, connection.received = connection.received.split(b"\n", 1)
        _on_request(server, connection, line)


def _on_request(server: _Server, connection: _Connection, line: bytes) -> None:
    try:
        request: object = json.loads(line)
    except ValueError:
        request = None
    match request:
        case {"ping": True}:
            _send(connection, _ready(server))
        case {"signal": "TERM"}:
            _signal(connection, signal.SIGTERM)
        case {"signal": "KILL"}:
            _signal(connection, signal.SIGKILL)
        case {"job": str(path)} if connection.pid is None and not server.ending:
            _fork(server, connection, path)
        case _:
            message = f"cannot do {line[:200].decode(errors='replace')!r} now"
            fix = 'Send {"job": PATH} once, {"ping": true}, or {"signal": "TERM"|"KILL"}.'
            _send(connection, {"event": "error", "job": "", "code": "badRequest", "message": message, "fix": fix})


def _fork(server: _Server, connection: _Connection, path: str) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = EXIT_CODES["unexpected"]
        try:
            code = _child(server, connection, path)
        finally:
            os._exit(code)
    connection.pid = pid


def _child(server: _Server, connection: _Connection, path: str) -> int:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if not begin_child(server.lifeline):
        return EXIT_CODES["interrupted"]
    server.selector.close()
    server.listener.close()
    for other in server.connections.values():
        if other is not connection:
            other.sock.close()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    connection.sock.setblocking(True)
    return run_job(path, connection.sock.sendall, log_to_output_folder)


def _reap(server: _Server, connection: _Connection) -> None:
    """Reports the end of a connection's job, where it has ended. Its number cannot mean another process before that."""
    if connection.pid is None:
        return
    pid, status = os.waitpid(connection.pid, os.WNOHANG)
    if pid == 0:
        return
    event: dict[str, Any] = {"event": "exit", "code": os.waitstatus_to_exitcode(status), "time": time.time()}
    if os.WIFSIGNALED(status):
        event |= {"code": 128 + os.WTERMSIG(status), "signal": os.WTERMSIG(status)}
    _send(connection, event)
    connection.pid = None
    _forget(server, connection)


def _forget(server: _Server, connection: _Connection) -> None:
    fd = connection.sock.fileno()
    with contextlib.suppress(KeyError):
        server.selector.unregister(connection.sock)
    server.connections.pop(fd, None)
    connection.sock.close()


def _signal(connection: _Connection, number: signal.Signals) -> None:
    if connection.pid is not None:
        os.kill(connection.pid, number)


def _send(connection: _Connection, body: dict[str, Any]) -> None:
    try:
        connection.sock.sendall(json.dumps(body).encode() + b"\n")
    except OSError:
        _log.info("client is gone")


def _ready(server: _Server) -> dict[str, Any]:
    return {"event": "ready", "pid": os.getpid(), "bases": server.bases, "time": time.time()}


def _print(body: dict[str, Any]) -> None:
    print(json.dumps(body), flush=True)
