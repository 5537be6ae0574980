# pyright: basic, reportMissingImports=false
# vLLM is an optional extra that needs CUDA.
"""Generation through vLLM: continuous batching, the adapter applied per request (no merged copy of the weights)."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from .adapters import check_adapter_base
from .base_model import compute_dtype
from .digests import base_digest, base_folder
from .errors import naming
from .generation import Engine, Prompt, Text, text_before_stop
from .job import GenerateJob

PROMPTS_PER_CALL = 512
"""vLLM schedules requests itself; this only sets how often results reach the disk."""
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)


def vllm_engine(job: GenerateJob) -> Engine:
    """Loads the base into vLLM; NF4 bases are quantised by its bitsandbytes loader.

    Raises:
        InvalidJobError, PreflightError: No such base or adapter, or an adapter of another base.
    """
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # in this process: it dies with the job
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    folder = base_folder(job.base.path, job.base.revision)
    lora = None
    options: dict[str, object] = {}
    if job.adapter is not None:
        check_adapter_base(Path(job.adapter.path), base_digest(folder))
        fix = f"Its adapter_config.json must name a rank r of at most {_LORA_RANKS[-1]}."
        with naming("unloadableAdapter", f"adapter.path: {job.adapter.path}", fix):
            rank = json.loads((Path(job.adapter.path) / "adapter_config.json").read_text("utf-8"))["r"]
            options = {"enable_lora": True, "max_lora_rank": next(size for size in _LORA_RANKS if size >= rank)}
        lora = LoRARequest("adapter", 1, job.adapter.path)
    if job.base.quantization == "nf4":
        options["quantization"] = "bitsandbytes"
    dtype = str(compute_dtype(job.base.dtype, "cuda")).removeprefix("torch.")
    model = LLM(model=str(folder), dtype=dtype, seed=job.seed % 2**31, **options)
    sampling = job.sampling

    def generate(prompts: Sequence[Prompt]) -> list[Text]:
        parameters = [
            SamplingParams(
                max_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                stop=sampling.stop or None,
                seed=prompt.seed if sampling.temperature > 0 else None,
            )
            for prompt in prompts
        ]
        outputs = model.generate([prompt.text for prompt in prompts], parameters, lora_request=lora, use_tqdm=False)
        results = [output.outputs[0] for output in outputs]
        return [
            Text(prompt.id, text_before_stop(one.text, sampling.stop), len(one.token_ids), one.finish_reason)
            for prompt, one in zip(prompts, results, strict=True)
        ]

    return generate
