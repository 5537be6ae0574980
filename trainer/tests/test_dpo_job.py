"""DPO jobs through the fork server."""

import json
import math
from pathlib import Path

import pytest

from ratchet_trainer.digests import adapter_digest
from ratchet_trainer.reference import REFERENCE_FILE

from .fork_server import Json, Server
from .job_files import Jobs, write_rows

PLAIN = {"epochs": 1, "beta": 0.1, "loss": "dpo", "dropNoisiestShare": 0.0}


def test_schedule(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    outcome = server.run(jobs.write(jobs.dpo(sft_adapter)))
    steps = outcome.of("step")
    assert len(steps) == 3 + 3 + 2  # 20 pairs, then 17 kept, 8 a step; one pair alone has no mean but its own
    assert [event["beta"] for event in steps] == [0.05] * 3 + [0.1] * 5
    assert [event["pairs"] for event in steps] == [8, 8, 4, 8, 8, 4, 8, 9]
    # The warm-up's first learning rate is 0: until the second step is done, policy and reference are one.
    for event in steps[:2]:
        assert event["loss"] == pytest.approx(math.log(2), abs=1e-5)
        assert event["margin"] == pytest.approx(0, abs=1e-4)
    assert steps[-1]["margin"] > 0.01
    assert steps[-1]["accuracy"] > 0.5
    assert steps[0]["chosenLogp"] < 0
    assert steps[0]["chosenRatio"] == pytest.approx(0, abs=1e-4)
    assert steps[-1]["chosenRatio"] != 0
    dropped = outcome.of("warning")
    assert [event["code"] for event in dropped] == ["pairsDropped"]
    assert "3 of 20 pairs" in dropped[0]["message"]
    assert outcome.result["steps"] == 8
    provenance = json.loads((Path(outcome.result["adapterPath"]) / "ratchet.json").read_text())
    assert provenance["parentAdapter"] == adapter_digest(Path(sft_adapter))
    names = [file.name for file in (Path(outcome.result["adapterPath"])).iterdir()]
    assert "ref" not in names


@pytest.mark.parametrize("quantization", ["nf4", "none"])
def test_policy_and_reference_are_one_before_the_first_update(
    server: Server, jobs: Jobs, sft_adapter: str, quantization: str
) -> None:
    """In bfloat16 too, to the last bit: both are scored in the same precision."""
    base = {"dtype": "bfloat16", "quantization": quantization}
    stages = [PLAIN | {"loss": loss} for loss in ("dpo", "cal-dpo")]
    outcome = server.run(jobs.write(jobs.dpo(sft_adapter, base=base, stages=stages)))
    for event in outcome.of("step")[:2]:  # the warm-up's first learning rate is 0
        assert (event["margin"], event["chosenRatio"]) == (0, 0)
        assert event["loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_checkpoints_carry_the_reference(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    outcome = server.run(jobs.write(jobs.dpo(sft_adapter)))
    folder = Path(outcome.of("checkpoint")[-1]["path"])
    rows = (folder / REFERENCE_FILE).read_text().splitlines()
    assert len(rows) == 1 + 20
    state = json.loads((folder / "ratchet_state.json").read_text())
    assert state["reference_digest"] == adapter_digest(Path(sft_adapter))


@pytest.mark.parametrize("loss", ["cal-dpo", "dr-dpo-published", "cal-dpo-published"])
def test_batch_statistics_are_gathered_over_the_step(server: Server, jobs: Jobs, sft_adapter: str, loss: str) -> None:
    """Micro-batches of one pair give the very step of one large batch, gradient included."""
    runs: list[list[Json]] = []
    for size, accumulation in ((8, 1), (1, 8)):
        shape = {"batchSize": size, "gradientAccumulation": accumulation, "warmupShare": 0}
        job = jobs.dpo(sft_adapter, stages=[PLAIN | {"epochs": 3, "loss": loss}], optimisation=shape)
        runs.append(server.run(jobs.write(job)).of("step"))
    for name, tolerance in (("loss", 1e-3), ("gradNorm", 2e-2)):
        values = [[event[name] for event in steps] for steps in runs]
        assert values[0] == pytest.approx(values[1], rel=tolerance)


def test_published_cal_dpo_starts_at_its_formula(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    """At h_w = h_l = 0: log 2 + λ·2/(2β)²."""
    job = jobs.dpo(sft_adapter, stages=[PLAIN | {"loss": "cal-dpo-published", "calLambda": 0.5}])
    assert server.run(jobs.write(job)).of("step")[0]["loss"] == pytest.approx(math.log(2) + 0.5 * 2 * 25, rel=1e-4)


def test_one_pair_a_step_has_no_statistics(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    shape = {"batchSize": 1, "gradientAccumulation": 1}
    job = jobs.dpo(sft_adapter, stages=[PLAIN | {"loss": "dr-dpo-published"}], optimisation=shape)
    outcome = server.run(jobs.write(job))
    assert (outcome.code, outcome.error["code"]) == (11, "batchTooSmall")
    assert server.run(jobs.write(jobs.dpo(sft_adapter, stages=[PLAIN], optimisation=shape))).code == 0


def test_warns_of_pairs_that_teach_nothing(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    rows = [{"prompt": "q?", "chosen": " yes", "rejected": rejected} for rejected in (" yes", " no")]
    job = jobs.dpo(sft_adapter, stages=[PLAIN], pairsFile=write_rows(jobs.folder / "same.jsonl", rows))
    warning = server.run(jobs.write(job)).of("warning")[0]
    assert warning["code"] == "identicalPairs"
    assert "1 of 2" in warning["message"]


def test_half_a_reference_is_gone_on_with(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    job = jobs.dpo(sft_adapter, stages=[PLAIN])
    whole = adapter_digest(Path(server.run(jobs.write(job)).result["adapterPath"]))
    file = Path(job["outputDir"]) / REFERENCE_FILE
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:9]) + lines[9][:7])  # cut in the middle of a row
    assert adapter_digest(Path(server.run(jobs.write(job)).result["adapterPath"])) == whole
    assert sorted(file.read_text().splitlines()) == sorted("".join(lines).splitlines())
    other = [line.replace('"chosen": -', '"chosen": -9') for line in lines]
    file.write_text("".join(['{"key": "of another adapter"}\n', *other[1:]]))
    assert adapter_digest(Path(server.run(jobs.write(job)).result["adapterPath"])) == whole
