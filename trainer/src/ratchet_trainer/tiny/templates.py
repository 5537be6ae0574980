"""The texts that the base model rehearses: the programme's own prompts and the student's draft format."""

DRAFT_PROMPT = "Question: {question}\nStudent draft:"
DIRECT_PROMPT = "Question: {question}\nAnswer:"
REASONING_PROMPT = "Question: {question}\nStudent draft: {draft}\nReasoning:"
REASONING_PROMPT_NO_DRAFT = "Question: {question}\nReasoning:"
DRAFT = "Answer: {answer} - {reason}\nQuestions: {asks}"
