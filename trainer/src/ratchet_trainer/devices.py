"""How many processes a job gets on this host, and which device each of them sees."""

import os

from .errors import InvalidJobError
from .job import AttributeJob, GenerateJob, Job


def processes_here(job: Job) -> int:
    """Processes that train this job on this host; what trains nothing runs in one, but is refused where
    training would be.

    Raises:
        InvalidJobError: `tooFewDevices` or `windowTooSmall`.
    """
    asked = job.distributed.processes
    devices = visible_devices()
    if devices and asked > len(devices):  # without CUDA any number of processes share the CPUs
        if not job.distributed.allow_other_world_size:
            message = f"distributed.processes: {asked} processes need a GPU each, this host has {len(devices)}"
            fix = "Take a host with more GPUs, fewer processes, or set distributed.allowOtherWorldSize."
            raise InvalidJobError("tooFewDevices", message, fix)
        asked = len(devices)
    if isinstance(job, GenerateJob | AttributeJob):
        return 1
    if asked > job.optimisation.window:
        message = f"distributed.processes: {asked} processes, but a step has {job.optimisation.window} rows"
        fix = "Raise optimisation.batchSize or gradientAccumulation, or take fewer processes."
        raise InvalidJobError("windowTooSmall", message, fix)
    return asked


def visible_devices() -> list[str]:
    """CUDA devices as `CUDA_VISIBLE_DEVICES` names them; empty without CUDA. Does not initialise CUDA."""
    import torch

    count = torch.cuda.device_count()
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named[:count] if named else [str(number) for number in range(count)]


def see_only(number: int) -> None:
    """Leaves this process one CUDA device; call before CUDA is initialised. Without CUDA nothing happens.

    transformers would spread a batch over all devices that it sees (DataParallel), in one process.
    """
    devices = visible_devices()
    if len(devices) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[number]
