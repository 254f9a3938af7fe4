"""Prompts, in our wording; `--set prompt=FILE` loads others, such as the authors'."""

PROMPTS = {
    "choice": (
        "Choose the option that answers the question about the video. Write its letter and nothing else.\n\n"
        "Question: {question}\nOptions: {options}\n\nLetter:"
    ),
    "count": (
        "How many times has this happened in the video so far, whoever did it: {activity}? "
        "Count complete ones only. Write one number and nothing else."
    ),
    "step": (
        "This is a step of what the video teaches: {step}\n"
        "Is somebody carrying out this step right now? Write Yes or No and nothing else."
    ),
    "enough": (
        "A question about what happens now: {question}\n"
        "Have the frames so far, the newest ones above all, shown enough to answer it? "
        "Write Yes or No and nothing else."
    ),
}
