"""The training loop: answer tokens' cross-entropy, over the low-rank adapter and the projector alone."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.models.embedded.imagenet import concepts
from agent.models.embedded.networks import transformer
from agent.models.embedded.networks.language import END_TURN, Language, load_adapter, turn
from agent.models.embedded.networks.vision import TOKENS, see, shown, tag_table, visual_tokens
from agent.models.embedded.train.concepts import class_ids, noun_phrases
from agent.models.embedded.train.data import FrameOf, Sample, Samples, mixed_classes
from memory.stream.encoders import shared_extractor
from tools.errors import ModelError

if TYPE_CHECKING:
    import torch

VALIDATION, FINAL = 7, 17
"""Classes whose index modulo 20 is one of these are never trained on."""


@dataclass(frozen=True)
class Settings:
    """What a run is given; see `__main__`."""

    pictures: Path
    wordnet: Path
    minutes: float
    batch: int
    rate: float
    start: Path
    out: Path
    device: str = "cpu"
    seed: int = 0
    check_every: int = 100


class Trainee:
    """The model under training: projector and adapter with gradients, everything else frozen."""

    def __init__(self, settings: Settings) -> None:
        self.projector, lora = load_adapter(settings.start)
        self.language = Language(lora, settings.device)
        self.device = settings.device
        vocabulary = concepts()
        embed = self.language.base["embed"]
        self.tags = tag_table(embed, [self.language.token_ids(f" {tag}") for tag in vocabulary.tags])
        self.projector = {name: tensor.to(self.device).requires_grad_() for name, tensor in self.projector.items()}
        for tensor in self.language.lora.values():
            tensor.requires_grad_()
        self.pictures = _read_pictures(settings.pictures)
        self._random = random.Random(settings.seed)

    def visual(self, frame: FrameOf) -> torch.Tensor:
        """Return the tokens of a true or a pseudo-frame, with gradients into the projector."""
        import torch

        if frame.picture is not None:
            features, classes = self.pictures[frame.picture]
            mixed = torch.from_numpy(mixed_classes(classes.astype(np.float32), self._random)).to(self.device)
            keep = float(self._random.random() < 0.5)  # half of the time the tags speak alone
            tokens = visual_tokens(
                self.projector, self.tags, features.float().to(self.device), mixed.float(), detail=keep
            )
            return shown(tokens, frame.detail)
        embed = self.language.base["embed"]
        words = embed[self.language.token_ids(f" {frame.phrase}")].mean(0)
        count = TOKENS[frame.detail]
        sure = torch.rand(count, 1, device=self.device) * 0.7 + 0.25
        sure[0] = sure[0].clamp(min=0.4)
        others = self.tags[torch.randint(len(self.tags), (count, 3), device=self.device)].mean(1)
        scale = self.tags.norm(dim=1).mean() / transformer.WIDTH**0.5
        mixed = (
            sure * words + (1 - sure) * others + 0.3 * scale * torch.randn(count, transformer.WIDTH, device=self.device)
        )
        position = shown(self.projector["position"], frame.detail)
        return position + self.projector["gate"] * mixed

    def prompt(self, sample: Sample, frames: list[torch.Tensor]) -> torch.Tensor:
        """Return the embeddings of a sample's prompt, (tokens, 576)."""
        from tools.media.clock import format_clock

        parts: list[Any] = []
        for frame, tokens in zip(sample.frames, frames, strict=True):
            parts += [*([] if frame.t_s is None else [f"[{format_clock(frame.t_s)}]"]), tokens]
        return self.language.embed([*turn("user", *parts, f"\n{sample.text}"), *turn("assistant")])

    def loss(self, samples: list[Sample]) -> torch.Tensor:
        """Return the mean cross-entropy of the answers' tokens."""
        import torch
        from torch.nn import functional as F

        rows, wanted = [], []
        for sample in samples:
            x = self.prompt(sample, [self.visual(frame) for frame in sample.frames])
            ids = [*self.language.token_ids(sample.answer), END_TURN]
            rows.append(torch.cat([x, self.language.base["embed"][ids[:-1]]]))
            wanted.append((len(x) - 1, ids))
        longest = max(map(len, rows))
        padded = torch.stack([F.pad(row, (0, 0, 0, longest - len(row))) for row in rows])
        hidden = transformer.forward(self.language.base, padded, lora=self.language.lora)
        states = torch.cat([hidden[i, at : at + len(ids)] for i, (at, ids) in enumerate(wanted)])
        target = torch.tensor([token for _, ids in wanted for token in ids], device=self.device)
        return F.cross_entropy(states @ self.language.base["embed"].T, target)

    def named(self, index: int, detail: Any) -> str:
        """Return the language network's own name for a picture, by its visual tokens alone."""
        import torch

        features, classes = self.pictures[index]
        with torch.inference_mode():
            tokens = visual_tokens(
                self.projector,
                self.tags,
                features.float().to(self.device),
                torch.from_numpy(classes).to(self.device).float(),
            )
            prompt = [*turn("user", shown(tokens, detail), "\nWhat is shown here?"), *turn("assistant")]
        return "".join(self.language.generate(prompt, pictures=True, max_tokens=16))


