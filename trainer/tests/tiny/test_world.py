import json
import subprocess
import sys
from pathlib import Path

import ratchet_trainer.tiny
from ratchet_trainer.tiny.build import build_tokenizer
from ratchet_trainer.tiny.corpus import Corpus
from ratchet_trainer.tiny.questions import SHARES, pool, questions, rehearsed


def test_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    def write(name: str, seed: int) -> bytes:
        out = tmp_path / name
        command = [sys.executable, "-m", "ratchet_trainer.tiny", "world", "--out", str(out), "--seed", str(seed)]
        subprocess.run(command, check=True, capture_output=True)
        return out.read_bytes()

    first = write("a.json", 42)
    assert write("b.json", 42) == first
    assert write("c.json", 43) != first
    assert [json.loads(line) for line in write("d.jsonl", 42).splitlines()] == json.loads(first)


def test_rows_have_strategyqa_fields_and_no_question_twice() -> None:
    rows = questions(42, 887)
    assert len(rows) == 887
    assert len({row["question"] for row in rows}) == len({row["qid"] for row in rows}) == 887
    for row in rows:
        assert list(row) == ["qid", "term", "description", "question", "answer", "facts", "decomposition"]
        assert isinstance(row["answer"], bool)
        assert row["question"].endswith("?")
        assert row["facts"]
        assert all(row["decomposition"])


def test_labels_are_balanced_as_in_the_reference_in_every_kind() -> None:
    kinds = {asked.row["qid"]: asked.kind for asked in pool()}
    rows = questions(42, 887)
    for kind, share in SHARES.items():
        of_kind = [row for row in rows if kinds[row["qid"]] == kind]
        assert abs(len(of_kind) / len(rows) - share) < 0.01
        assert abs(sum(row["answer"] for row in of_kind) / len(of_kind) - 0.455) < 0.01


def test_answers_follow_from_the_facts() -> None:
    for asked in pool():
        row = asked.row
        if asked.kind == "same":
            one, two = (told.rstrip(".").rsplit(" ", 1)[1] for told in row["facts"])
            assert row["answer"] is (one == two)
        else:
            negated = (" no ", "without", "badly", "warm", "inland", "indoors")
            assert row["answer"] is not any(word in row["facts"][-1] for word in negated)


def test_the_base_never_reads_a_question_of_the_file() -> None:
    corpus = Corpus(42)
    asked = {row["question"] for row in questions(42, 887)}
    read = "\n".join(corpus.document() for _ in range(20_000)).split("\n")
    met = {line.removeprefix("Question: ") for line in read if line.startswith("Question: ")}
    assert len(met & {known.row["question"] for known in pool() if rehearsed(known)}) > 500
    assert not met & asked


def test_the_files_that_are_shipped_are_what_the_scripts_make() -> None:
    shipped = Path(ratchet_trainer.tiny.__file__).parent / "model"
    assert (shipped / "world.jsonl").read_text() == "".join(f"{json.dumps(row)}\n" for row in questions(42, 887))
    vocabulary = json.loads((shipped / "tokenizer.json").read_text())["model"]["vocab"]
    assert vocabulary == build_tokenizer().get_vocab()
