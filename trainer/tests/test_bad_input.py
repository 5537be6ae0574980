# pyright: basic
"""Bases, adapters, checkpoints and rows that no retry would mend: refused by name, or taken for what they are.

A case is a line of a table. None may end as `unexpected`, which is tried again.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet_trainer.digests import adapter_digest
from ratchet_trainer.events import EventStream
from ratchet_trainer.files import json_line, whole_lines

from .fork_server import Json, Server
from .job_files import Jobs, attributable, question, write_rows
from .test_resume import newest

Change = Callable[[Path], object]
EXTRA = "<extra>"
HALF = "\ud83d"


def tokenizer_with(**special: Any) -> Change:
    """The base's tokenizer with special tokens that its embeddings do not have."""

    def change(base: Path) -> None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(base)
        added = (
            tokenizer.add_tokens(special["tokens"]) if "tokens" in special else tokenizer.add_special_tokens(special)
        )
        assert added
        tokenizer.save_pretrained(base)

    return change


def without_pad_token(base: Path) -> None:
    edit("tokenizer_config.json", lambda config: config.pop("pad_token"))(base)


def pad_is_end(base: Path) -> None:
    edit("tokenizer_config.json", lambda config: config.update(pad_token="<end>"))(base)


def edit(file: str, change: Callable[[Json], object]) -> Change:
    def apply(folder: Path) -> None:
        content = json.loads((folder / file).read_text("utf-8"))
        change(content)
        (folder / file).write_text(json.dumps(content), "utf-8")

    return apply


def write(file: str, content: str) -> Change:
    return lambda folder: (folder / file).write_text(content, "utf-8")


def cut(file: str, left: int) -> Change:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:left])


def delete(*files: str) -> Change:
    return lambda folder: [(folder / file).unlink() for file in files]


def copy_of(folder: Path | str, to: Path, change: Change) -> str:
    shutil.copytree(folder, to)
    change(to)
    return str(to)


PATH, BEYOND = "base.path", "tokenBeyondEmbeddings"
BASES: list[tuple[str, Change, str, str]] = [
    ("a pad token beyond its embeddings", tokenizer_with(pad_token="[PAD]"), BEYOND, "pad_token '[PAD]'"),
    ("an end token beyond them", tokenizer_with(eos_token="[END]"), BEYOND, "eos_token '[END]'"),
    ("a first token beyond them", tokenizer_with(bos_token="[BEGIN]"), BEYOND, "bos_token '[BEGIN]'"),
    ("a pad token beyond them by its configuration", edit("config.json", lambda c: c.update(pad_token_id=5000)),
     BEYOND, "pad_token_id of config.json is 5000"),
    ("no tokenizer", delete("tokenizer.json", "tokenizer_config.json"), "unloadableTokenizer", "tokenizer"),
    ("a tokenizer that is none", write("tokenizer.json", "{}"), "unloadableTokenizer", "tokenizer"),
    ("half a tokenizer", cut("tokenizer.json", 500), "unloadableTokenizer", "tokenizer"),
    ("a configuration that is no JSON", write("config.json", "{"), "unloadable", PATH),
    ("an unknown architecture", edit("config.json", lambda c: c.update(model_type="nosuch")), "unloadable", PATH),
    ("a configuration of wrong types", edit("config.json", lambda c: c.update(hidden_size="32")), "unloadable", PATH),
    ("weights of other shapes", edit("config.json", lambda c: c.update(hidden_size=48)), "unloadableBase", PATH),
    ("a cut weights file", cut("model.safetensors", 100), "unloadableBase", PATH),
    ("an empty weights file", cut("model.safetensors", 0), "unloadableBase", PATH),
    ("no weights", delete("model.safetensors"), "unloadableBase", PATH),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "code", "said"), BASES, ids=[case[0] for case in BASES])
