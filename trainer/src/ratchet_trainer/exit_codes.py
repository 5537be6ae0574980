"""Exit codes of the trainer; `config/trainer-job.ts` holds the same table and a test compares the two."""

EXIT_CODES: dict[str, int] = {
    "ok": 0,
    "unexpected": 1,
    "invalidJob": 10,
    "preflightRefused": 11,
    "outOfMemory": 20,
    "diverged": 21,
    "interrupted": 30,
    "diskFull": 40,
}
"""Name to process exit code. 10 and 11 are permanent, 20 asks for a smaller micro-batch, 30 for a resume."""
