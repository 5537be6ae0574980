"""Command line: `python -m ratchet_trainer.tiny build|world --out PATH [--seed N]`."""

import argparse
import json
from pathlib import Path

from ratchet_trainer.tiny.questions import questions

QUESTIONS = 887


def _write_world(out: Path, seed: int, count: int) -> None:
    """One JSON array, as StrategyQA's own file; JSON lines where the name ends in `.jsonl`."""
    rows = questions(seed, count)
    lines = out.suffix == ".jsonl"
    text = "".join(f"{json.dumps(row)}\n" for row in rows) if lines else f"{json.dumps(rows, indent=1)}\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    print(f"{len(rows)} questions, {sum(row['answer'] for row in rows)} yes: {out}")


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m ratchet_trainer.tiny", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    world = commands.add_parser("world", help="write the question file")
    world.add_argument("--count", type=int, default=QUESTIONS, help="how many questions")
    model = commands.add_parser("build", help="pretrain the base model and write its folder")
    model.add_argument("--steps", type=int, default=None, help="optimizer steps; fewer only to try it out")
    for command in (world, model):
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    if args.command == "world":
        _write_world(args.out, args.seed, args.count)
        return
    from ratchet_trainer.tiny.base import Pretraining
    from ratchet_trainer.tiny.build import build

    how = Pretraining(seed=args.seed) if args.steps is None else Pretraining(seed=args.seed, steps=args.steps)
    print(f"{args.out}: last loss {build(args.out, how):.4f} nats per token")


if __name__ == "__main__":
    main()