def test_a_base_with(
    server: Server, jobs: Jobs, tmp_path: Path, name: str, change: Change, code: str, said: str
) -> None:
    other = Jobs(tmp_path, Path(copy_of(jobs.base, tmp_path / "base", change)))
    for job in (other.sft(), other.generate()):
        outcome = server.run(other.write(job))
        assert outcome.code in (10, 11), outcome.events[-2:]
        assert outcome.error["code"].startswith(code)
        assert said in outcome.error["message"]
        assert outcome.error["fix"]


def test_the_refusal_says_what_to_change(server: Server, jobs: Jobs, tmp_path: Path) -> None:
    base = Path(copy_of(jobs.base, tmp_path / "base", tokenizer_with(pad_token="[PAD]")))
    error = server.run(jobs.write(Jobs(tmp_path, base).sft())).error
    rows = json.loads((base / "config.json").read_text())["vocab_size"]
    assert f"has embeddings for {rows} tokens (ids 0 to {rows - 1}), its tokenizer knows {rows + 1}" in error["message"]
    assert f"has id {rows}" in error["message"]
    assert "resize_token_embeddings" in error["fix"]
    assert "padding may be the end token" in error["fix"]


def rows_with(text: str) -> dict[str, Callable[[Jobs], Json]]:
    """Jobs whose second row has the text, by kind and field."""
    good = question(1)

    def sft(field: str) -> Callable[[Jobs], Json]:
        row = {"prompt": good["prompt"], "completion": good["yes"]}
        rows = [row, row | {field: row[field] + text}, row]
        return lambda jobs: jobs.sft(trainFile=write_rows(jobs.folder / "t", rows))

    def dpo(field: str) -> Callable[[Jobs], Json]:
        row = {"prompt": good["prompt"], "chosen": good["yes"], "rejected": good["no"]}
        rows = [row, row | {field: row[field] + text}, row]
        return lambda jobs: jobs.dpo(str(jobs.folder / "adapter"), pairsFile=write_rows(jobs.folder / "p", rows))

    def generate(field: str) -> Callable[[Jobs], Json]:
        rows = [{"id": str(number), "prompt": "is it"} for number in range(3)]
        rows[1][field] += text
        return lambda jobs: jobs.generate(promptsFile=write_rows(jobs.folder / "g", rows))

    def attribute(field: str) -> Callable[[Jobs], Json]:
        rows = [attributable(str(number), "is it") for number in range(3)]
        rows[1][field] += text
        return lambda jobs: jobs.attribute(itemsFile=write_rows(jobs.folder / "a", rows))

    fields = {
        **{f"sft {field}": sft(field) for field in ("prompt", "completion")},
        **{f"dpo {field}": dpo(field) for field in ("prompt", "chosen", "rejected")},
        **{f"generate {field}": generate(field) for field in ("id", "prompt")},
        **{f"attribute {field}": attribute(field) for field in ("prompt", "answer", "other")},
    }
    return fields


HALVES = rows_with(f" {HALF} ")
EXTRAS = {name: job for name, job in rows_with(EXTRA).items() if not name.endswith((" id", " answer", " other"))}


def with_adapter(jobs: Jobs, adapter: str) -> None:
    shutil.copytree(adapter, jobs.folder / "adapter")


@pytest.mark.parametrize("name", HALVES)
def test_half_a_character_is_refused(server: Server, jobs: Jobs, sft_adapter: str, name: str) -> None:
    with_adapter(jobs, sft_adapter)
    outcome = server.run(jobs.write(HALVES[name](jobs)))
    assert (outcome.code, outcome.error["code"]) == (11, "invalidText")
    assert f"row 2, field '{name.split()[1]}' holds half a character (\\ud83d" in outcome.error["message"]


@pytest.mark.parametrize("name", EXTRAS)
def test_a_text_with_a_token_that_the_base_has_not(
    server: Server, jobs: Jobs, tmp_path: Path, base: Path, sft_adapter: str, name: str
) -> None:
    other = Jobs(tmp_path, Path(copy_of(base, tmp_path / "base", tokenizer_with(tokens=[EXTRA]))))
    with_adapter(other, sft_adapter)
    (other.folder / "adapter" / "ratchet.json").unlink()  # of the base with its own tokenizer
    outcome = server.run(other.write(EXTRAS[name](other)))
    assert (outcome.code, outcome.error["code"]) == (11, "tokenBeyondEmbeddings")
    assert f"token '{EXTRA}' has id" in outcome.error["message"]
    assert "row 2" in outcome.error["message"] or "'1'" in outcome.error["message"]


