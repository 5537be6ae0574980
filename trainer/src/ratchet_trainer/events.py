"""The event stream: JSON lines, one event each, as `TrainerEvent` in `config/trainer-job.ts` describes them."""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from .exit_codes import EXIT_CODES
from .texts import encodable


class EventStream:
    """Writes events of one job; safe to call from several threads.

    Args:
        write: Takes one whole line of UTF-8 with its newline. A `BrokenPipeError` from it ends the process: nobody
            supervises the job any more.
        job_id: Goes into every event.
    """

    def __init__(self, write: Callable[[bytes], object], job_id: str) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._alive: threading.Thread | None = None
        self.job_id = job_id

    def emit(self, event: str, **fields: Any) -> None:
        """Writes one event; fields that are None are left out.

        Raises:
            ValueError: A field is NaN or infinite; such numbers are reported as errors, never as measurements.
        """
        body = {"event": event, "time": time.time(), "job": self.job_id}
        body.update({key: value for key, value in fields.items() if value is not None})
        text, _ = encodable(json.dumps(body, allow_nan=False, ensure_ascii=False))
        line = text.encode() + b"\n"
        with self._lock:
            try:
                self._write(line)
            except (BrokenPipeError, ConnectionResetError):
                os._exit(EXIT_CODES["unexpected"])

    def start_alive(self, interval_seconds: float = 1.0) -> None:
        """Starts the `alive` thread. It says that the process lives, nothing about progress."""

        def beat() -> None:
            while not self._stop.wait(interval_seconds):
                self.emit("alive")

        self._alive = threading.Thread(target=beat, name="alive", daemon=True)
        self._alive.start()

    def close(self) -> None:
        """Stops the `alive` thread."""
        self._stop.set()
        if self._alive is not None:
            self._alive.join()
