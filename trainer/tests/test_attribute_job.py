"""Attribution jobs through the fork server."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ratchet_trainer.attribute import run_attribute
from ratchet_trainer.attribution import Attributor
from ratchet_trainer.events import EventStream
from ratchet_trainer.interrupts import Interrupts
from ratchet_trainer.job import AttributeJob, parse_job

from .fork_server import Json, Server
from .job_files import Jobs, attributable, question, write_rows


def rows_of(job: Json) -> list[Json]:
    return [json.loads(line) for line in Path(job["outputFile"]).read_text().splitlines()]


def mass(row: Json, *, draft: bool = False) -> float:
    return sum(abs(token["attribution"]) for token in row["tokens"] if token["draft"] or not draft)


def test_the_attributions_account_for_the_score(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    job = jobs.attribute(adapter={"path": sft_adapter})
    outcome = server.run(jobs.write(job))
    assert outcome.result == outcome.result | {"outputFile": job["outputFile"], "rows": 6}
    assert [event["done"] for event in outcome.of("generated")] == [1, 2, 3, 4, 5, 6]
    rows = rows_of(job)
    assert [row["id"] for row in rows] == [f"q{number}" for number in range(6)]
    for row in rows:
        error = sum(token["attribution"] for token in row["tokens"]) - (row["score"] - row["baselineScore"])
        assert abs(error) < 0.02 * mass(row)
        assert 0 < mass(row, draft=True) < mass(row)
    server.run(jobs.write(jobs.attribute()))
    assert rows_of(job) != rows  # the adapter makes the difference


def test_bfloat16_says_about_the_same(server: Server, jobs: Jobs) -> None:
    shares: list[list[float]] = []
    for dtype in ("float32", "bfloat16"):
        job = jobs.attribute(base={"quantization": "none", "dtype": dtype})
        assert server.run(jobs.write(job)).code == 0
        shares.append([mass(row, draft=True) / mass(row) for row in rows_of(job)])
    assert shares[0] == pytest.approx(shares[1], abs=0.1)


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_stopped_in_the_middle_it_goes_on(server: Server, jobs: Jobs, signal: str) -> None:
    rows = [attributable(f"q{number}", question(number)["prompt"] + " x" * number) for number in range(8)]
    file = write_rows(jobs.folder / "many.jsonl", rows)
    job = jobs.attribute(itemsFile=file, steps=128)
    assert server.run(jobs.write(job)).code == 0
    whole = rows_of(job)
    Path(job["outputFile"]).unlink()

    def stop(event: Json, send: Any) -> None:
        if event["event"] == "generated" and event["done"] == 3:
            send(signal)

    assert server.run(jobs.write(job), stop).code == (137 if signal == "KILL" else 30)
    assert not Path(job["outputFile"]).exists()
    assert server.run(jobs.write(job)).of("generated")[0]["done"] >= 4
    assert rows_of(job) == whole
    assert not list(jobs.folder.glob("*.partial"))


def test_less_memory_means_fewer_points_at_once(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(**changes: Any) -> tuple[list[Json], list[Json]]:
        job = parse_job(jobs.attribute(**changes))
        assert isinstance(job, AttributeJob)
        said: list[Json] = []
        run_attribute(job, EventStream(lambda line: said.append(json.loads(line)), job.id), Interrupts(), 0.0)
        return rows_of({"outputFile": job.output_file}), [event for event in said if event["event"] == "warning"]

    expected, silent = run(batchSize=2)
    assert silent == []
    whole_row = Attributor.row

    def row_in_little_memory(self: Attributor, item: Any, encoded: Any, points: int) -> Json:
        if points > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole_row(self, item, encoded, points)

    monkeypatch.setattr(Attributor, "row", row_in_little_memory)
    rows, warnings = run(batchSize=8)
    assert rows == expected
    assert [event["code"] for event in warnings] == ["smallerBatch", "smallerBatch"]


def test_refusals(server: Server, jobs: Jobs) -> None:
    row = attributable("a", "x")

    def items(*rows: Json) -> str:
        return write_rows(jobs.folder / f"{len(rows)}-{rows[-1].get('draft')}.jsonl", list(rows))

    cases: list[tuple[Json, int, str]] = [
        (jobs.attribute(itemsFile=items(row, row)), 11, "duplicateId"),
        (jobs.attribute(itemsFile=items({"id": "a"})), 11, "missingField"),
        (jobs.attribute(itemsFile=items(row | {"draft": [[0, 9999]]})), 11, "missingField"),
        (jobs.attribute(itemsFile=items(row | {"draft": "x"})), 11, "missingField"),
        (jobs.attribute(adapter={"path": "/nowhere"}), 10, "noAdapter"),
        (jobs.attribute(steps=0), 10, "invalidField"),
    ]
    for job, code, name in cases:
        outcome = server.run(jobs.write(job))
        assert (outcome.code, outcome.error["code"]) == (code, name)
        assert outcome.error["fix"]
