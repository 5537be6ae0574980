"""bespokelabs-curator over its OpenAI backend: prompts in, rows out. Its own limits are opened wide unless RPM is set."""

import json
import os
import time
from pathlib import Path

os.environ["TELEMETRY_ENABLED"] = "false"
os.environ["CURATOR_DISABLE_RICH_DISPLAY"] = "1"
os.environ["CURATOR_CACHE_DIR"] = os.environ["STATE"]
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

# It would fetch the tokeniser from the internet; litellm has the same file.
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers")

from bespokelabs import curator
from datasets import Dataset


class Teacher(curator.LLM):
    def prompt(self, row):
        return row["prompt"]

    def parse(self, row, response):
        return {"id": row["id"], "text": response}


prompts = [json.loads(line) for line in open(os.environ["PROMPTS"], encoding="utf-8")]
limits = {
    "base_url": os.environ["OPENAI_BASE_URL"],
    "max_concurrent_requests": int(os.environ["CONCURRENCY"]),
    "max_tokens_per_minute": 1_000_000_000,
    "max_requests_per_minute": int(os.environ.get("RPM") or 1_000_000_000),
}
teacher = Teacher(model_name="teacher", backend="openai", backend_params=limits)
data = Dataset.from_list(prompts)
started_at = time.monotonic()
answers = teacher(data)
seconds = time.monotonic() - started_at
rows = [{"id": row["id"], "text": row["text"]} for row in getattr(answers, "dataset", answers)]
Path(os.environ["OUT"]).write_text(json.dumps({"seconds": seconds, "rows": len(rows)}))
