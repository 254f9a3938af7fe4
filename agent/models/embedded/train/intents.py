"""Train the classifier of questions: sentence vectors of MiniLM to an intent, by multinomial logistic regression.

    python -m agent.models.embedded.train.intents [--check]

reads `questions.yaml`, fills its placeholders at random with a fixed seed, and writes `rules/intents.npz`. `--check`
trains on nine tenths of the questions, by question and not by filling, ten times, and prints how many of the others are
classified correctly.
"""

from __future__ import annotations

import argparse
import random
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml

from agent.perception.annotator import embed_texts

FILLINGS, SEED, STEPS, L2 = 4, 0, 300, 1e-4
_FILL = {
    "things": "cars dogs bottles chairs birds bicycles horses boxes trees flags shoes apples cups lamps boats windows",
    "thing": "car dog bottle chair bird bicycle horse box tree flag shoe apple cup lamp boat window ball phone book",
    "person": "man woman boy girl child person player guy lady cyclist",
    "action": "running walking sitting dancing jumping eating talking smiling sleeping swimming",
    "colour": "red blue green yellow white black brown grey pink orange",
    "time": "0:05 0:12 1:30 0:00 0:45 2:10",
}
_NAME = re.compile(r"\{(\w+)\}")


def main() -> None:
    """Train and write the weights, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="cross-validate; write nothing")
    check = parser.parse_args().check
    intents, texts, labels, questions = read_questions()
    vectors = embed_texts(texts)
    if check:
        fold = np.array(questions) % 10
        right = []
        for left_out in range(10):
            weight, bias = fit(vectors[fold != left_out], labels[fold != left_out], len(intents))
            right.append((vectors[fold == left_out] @ weight + bias).argmax(1) == labels[fold == left_out])
        print(f"{np.concatenate(right).mean():.3f} of {len(texts)} fillings of {max(questions) + 1} questions")
        return
    weight, bias = fit(vectors, labels, len(intents))
    path = Path(__file__).parents[1] / "rules" / "intents.npz"
    np.savez(path, weight=weight.astype(np.float16), bias=bias.astype(np.float16), intents=np.array(intents))
    print(f"{path.name}: {len(intents)} intents from {len(texts)} texts")


def read_questions() -> tuple[list[str], list[str], np.ndarray, list[int]]:
    """Return the intents, and each filled question with the index of its intent and of the question it was made of."""
    chooser = random.Random(SEED)
    by_intent: dict[str, list[str]] = yaml.safe_load((files(__package__) / "questions.yaml").read_text("utf-8"))
    texts, labels, numbers = [], [], []
    number = 0
    for label, questions in enumerate(by_intent.values()):
        for question in questions:
            filled = {_filled(question, chooser) for _ in range(FILLINGS if _NAME.search(question) else 1)}
            texts += sorted(filled)
            labels += [label] * len(filled)
            numbers += [number] * len(filled)
            number += 1
    return list(by_intent), texts, np.array(labels), numbers


def fit(vectors: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit weights (384, classes) and biases (classes,); each class counts the same in all."""
    import torch

    torch.manual_seed(SEED)
    x, y = torch.from_numpy(vectors), torch.from_numpy(labels)
    share = torch.bincount(y, minlength=classes).float()
    weight = torch.zeros(vectors.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=STEPS)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(x @ weight + bias, y, (share.mean() / share).sqrt())
        value = value + L2 * (weight**2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    return weight.detach().numpy(), bias.detach().numpy()


def _filled(question: str, chooser: random.Random) -> str:
    return _NAME.sub(lambda match: chooser.choice(_FILL[match[1]].split()), question)


if __name__ == "__main__":
    main()
