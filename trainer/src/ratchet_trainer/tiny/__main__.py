"""Command line: `python -m ratchet_trainer.tiny build|world --out PATH [--seed N]`."""

import argparse
from pathlib import Path

from ratchet_trainer.tiny.question_file import QUESTIONS, write_world


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
        rows = write_world(args.out, args.seed, args.count)
        print(f"{len(rows)} questions, {sum(row['answer'] for row in rows)} yes: {args.out}")
        return
    from ratchet_trainer.tiny.base import Pretraining
    from ratchet_trainer.tiny.build import build

    how = Pretraining(seed=args.seed) if args.steps is None else Pretraining(seed=args.seed, steps=args.steps)
    print(f"{args.out}: last loss {build(args.out, how):.4f} nats per token")


if __name__ == "__main__":
    main()
