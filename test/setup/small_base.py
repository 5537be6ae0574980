"""Writes a small Llama base with random weights: everything real about it but its knowledge. Same bytes every time.

Usage: python small_base.py FOLDER [FIELDS], FIELDS being other values for LlamaConfig, as JSON.
"""

import json
import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

folder = sys.argv[1]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=320,
    special_tokens=["<|pad|>", "<|end|>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
tokenizer.train_from_iterator(["Question: is it so?\nStudent draft: Answer: Yes - no\nReasoning: yes no"], trainer)
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|end|>")
fast.save_pretrained(folder)
torch.manual_seed(0)
fields = {
    "vocab_size": len(fast),
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": None,
    "tie_word_embeddings": True,
}
if len(sys.argv) > 2:
    fields |= json.loads(sys.argv[2])
LlamaForCausalLM(LlamaConfig(**fields)).save_pretrained(folder)
