# pyright: basic
"""Job files and their rows."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from .fork_server import Json


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
            merged(job[name], value)
        else:
            job[name] = value
    return job
