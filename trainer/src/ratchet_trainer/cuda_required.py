"""Whether this host may train on its CPU: not where it shows a GPU that torch cannot use.

Such a host (an old driver, most often) would do the work of minutes in days, at a GPU's price, and say nothing.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

from .errors import InvalidJobError, TrainerError

VARIABLE = "RATCHET_REQUIRE_CUDA"
"""1 = only with CUDA; 0 = on the CPU, whatever the host has; not set = with CUDA where the host shows a GPU."""
_OLDEST_DRIVERS = {"11": 450, "12": 525, "13": 580}
"""Major version of CUDA to that of the oldest driver that runs it (NVIDIA's table of minor version compatibility)."""
_PROBE_SECONDS = 120
_works = False
"""Set once CUDA was found to work; children of the fork server inherit it."""


def require_cuda() -> None:
    """Lets a job begin where it would run on what it should.

    CUDA is tried in a process of its own: one that has initialised it cannot fork.

    Raises:
        InvalidJobError: `cudaUnusable`: the job would run on the CPU of a host with a GPU.
        TrainerError: The driver does not answer.
    """
    global _works
    asked = os.environ.get(VARIABLE, "")
    if asked not in ("", "0", "1"):
        fix = f"Set {VARIABLE}=1 (only with CUDA) or 0 (on the CPU), or leave it out."
        raise InvalidJobError("cudaUnusable", f"{VARIABLE}: {asked!r} is neither 0 nor 1", fix)
    if asked == "0" or _works:
        return
    why = f"{VARIABLE}=1 asks for CUDA" if asked == "1" else gpu_sign()
    if why is None:
        return
    problem = _try_cuda()
    if problem is not None:
        raise _unusable(why, problem)
    _works = True


def gpu_sign(root: Path = Path("/")) -> str | None:
    """What shows that this host has an NVIDIA GPU; None where nothing does.

    Args:
        root: Where `dev` and `proc` lie.
    """
    devices = sorted((root / "dev").glob("nvidia[0-9]*"))
    if devices:
        return f"this host has {devices[0]}"
    driver = root / "proc" / "driver" / "nvidia"
    if driver.is_dir():
        return f"this host has {driver}"
    said = _ask_nvidia_smi()
    if said is None or "no devices were found" in said.lower():
        return None
    return "this host has nvidia-smi"


def _ask_nvidia_smi() -> str | None:
    """Driver versions of the GPUs, or why there are none; None without the program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return f"{done.stdout}{done.stderr}".strip()


def _try_cuda() -> str | None:
    """Why torch cannot use CUDA; None where it can.

    Raises:
        TrainerError: No answer.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.write(writer, _probe().encode("utf-8", "replace")[:4000])
        finally:
            os._exit(0)
    os.close(writer)
    try:
        if not select.select([reader], [], [], _PROBE_SECONDS)[0]:
            os.kill(pid, signal.SIGKILL)
            message = f"the GPU's driver did not answer within {_PROBE_SECONDS} s"
            raise TrainerError("cudaSilent", message, "Look at dmesg for Xid errors; a reboot of the host often helps.")
        answer = os.read(reader, 4000).decode("utf-8", "replace")
    finally:
        os.close(reader)
        os.waitpid(pid, 0)
    return None if answer == "works" else answer or "trying it ended the process"


def _probe() -> str:
    """Runs in the process of its own. By default torch only counts devices, which an old driver lists too."""
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    try:
        import torch

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            if torch.cuda.is_available():
                return "works"
        reasons = [str(one.message) for one in said]
        return "; ".join(reasons) or ("no CUDA device" if torch.version.cuda else "this torch is built without CUDA")
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _unusable(why: str, problem: str) -> InvalidJobError:
    import torch

    wants = torch.version.cuda
    build = f"torch {torch.__version__}" + (f" is built for CUDA {wants}" if wants else "")
    message = f"CUDA cannot be used, and the CPU is not what was meant: {why}; driver {_driver()}; {build}: {problem}"
    oldest = _OLDEST_DRIVERS.get((wants or "").split(".")[0])
    driver = f"Install NVIDIA driver {oldest} or newer" if oldest else "Install the newest NVIDIA driver"
    fix = f"{driver}, or a torch that is built for this one; {VARIABLE}=0 insists on the CPU."
    return InvalidJobError("cudaUnusable", message, fix)


def _driver() -> str:
    try:
        words = Path("/proc/driver/nvidia/version").read_text("utf-8", "replace").split()
        return next(word for word in words if word[0].isdigit() and "." in word)
    except (OSError, StopIteration):
        said = (_ask_nvidia_smi() or "").splitlines()
        return said[0] if said and said[0][:1].isdigit() else "unknown"
