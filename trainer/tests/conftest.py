# pyright: basic
"""Fixtures: a small random base, a warm fork server for the whole session, job files."""

import copy
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ratchet_trainer.runtime import prepare_environment

prepare_environment()
os.environ["RATCHET_TRAINER_THREADS"] = "1"

Json = dict[str, Any]


def make_base(folder: Path, seed: int) -> Path:
    """A Llama of 60 k parameters with random weights and a byte-level tokenizer; same seed, same bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    raw.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>", "<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(["is the red number more than the blue one? yes no"] * 9, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(8)  # large enough for prompts to matter and adapters to learn in a few steps
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"), seed=0)


@pytest.fixture(scope="session")
def other_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("other-base"), seed=1)


@dataclass
class Outcome:
    """Events of one job and how it ended."""

    events: list[Json] = field(default_factory=list[Json])

    @property
    def code(self) -> int:
        return self.events[-1]["code"]

    def of(self, kind: str) -> list[Json]:
        return [event for event in self.events if event["event"] == kind]

    @property
    def error(self) -> Json:
        return self.of("error")[-1]

    @property
    def result(self) -> Json:
        assert self.code == 0, self.events[-2:]
        return self.of("result")[-1]


Act = Callable[[Json, Callable[[str], None]], None]


class Server:
    """A fork server in a process of its own."""

    def __init__(self, socket_path: str, *arguments: str, program: Sequence[str] = ("-m", "ratchet_trainer")) -> None:
        self.socket_path = socket_path
        command = [sys.executable, *program, "serve", "--socket", socket_path, *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.said: list[Json] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))
            if self.said[-1]["event"] == "ready":
                return
        raise RuntimeError(f"the server ended with {self.process.wait()}")

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(self.socket_path)
        return client

    def ask(self, request: Json) -> Json:
        with self.connect() as client:
            client.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(client.makefile().readline())

    def run(self, job: Path, act: Act | None = None) -> Outcome:
        """Runs a job file; `act` sees every event and may send `TERM` or `KILL`."""
        outcome = Outcome()
        with self.connect() as client:

            def send(name: str) -> None:
                client.sendall(json.dumps({"signal": name}).encode() + b"\n")

            client.sendall(json.dumps({"job": str(job)}).encode() + b"\n")
            for line in client.makefile():
                event = json.loads(line)
                outcome.events.append(event)
                if act is not None:
                    act(event, send)
        return outcome

    def close_stdin(self) -> None:
        """What happens when its owner goes away."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=30) == 0
        assert not Path(self.socket_path).exists()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def socket_folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="rt-") as folder:  # pytest's own paths can pass the socket's limit
        yield folder


@pytest.fixture(scope="session")
def server(socket_folder: str, base: Path) -> Iterator[Server]:
    server = Server(f"{socket_folder}/s", "--preload", str(base))
    yield server
    try:
        server.close_stdin()
    finally:
        server.end()