def test_a_token_that_no_text_has_is_no_reason(server: Server, jobs: Jobs, tmp_path: Path) -> None:
    """Gemma's text models come with the tokenizer of those that see images."""
    other = Jobs(tmp_path, Path(copy_of(jobs.base, tmp_path / "base", tokenizer_with(tokens=[EXTRA]))))
    assert server.run(other.write(other.generate())).code == 0


@pytest.mark.parametrize("change", [without_pad_token, pad_is_end])
def test_the_end_token_may_pad(server: Server, jobs: Jobs, tmp_path: Path, change: Change, sft_adapter: str) -> None:
    """Rows have an end of their own, so what pads does not matter: the end token is trained all the same."""
    other = Jobs(tmp_path, Path(copy_of(jobs.base, tmp_path / "base", change)))
    outcome = server.run(other.write(other.sft()))
    assert adapter_digest(Path(outcome.result["adapterPath"])) == adapter_digest(Path(sft_adapter))


ADAPTERS: list[tuple[str, Change]] = [
    ("no configuration", delete("adapter_config.json")),
    ("an empty configuration", write("adapter_config.json", "{}")),
    ("half a configuration", cut("adapter_config.json", 40)),
    ("a configuration of another rank", edit("adapter_config.json", lambda c: c.update(r=3))),
    ("modules that are none", edit("adapter_config.json", lambda c: c.update(target_modules=["no"]))),
    ("a cut weights file", cut("adapter_model.safetensors", 100)),
    ("half a note of its base", cut("ratchet.json", 9)),
    ("a note without its base", write("ratchet.json", "{}")),
    ("a note that is a list", write("ratchet.json", "[1]")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change"), ADAPTERS, ids=[case[0] for case in ADAPTERS])
def test_an_adapter_with(
    server: Server, jobs: Jobs, tmp_path: Path, sft_adapter: str, name: str, change: Change
) -> None:
    adapter = copy_of(sft_adapter, tmp_path / "changed", change)
    for job in (jobs.dpo(adapter), jobs.generate(adapter={"path": adapter})):
        outcome = server.run(jobs.write(job))
        assert (outcome.code, outcome.error["code"]) == (10, "unloadableAdapter"), outcome.events[-2:]
        assert "adapter.path" in outcome.error["message"]


CHECKPOINTS: list[tuple[str, Change]] = [
    ("a cut adapter", cut("adapter_model.safetensors", 100)),
    ("a cut optimizer", cut("optimizer.pt", 1000)),
    ("an empty optimizer", cut("optimizer.pt", 0)),
    ("cut generators", cut("rng_state.pth", 200)),
    ("a loop state that is no JSON", write("trainer_state.json", "{")),
    ("a state without threads", edit("ratchet_state.json", lambda state: state["arithmetic"].pop("threads"))),
    ("a state that is a list", write("ratchet_state.json", "[]")),
]


@pytest.mark.parametrize(("name", "change"), CHECKPOINTS, ids=[case[0] for case in CHECKPOINTS])
def test_a_checkpoint_with(server: Server, jobs: Jobs, tmp_path: Path, name: str, change: Change) -> None:
    job = jobs.sft(optimisation={"epochs": 1})
    server.run(jobs.write(job))
    job["checkpointing"]["resumeFrom"] = copy_of(str(newest(job)), tmp_path / "changed", change)
    outcome = server.run(jobs.write(job))
    assert (outcome.code, outcome.error["code"]) == (10, "badCheckpoint"), outcome.events[-2:]


JOBS: list[tuple[str, Callable[[Jobs], Json], int, str]] = [
    ("a seed that is a word", lambda jobs: jobs.generate(promptsFile=seeded(jobs, "many")), 11, "invalidSeed"),
    ("a seed that is too large", lambda jobs: jobs.generate(promptsFile=seeded(jobs, 2**64)), 11, "invalidSeed"),
    ("a seed below zero", lambda jobs: jobs.generate(promptsFile=seeded(jobs, -1)), 11, "invalidSeed"),
    ("rows without end", lambda jobs: jobs.sft(trainFile=raw(jobs, "[" * 100_000)), 10, "notJsonLines"),
    ("bytes that are no text", lambda jobs: jobs.sft(trainFile=raw(jobs, b'{"prompt":"\xff"}')), 10, "notJsonLines"),
    ("half a character in its stop string", lambda jobs: jobs.generate(sampling={"stop": [HALF]}), 10, "invalidField"),
    ("half a character in its name", lambda jobs: jobs.sft(id=f"a{HALF}"), 10, "invalidField"),
    ("a NUL in a path", lambda jobs: jobs.sft(outputDir="/tmp/a\0b"), 10, "invalidField"),
    ("all rows cut to their padding", lambda jobs: jobs.sft(
        preflight={"maxTruncatedShare": 1}, optimisation={"maxLength": 8},
        trainFile=write_rows(jobs.folder / "t", [{"prompt": "is the red number more " * 9, "completion": " yes"}])),
     11, "zeroSupervisedTokens"),
    ("modules without weights", lambda jobs: jobs.sft(lora={"targetModules": ["self_attn"]}), 10, "unknownModule"),
    ("a folder that is a file", lambda jobs: jobs.sft(checkpointing={"directory": raw(jobs, "x")}), 10, "unusablePath"),
    ("a prompt of nothing to attribute", lambda jobs: jobs.attribute(itemsFile=write_rows(jobs.folder / "a", [
        {"id": "1", "prompt": "", "draft": [], "answer": "yes", "other": "no"}])), 11, "emptyPrompt"),
]  # fmt: skip


def seeded(jobs: Jobs, seed: object) -> str:
    return write_rows(jobs.folder / "seeded", [{"id": "a", "prompt": "is it", "seed": seed}])


def raw(jobs: Jobs, content: str | bytes) -> str:
    path = jobs.folder / "raw"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize(("name", "make", "exit_code", "code"), JOBS, ids=[case[0] for case in JOBS])
def test_a_job_with(
    server: Server, jobs: Jobs, name: str, make: Callable[[Jobs], Json], exit_code: int, code: str
) -> None:
    outcome = server.run(jobs.write(make(jobs)))
    assert (outcome.code, outcome.error["code"]) == (exit_code, code), outcome.events[-2:]
    assert outcome.error["fix"]


def test_odd_texts_are_texts(server: Server, jobs: Jobs) -> None:
    """A byte order mark, NUL, line separators, nothing at all, and a seed that NumPy does not take."""
    texts = ["a\0b", "\u2028\u2029\u0085", "\ufeff", "", "\U0001f600"]
    rows = [{"prompt": text, "completion": text} for text in texts]
    file = jobs.folder / "odd.jsonl"
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows)
    file.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    trained = server.run(jobs.write(jobs.sft(trainFile=str(file), seed=2**40)))
    assert trained.result["rows"] == len(texts) - 1  # nothing after nothing has no token to train on
    assert "emptyCompletions" in [event["code"] for event in trained.of("warning")]
    prompts = [{"id": str(number), "prompt": text} for number, text in enumerate(texts)]
    job = jobs.generate(promptsFile=write_rows(jobs.folder / "odd", prompts), seed=2**40)
    assert server.run(jobs.write(job)).result["rows"] == len(texts)


def test_events_and_rows_can_always_be_written(tmp_path: Path) -> None:
    lines: list[bytes] = []
    EventStream(lines.append, f"job {HALF}").emit("error", code="x", message=f"no {HALF} here")
    assert json.loads(lines[0])["message"] == "no \ufffd here"
    (tmp_path / "rows").write_bytes(json_line({"text": f"{HALF}\u2028"}))
    assert list(whole_lines(tmp_path / "rows")) == [{"text": "\ufffd\u2028"}]
