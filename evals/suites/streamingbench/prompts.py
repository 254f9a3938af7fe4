"""Prompts, in our wording; `--set prompt=FILE` loads others, such as the authors'."""

PROMPTS = {
    "choice": (
        "Choose the option that answers the question about the video at this moment. "
        "Write its letter (A, B, C or D) and nothing else.\n\nQuestion: {question}\n{options}\n\nLetter:"
    ),
    "sequence": (
        "{context}Choose the option that answers the question about the video at this moment. "
        "Write its letter (A, B, C or D) and nothing else.\n\nQuestion: {question}\n{options}\n\nLetter:"
    ),
    "wait": (
        "This was asked for: {question}\n"
        'Look at the newest frames. Is this the moment to put out "{output}"? Write yes or no and nothing else.'
    ),
    "speak": "The moment has come. Do what was asked for, and write nothing else: {question}",
}