def write_rows(path: Path, rows: list[Json]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def question(number: int) -> Json:
    first, second = number * 37 % 90, number * 53 % 90
    truth = first > second
    return {
        "prompt": f"is {first} more than {second}?",
        "yes": " yes" if truth else " no",
        "no": " no" if truth else " yes",
    }


def attributable(name: str, asked: str, draft: str = "no, it is blue") -> Json:
    """An item of an attribution job, with its draft in the middle of the prompt."""
    before = f"Question: {asked}\nStudent draft: "
    return {
        "id": name,
        "prompt": f"{before}{draft}\nReasoning:",
        "draft": [[len(before), len(before) + len(draft)]],
        "answer": "\nit is so. the answer is: **YES",
        "other": "\nit is so. the answer is: **NO",
    }


@dataclass
class Jobs:
    """Writes job files into a folder of their own."""

    folder: Path
    base: Path

    def _common(self, kind: str) -> Json:
        return {
            "version": 1,
            "id": f"test/{kind}/1",
            "seed": 42,
            "base": {"path": str(self.base), "quantization": "nf4", "dtype": "float32"},
            "outputDir": str(self.folder / kind),
            "kind": kind,
        }

    def _training(self, kind: str) -> Json:
        return self._common(kind) | {
            "checkpointing": {"everySteps": 3, "directory": str(self.folder / f"{kind}-checkpoints")},
            "preflight": {"maxTruncatedShare": 0.1},
            "reportTo": [],
        }

    optimisation: ClassVar[Json] = {
        "batchSize": 4,
        "gradientAccumulation": 2,
        "learningRate": 3e-2,
        "warmupShare": 0.1,
        "scheduler": "cosine",
        "weightDecay": 0.01,
        "maxGradNorm": 1.0,
        "maxLength": 64,
    }

    def sft(self, **changes: Any) -> Json:
        rows = [{"prompt": row["prompt"], "completion": row["yes"]} for row in map(question, range(30))]
        job = self._training("sft") | {
            "lora": {"r": 8, "alpha": 16, "dropout": 0.1, "targetModules": ["q_proj", "v_proj", "down_proj"]},
            "trainFile": write_rows(self.folder / "train.jsonl", rows),
            "optimisation": copy.deepcopy(self.optimisation) | {"epochs": 3},
            "packing": False,
        }
        return merged(job, changes)

    def dpo(self, adapter: str, **changes: Any) -> Json:
        rows = [
            {"prompt": row["prompt"], "chosen": row["yes"], "rejected": row["no"]} for row in map(question, range(20))
        ]

        def stage(epochs: int, beta: float, loss: str, drop: float = 0.0) -> Json:
            return {"epochs": epochs, "beta": beta, "loss": loss, "dropNoisiestShare": drop}

        job = self._training("dpo") | {
            "adapter": {"path": adapter},
            "pairsFile": write_rows(self.folder / "pairs.jsonl", rows),
            "stages": [stage(1, 0.05, "dpo"), stage(1, 0.1, "cal-dpo"), stage(1, 0.1, "cal-dpo", 0.15)],
            "optimisation": copy.deepcopy(self.optimisation) | {"learningRate": 1e-2},
        }
        return merged(job, changes)

    def generate(self, **changes: Any) -> Json:
        rows = [
            {"id": f"q{number}", "prompt": question(number)["prompt"] + " x" * (number % 5)} for number in range(10)
        ]
        job = self._common("generate") | {
            "promptsFile": write_rows(self.folder / "prompts.jsonl", rows),
            "outputFile": str(self.folder / "texts.jsonl"),
            "engine": "auto",
            "sampling": {"maxNewTokens": 12, "temperature": 0, "topP": 1, "stop": []},
            "batchSize": 4,
        }
        return merged(job, changes)

    def attribute(self, **changes: Any) -> Json:
        rows = [attributable(f"q{number}", question(number)["prompt"]) for number in range(6)]
        job = self._common("attribute") | {
            "itemsFile": write_rows(self.folder / "items.jsonl", rows),
            "outputFile": str(self.folder / "attributions.jsonl"),
            "steps": 64,
            "batchSize": 16,
        }
        return merged(job, changes)

    def write(self, job: Json) -> Path:
        path = self.folder / f"{job.get('kind')}-job.json"
        path.write_text(json.dumps(job), "utf-8")
        return path


def merged(job: Json, changes: Json) -> Json:
    """Deep update; None removes a field."""
    for name, value in changes.items():
        if value is None:
            job.pop(name, None)
        elif isinstance(value, dict) and isinstance(job.get(name), dict):
            merged(job[name], value)  # type: ignore[arg-type]
        else:
            job[name] = value
    return job


@pytest.fixture
def jobs(tmp_path: Path, base: Path) -> Jobs:
    return Jobs(tmp_path, base)


@pytest.fixture(scope="session")
def sft_adapter(server: Server, base: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An adapter that a short SFT job made on the base."""
    jobs = Jobs(tmp_path_factory.mktemp("sft"), base)
    return server.run(jobs.write(jobs.sft())).result["adapterPath"]
