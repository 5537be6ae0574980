# pyright: basic
"""Warms a base up in the fork server: page cache, model code, digests. One thread, no gradient, no CUDA."""

import torch
from transformers import AutoModelForCausalLM

from .base_model import load_tokenizer
from .digests import base_digest, base_folder


def warm_up(path: str) -> None:
    """Loads the base on the CPU, runs one token through it and lets it go.

    Raises:
        InvalidJobError: No base there.
    """
    folder = base_folder(path)
    base_digest(folder)
    load_tokenizer(folder)("warm")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    with torch.no_grad():
        model(input_ids=torch.tensor([[0]]))
