# pyright: basic
"""SFT jobs through the fork server."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from ratchet_trainer.base_model import load_tokenizer
from ratchet_trainer.digests import adapter_digest, base_digest
from ratchet_trainer.files import sha256_of

from .fork_server import Server
from .job_files import Jobs, question, write_rows


def test_trains_and_leaves_a_whole_adapter(server: Server, jobs: Jobs) -> None:
    outcome = server.run(jobs.write(jobs.sft()))
    result = outcome.result
    steps = outcome.of("step")
    assert [event["step"] for event in steps] == list(range(1, 13))  # 30 rows, 8 a step, 3 epochs
    assert steps[-1]["loss"] < steps[0]["loss"] / 2
    tokenizer = load_tokenizer(jobs.base)
    rows = [question(number) for number in range(30)]
    tokens = sum(len(tokenizer(row["prompt"] + row["yes"])["input_ids"]) + 1 for row in rows)
    assert steps[-1]["tokens"] == 3 * tokens
    assert outcome.of("started")[0]["totalSteps"] == 12
    assert [event["step"] for event in outcome.of("checkpoint")] == [3, 6, 9]
    folder = Path(result["adapterPath"])
    assert {file.name for file in folder.iterdir()} >= {
        "adapter_config.json",
        "adapter_model.safetensors",
        "ratchet.json",
    }
    provenance = json.loads((folder / "ratchet.json").read_text())
    assert provenance["base"]["digest"] == base_digest(jobs.base)
    assert provenance["steps"] == 12
    assert result["supervisedTokens"] == 60  # one word and the end token per row
    assert result["trainableParameters"] == 2 * 8 * (64 + 64 + 96)  # layers * r * (in + out of q, v, down)
    assert result["rows"] == 30
    assert (Path(jobs.sft()["outputDir"]) / "trainer.log").exists()


def test_same_seed_same_bytes(server: Server, jobs: Jobs) -> None:
    first = adapter_digest(Path(server.run(jobs.write(jobs.sft())).result["adapterPath"]))
    second = adapter_digest(Path(server.run(jobs.write(jobs.sft())).result["adapterPath"]))
    other = adapter_digest(Path(server.run(jobs.write(jobs.sft(seed=1))).result["adapterPath"]))
    assert first == second != other


def test_micro_batches_do_not_change_the_step(server: Server, jobs: Jobs) -> None:
    """The window is normalised as a whole, so its split is only a matter of memory."""
    losses = []
    for size, accumulation in ((8, 1), (2, 4)):
        job = jobs.sft(lora={"dropout": 0}, optimisation={"batchSize": size, "gradientAccumulation": accumulation})
        losses.append([event["loss"] for event in server.run(jobs.write(job)).of("step")])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_packing_does_not_change_the_step(server: Server, jobs: Jobs) -> None:
    runs = [
        [event["loss"] for event in server.run(jobs.write(jobs.sft(lora={"dropout": 0}, packing=packing))).of("step")]
        for packing in (False, True)
    ]
    assert runs[0] == pytest.approx(runs[1], abs=1e-4)


def test_weights_weigh(server: Server, jobs: Jobs) -> None:
    """Rows of weight 0 teach nothing: the run equals one in which they say something else."""
    job = jobs.sft(lora={"dropout": 0})
    digests = []
    for word in (" yes", " no"):
        rows = [question(number) for number in range(16)]
        weighted = [
            {"prompt": row["prompt"], "completion": row["yes"] if number % 2 else word, "weight": float(number % 2)}
            for number, row in enumerate(rows)
        ]
        job["trainFile"] = write_rows(jobs.folder / "weighted.jsonl", weighted)
        digests.append(adapter_digest(Path(server.run(jobs.write(job)).result["adapterPath"])))
    assert digests[0] == digests[1]


def test_goes_on_from_an_adapter(server: Server, jobs: Jobs, sft_adapter: str) -> None:
    fresh = server.run(jobs.write(jobs.sft())).of("step")
    outcome = server.run(jobs.write(jobs.sft(adapter={"path": sft_adapter})))
    assert outcome.of("step")[0]["loss"] < (fresh[0]["loss"] + fresh[-1]["loss"]) / 2
    provenance = json.loads((Path(outcome.result["adapterPath"]) / "ratchet.json").read_text())
    assert provenance["parentAdapter"] == adapter_digest(Path(sft_adapter))


def test_early_stopping_keeps_the_best_epoch(server: Server, jobs: Jobs) -> None:
    """The held-out rows say the opposite of the training rows: the better training goes, the worse they fit."""
    held_out = [{"prompt": row["prompt"], "completion": row["no"]} for row in map(question, range(30))]
    job = jobs.sft(
        optimisation={"epochs": 12},
        evalFile=write_rows(jobs.folder / "eval.jsonl", held_out),
        earlyStopping={"patienceEpochs": 2},
    )
    outcome = server.run(jobs.write(job))
    losses = [event["loss"] for event in outcome.of("eval")]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 12
    assert outcome.result["bestEpoch"] == best + 1
    assert outcome.result["evalLoss"] == min(losses)
    best_state = Path(outcome.of("checkpoint")[-1]["path"]) / "best_adapter.safetensors"
    assert adapter_digest(Path(outcome.result["adapterPath"])) == sha256_of(best_state)


def test_divergence_ends_the_job(server: Server, jobs: Jobs) -> None:
    outcome = server.run(jobs.write(jobs.sft(optimisation={"learningRate": 1e30, "warmupShare": 0, "epochs": 20})))
    assert outcome.code == 21
    assert outcome.error["code"] == "diverged"
    assert "learningRate" in outcome.error["fix"]
    assert not (Path(jobs.sft()["outputDir"]) / "adapter").exists()


def test_tensorboard(server: Server, jobs: Jobs) -> None:
    server.run(jobs.write(jobs.sft(reportTo=["tensorboard"])))
    assert list((Path(jobs.sft()["outputDir"]) / "tensorboard").glob("events.out.*"))


def test_refusals_come_before_training(server: Server, jobs: Jobs, sft_adapter: str, other_base: Path) -> None:
    wrong = jobs.sft(adapter={"path": sft_adapter}, base={"path": str(other_base)})
    long = jobs.sft(optimisation={"maxLength": 8})
    for job, code, name in ((wrong, 11, "adapterOfAnotherBase"), (long, 11, "tooManyTruncated")):
        outcome = server.run(jobs.write(job))
        assert (outcome.code, outcome.error["code"]) == (code, name)
        assert outcome.error["fix"]
        assert not outcome.of("step")


def test_adapter_loads_in_peft(sft_adapter: str) -> None:
    tensors = load_file(Path(sft_adapter) / "adapter_model.safetensors")
    assert len(tensors) == 2 * 3 * 2
    assert all(str(tensor.dtype) == "torch.float32" for tensor in tensors.values())
