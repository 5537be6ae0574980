"""Process-wide settings: environment before the heavy imports, threads, determinism, device."""

import contextlib
import os
from collections.abc import Generator
from importlib.metadata import version

_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",  # forking after a parallel tokenizer call warns and may hang
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # asks the driver library, so that the fork server never initialises CUDA
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic cuBLAS
    "OMP_WAIT_POLICY": "PASSIVE",  # two spinning pools on shared cores slow each other down more than tenfold
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


HEAVY_MODULES = (
    "torch",
    "torch.utils.data",
    "torch.distributed.fsdp",
    "torch.optim.lr_scheduler",
    "safetensors.torch",
    "datasets",
    "bitsandbytes",
    "transformers",
    "transformers.trainer",
    "peft",
    "trl",
    "ratchet_trainer.sft",
    "ratchet_trainer.dpo",
    "ratchet_trainer.generate",
    "ratchet_trainer.transformers_engine",
)
"""What takes seconds to import; the fork server has it ready."""


def prepare_environment() -> None:
    """Sets what libraries read at import; call before the first import of torch."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ.get("RATCHET_REQUIRE_CUDA") == "0":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # insists on the CPU


SMALL_WORK = 1e9
"""Multiply-adds per forward pass below which a second thread costs more than it saves (measured on two shared cores:
0.07 against 0.09 s a step at 2e8, 0.54 against 0.52 at 3e9)."""


def default_threads(parameters: int, tokens: float) -> int:
    """Threads for arithmetic: `RATCHET_TRAINER_THREADS`, else 1 for little work and all CPUs for more.

    Args:
        parameters: Size of the base model.
        tokens: In one forward pass.
    """
    asked = os.environ.get("RATCHET_TRAINER_THREADS")
    if asked:
        return int(asked)
    return 1 if parameters * tokens < SMALL_WORK else _processors()


def _processors() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Sets the threads of torch's OpenMP pool and MKL.

    The fork server runs with 1, so that no pool exists when it forks: libgomp's does not survive a fork, and a child
    that inherits one hangs in its first parallel region.
    """
    import torch

    torch.set_num_threads(count)


def numpy_seed(seed: int) -> int:
    """The seed as NumPy takes it: below 2^32."""
    return seed % 2**32


@contextlib.contextmanager
def importing_without_cuda() -> Generator[None]:
    """Imports in here never initialise CUDA, for a process that forks children which use it.

    bitsandbytes asks for each device's compute capability when it is imported, and that initialises CUDA: every child
    forked afterwards dies at its first CUDA call. The answer only goes into its diagnostics (the library is chosen by
    `torch.version.cuda`), so a constant serves.
    """
    import torch

    ask = torch.cuda.get_device_capability
    torch.cuda.get_device_capability = lambda device=None: (8, 0)  # pyright: ignore[reportUnknownLambdaType]
    try:
        yield
    finally:
        torch.cuda.get_device_capability = ask


def be_deterministic(seed: int, *, strict: bool) -> None:
    """Seeds every generator and asks for deterministic kernels.

    Args:
        seed: Of Python, NumPy and torch, all devices.
        strict: Whether an operation without a deterministic kernel raises instead of warning. Training needs it: only
            then PyTorch takes the deterministic backward pass of flash and memory-efficient attention
            (ATen/native/transformers/cuda/attention_backward.cu). Sampling cannot have it: `cumsum` has no such kernel.
    """
    import torch
    from transformers import set_seed

    set_seed(numpy_seed(seed))
    torch.use_deterministic_algorithms(True, warn_only=not strict)
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    torch.backends.cudnn.benchmark = False


def device_name() -> str:
    """`cuda` where a CUDA device is visible, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


_ARITHMETIC_LIBRARIES = ("torch", "transformers", "accelerate", "peft", "trl", "bitsandbytes")


def arithmetic_fingerprint(threads: int) -> dict[str, str | int]:
    """What bit-equality of a resumed run depends on besides the job: same values, same bits."""
    import torch

    device = device_name()
    return {
        **{name: version(name) for name in _ARITHMETIC_LIBRARIES},
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "cpuCapability": torch.backends.cpu.get_cpu_capability(),
        "threads": threads,
    }
