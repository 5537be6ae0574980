"""Generation jobs through the fork server."""

import json
from pathlib import Path
from typing import Any

from .fork_server import Json, Server
from .job_files import Jobs, question, write_rows


def texts(job: Json) -> list[Json]:
    return [json.loads(line) for line in Path(job["outputFile"]).read_text().splitlines()]


def test_writes_rows_in_input_order(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    job = jobs.generate(adapter={"path": sft_adapter})
    outcome = server.run(jobs.write(job))
    assert outcome.result == outcome.result | {"outputFile": job["outputFile"], "rows": 10}
    rows = texts(job)
    assert [row["id"] for row in rows] == [f"q{number}" for number in range(10)]
    assert all(set(row) == {"id", "text", "tokens", "finish"} and row["finish"] in ("stop", "length") for row in rows)
    assert [event["done"] for event in outcome.of("generated")] == [4, 8, 10]
    assert not list(jobs.folder.glob("*.partial"))
    server.run(jobs.write(jobs.generate(adapter=None)))
    assert texts(job) != rows  # the adapter makes the difference


def test_the_adapter_answers_as_trained(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    prompts = [{"id": f"q{number}", "prompt": question(number)["prompt"]} for number in range(10)]
    file = write_rows(jobs.folder / "trained.jsonl", prompts)
    rows = texts_of(server, jobs, adapter={"path": sft_adapter}, promptsFile=file)
    assert sum(row["text"] in (" yes", " no") and row["finish"] == "stop" for row in rows) >= 8


def texts_of(server: Server, jobs: Jobs, **changes: Any) -> list[Json]:
    job = jobs.generate(**changes)
    assert server.run(jobs.write(job)).code == 0
    return texts(job)


def test_samples_follow_their_seeds(server: Server, jobs: Jobs) -> None:
    hot = {"temperature": 1.0}
    first = texts_of(server, jobs, sampling=hot)
    assert texts_of(server, jobs, sampling=hot, batchSize=10) == first  # not the batch
    assert texts_of(server, jobs, sampling=hot, seed=1) != first
    prompts = [{"id": name, "prompt": "red", "seed": seed} for name, seed in (("a", 5), ("b", 5), ("c", 6))]
    rows = texts_of(server, jobs, sampling=hot, promptsFile=write_rows(jobs.folder / "seeds.jsonl", prompts))
    assert rows[0]["text"] == rows[1]["text"] != rows[2]["text"]


def test_killed_in_the_middle_it_goes_on(server: Server, jobs: Jobs) -> None:
    job = jobs.generate(batchSize=2)
    whole = texts_of(server, jobs, batchSize=2)
    Path(job["outputFile"]).unlink()

    def kill(event: Json, send: Any) -> None:
        if event["event"] == "generated" and event["done"] == 4:
            send("KILL")

    assert server.run(jobs.write(job), kill).code == 137
    assert not Path(job["outputFile"]).exists()
    with open(f"{job['outputFile']}.partial", "ab") as partial:
        partial.write(b'{"id": "q9", "te')  # a write that the kill cut
    resumed = server.run(jobs.write(job))
    assert resumed.of("generated")[0]["done"] >= 6
    assert texts(job) == whole


def test_texts_of_another_job_are_not_reused(server: Server, jobs: Jobs) -> None:
    job = jobs.generate()
    stale = [{"key": "another"}, {"id": "q0", "text": "stale", "tokens": 1, "finish": "stop"}]
    write_rows(Path(f"{job['outputFile']}.partial"), stale)
    assert texts_of(server, jobs)[0]["text"] != "stale"


def test_refusals(server: Server, jobs: Jobs) -> None:
    rows = [{"id": "a", "prompt": "x"}, {"id": "a", "prompt": "y"}]
    cases: list[tuple[Json, int, str]] = [
        (jobs.generate(engine="vllm"), 10, "engineMissing"),
        (jobs.generate(adapter={"path": "/nowhere"}), 10, "noAdapter"),
        (jobs.generate(promptsFile=write_rows(jobs.folder / "twice.jsonl", rows)), 11, "duplicateId"),
        (jobs.generate(promptsFile=write_rows(jobs.folder / "no.jsonl", [{"id": "a"}])), 11, "missingField"),
        (jobs.generate(base={"path": "/nowhere"}), 10, "noBase"),
    ]
    for job, code, name in cases:
        outcome = server.run(jobs.write(job))
        assert (outcome.code, outcome.error["code"]) == (code, name)
        assert outcome.error["fix"]
