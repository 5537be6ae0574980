"""Writes the world's questions to a file."""

import json
from pathlib import Path

from ratchet_trainer.tiny.questions import Row, questions

QUESTIONS = 887


def write_world(out: Path, seed: int, count: int = QUESTIONS) -> list[Row]:
    """One JSON array, as StrategyQA's own file; JSON lines where the name ends in `.jsonl`. Returns the rows."""
    rows = questions(seed, count)
    lines = out.suffix == ".jsonl"
    text = "".join(f"{json.dumps(row)}\n" for row in rows) if lines else f"{json.dumps(rows, indent=1)}\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    return rows
