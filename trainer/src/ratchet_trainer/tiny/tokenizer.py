"""Byte-level BPE: any text encodes; the world's words and common English words are one token each."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from ratchet_trainer.tiny.english import tokenizer_text

VOCABULARY = 1536
PAD, END = "<|pad|>", "<|end|>"
# Every newline and every digit is a piece of its own, so that a prompt and its completion tokenize the same way
# together and apart.
_PIECES = r"\n| ?\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|[^\S\n]+"


def train_tokenizer(documents: list[str]) -> Tokenizer:
    """Train on the world's documents and on plain English. Deterministic: the trainer breaks ties by order."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*documents, *tokenizer_text()], trainer)
    return tokenizer