def train(settings: Settings) -> dict[str, Any]:
    """Train for a while, keep the best adapter on the validation classes, and return the scores.

    Raises:
        ModelError: if there are no pictures, or weights are missing.
    """
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(settings.seed)
    trainee = Trainee(settings)
    vocabulary = concepts()
    held = (VALIDATION, FINAL)
    seen = {i: vocabulary.tags[i] for i in trainee.pictures if i % 20 not in held}
    withheld = {vocabulary.tags[i] for i in range(1000) if i % 20 in held}
    phrases = [phrase for phrase in noun_phrases(settings.wordnet) if phrase not in withheld]
    samples = Samples(phrases, seen, settings.seed)
    trained = [*trainee.projector.values(), *trainee.language.lora.values()]
    optimizer = torch.optim.AdamW(trained, lr=settings.rate, weight_decay=0.01, betas=(0.9, 0.98))
    best, history = naming(trainee, VALIDATION), []
    began, steps = time.monotonic(), 0
    history.append({"steps": 0, "validation": best})
    print(history[-1], flush=True)
    while (used := (time.monotonic() - began) / 60) < settings.minutes:
        rate = settings.rate * min(1.0, (steps + 1) / 20) * 0.5 * (1 + math.cos(math.pi * used / settings.minutes))
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-6)
        loss = trainee.loss([samples.next() for _ in range(settings.batch)])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        steps += 1
        if steps % 10 == 0:
            print(f"step {steps}, {used:.1f} min, loss {float(loss.detach()):.3f}", flush=True)
        if steps % settings.check_every == 0:
            best = _keep_best(trainee, settings, steps, best, history, save_file)
    _keep_best(trainee, settings, steps, best, history, save_file)
    return {"steps": steps, "batch": settings.batch, "history": history, "final": naming(trainee, FINAL)}


def naming(trainee: Trainee, group: int) -> float:
    """Return the share of held-out pictures (class index modulo 20) that the visual tokens alone name."""
    trainee.language.forget_merged()
    indices = [i for i in sorted(trainee.pictures) if i % 20 == group]
    vocabulary = concepts()
    hits = 0
    for index in indices:
        answer = trainee.named(index, "fuzzy").lower()
        hits += vocabulary.tags[index] in answer or vocabulary.names[index].lower() in answer
    return hits / max(1, len(indices))


def _keep_best(
    trainee: Trainee, settings: Settings, steps: int, best: float, history: list[dict[str, Any]], save: Any
) -> float:
    import torch

    score = naming(trainee, VALIDATION)
    history.append({"steps": steps, "validation": score})
    print(history[-1], flush=True)
    if score >= best:
        tensors = {f"projector.{name}": t.detach().half().cpu() for name, t in trainee.projector.items()}
        tensors |= {f"lora.{name}": t.detach().to(torch.bfloat16).cpu() for name, t in trainee.language.lora.items()}
        metadata = {"steps": str(steps), "batch": str(settings.batch), "naming_validation_classes": f"{score:.3f}"}
        save(tensors, settings.out, metadata=metadata)
    return max(score, best)


def _read_pictures(folder: Path) -> dict[int, tuple[torch.Tensor, np.ndarray]]:
    """Return the features (91, 1760) and class probabilities (91, 1000) of a picture a class, as halves."""
    from PIL import Image

    index_of = {wnid: index for index, wnid in enumerate(class_ids())}
    tower, pictures = shared_extractor(), {}
    for path in sorted(folder.glob("n*_*.*")):
        index = index_of.get(path.name.split("_")[0])
        if index is not None and index not in pictures:
            sight = see(tower, np.asarray(Image.open(path).convert("RGB")))
            pictures[index] = (sight.features.half().clone(), sight.classes.half().numpy())
    if not pictures:
        raise ModelError(f"{str(folder)!r} holds no training pictures.", expected="files such as n01440764_tench.jpg")
    return pictures
