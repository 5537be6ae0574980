"""The texts that the base model rehearses: the programme's own prompts and the student's draft format."""

DRAFT_PROMPT = "Question: {question}\nStudent draft:"
DIRECT_PROMPT = "Question: {question}\nAnswer:"
REASONING_PROMPT = "Question: {question}\nStudent draft: {draft}\nReasoning:"
REASONING_PROMPT_NO_DRAFT = "Question: {question}\nReasoning:"
DRAFT = "Answer: {answer} - {reason}\nQuestions: {asks}"
ANALYSIS = "## Teaching Analysis\nThe student answers {answer}. The facts decide.\n\n"
FINAL = "\n\n## Final Assessment\nBased on this analysis, the answer is: **{answer}**"
