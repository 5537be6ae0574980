"""The job file's contract: bad input is refused with field and fix; the tables of both languages agree."""

import re
from pathlib import Path
from typing import Any

import pytest

from ratchet_trainer.errors import InvalidJobError
from ratchet_trainer.exit_codes import EXIT_CODES
from ratchet_trainer.job import DpoJob, GenerateJob, SftJob, load_job, parse_job

from .job_files import Jobs

CONTRACT = Path(__file__).parents[2] / "config" / "trainer-job.ts"


def test_exit_codes_match_the_contract() -> None:
    table = CONTRACT.read_text("utf-8").split("trainerExitCodes = {")[1].split("}")[0]
    assert {name: int(code) for name, code in re.findall(r"(\w+): (\d+)", table)} == EXIT_CODES


def test_reads_every_kind(jobs: Jobs) -> None:
    sft = load_job(jobs.write(jobs.sft()))
    assert isinstance(sft, SftJob)
    assert (sft.optimisation.window, sft.lora.target_modules[0], sft.adapter) == (8, "q_proj", None)
    dpo = parse_job(jobs.dpo("/some/adapter"))
    assert isinstance(dpo, DpoJob)
    assert (dpo.stages[2].drop_noisiest_share, dpo.stages[0].cal_lambda, dpo.adapter.path) == (
        0.15,
        1.0,
        "/some/adapter",
    )
    generate = parse_job(jobs.generate())
    assert isinstance(generate, GenerateJob)
    assert generate.sampling.max_new_tokens == 12


@pytest.mark.parametrize(
    ("changes", "message", "fix"),
    [
        ({"optimisation": {"learningRate": -1}}, "optimisation.learningRate", "exclusiveMinimum"),
        ({"optimisation": {"learninRate": 1}}, "optimisation.learninRate: unknown field", "learningRate"),
        ({"lora": {"r": "16"}}, "lora.r: '16' is not of type 'integer'", "integer"),
        ({"trainFile": None}, "trainFile: missing", "required"),
        ({"base": {"quantization": "int8"}}, "base.quantization: 'int8' is not one of", "nf4"),
        ({"reportTo": ["mlflo"]}, "reportTo.0: 'mlflo'", "mlflow"),
        ({"checkpointing": {"everySteps": 0}}, "checkpointing.everySteps", "minimum"),
        ({"kind": "stf"}, "kind: 'stf' is none of sft, dpo, generate", "kind"),
    ],
)
def test_names_field_and_fix(jobs: Jobs, changes: dict[str, Any], message: str, fix: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        parse_job(jobs.sft(**changes))
    assert message in caught.value.message
    assert fix in (caught.value.fix or "")
    assert caught.value.exit_code == 10


def test_refuses_what_is_no_job_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidJobError, match="No such file"):
        load_job(tmp_path / "absent.json")
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(InvalidJobError, match=r"job\.json"):
        load_job(tmp_path / "job.json")
    with pytest.raises(InvalidJobError, match="kind"):
        parse_job([])
