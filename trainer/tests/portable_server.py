# pyright: basic
"""The trainer on a system that has none of Linux's own calls, as macOS."""

import os
import signal
import sys
from typing import Any

for module, names in ((os, ("pidfd_open", "sched_getaffinity")), (signal, ("pidfd_send_signal",))):
    for name in names:
        delattr(module, name)

from ratchet_trainer import __main__, parent_death  # noqa: E402 - they must not find them

replaced: Any = parent_death
replaced._prctl = None

if __name__ == "__main__":
    sys.exit(__main__.main())
