# pyright: basic
# transformers' models are only partly typed.
"""A base with its adapter, ready to answer: no dropout, nothing to train."""

from typing import Any

from .adapters import load_adapter
from .base_model import LoadedBase, dequantize
from .job import AttributeJob, GenerateJob


def inference_model(job: GenerateJob | AttributeJob, base: LoadedBase) -> Any:
    """Puts the job's adapter on its base.

    On a CPU the 4-bit weights are dequantised once and the adapter is merged into them in memory: the same function
    of the same quantised weights, up to rounding, without unpacking every layer for every token.
    """
    if base.device == "cpu":
        dequantize(base.model)
    model = base.model
    if job.adapter is not None:
        model = load_adapter(base, job.adapter.path, trainable=False)
        if base.device == "cpu" or job.base.quantization == "none":
            model = model.merge_and_unload()
    return model.eval()
