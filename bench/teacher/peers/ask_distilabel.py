"""distilabel: TextGeneration over OpenAILLM. Its concurrency is the size of a batch."""

import json
import os
import time
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

if __name__ == "__main__":
    prompts = [json.loads(line) for line in open(os.environ["PROMPTS"], encoding="utf-8")]
    data = [{"id": prompt["id"], "instruction": prompt["prompt"]} for prompt in prompts]
    size = int(os.environ["CONCURRENCY"])
    with Pipeline(name="teacher", cache_dir=os.environ["STATE"]) as pipeline:
        load = LoadDataFromDicts(name="load", data=data, batch_size=size)
        llm = OpenAILLM(model="teacher", base_url=os.environ["OPENAI_BASE_URL"], api_key="any")
        load >> TextGeneration(name="ask", llm=llm, input_batch_size=size)
    started_at = time.monotonic()
    answers = pipeline.run(use_cache=False)["default"]["train"]
    seconds = time.monotonic() - started_at
    rows = [row for row in answers if row["generation"]]
    Path(os.environ["OUT"]).write_text(json.dumps({"seconds": seconds, "rows": len(rows)}))
