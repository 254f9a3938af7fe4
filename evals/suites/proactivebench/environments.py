"""ProactiveBench's seven environments as pure state machines: `start`, `observe`, then `answer` until it stops.

Rules and quirks follow the authors' package proactivebench 0.1.1 (module `environment`); the paper is arXiv 2603.19466.
The wording of hints is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from evals.suites.proactivebench.matching import match
from evals.suites.proactivebench.records import (
    CIT,
    COCO,
    DATASETS,
    INC,
    KEYWORDS,
    MVPN,
    NEEDED,
    QD,
    ROD,
    VSOD,
    Action,
    EntryError,
    FieldError,
    OptionError,
    Record,
    UnknownEnvironment,
    action_of,
)

ACTIONS = {
    ROD: (Action.LEFT, Action.RIGHT),
    VSOD: (Action.REWIND, Action.FORWARD),
    MVPN: (Action.ROTATE,),
    INC: tuple(action for action in Action if Action.BRIGHTNESS <= action <= Action.ARTIFACTS),
    QD: (Action.DETAILS,),
    CIT: (Action.REWIND, Action.FORWARD),
}
REWIND_OPTION, WAIT_PHRASE = "Rewind the video.", "Wait for the"
FARTHER_OPTION = "Move farther from the object."
SIDEWAYS_OPTIONS = ("Move the camera to the left.", "Move the camera to the right.")
UPRIGHT_OPTIONS = ("Move the camera up.", "Move the camera down.")
IMAGENET_C_LEVELS = range(1, 6)
CORRUPT_FRAME = "natural_bluebl_greenr-banana-s6"
"""The one damaged frame of the released data, which is replaced by a neighbour."""

VIDEO_PREFACE = "What you see is one frame of a video; answer the question about it."
ROD_REFERENCE_QUESTION = "Which kind of object does the image show?"
HINTS = {
    ROD: "Hint: if something is in the way, shifting it may uncover what lies behind.",
    VSOD: "Hint: what is in the way may be gone at another moment of the video; you can wait or go back.",
    MVPN: "Hint: another side of the object may tell more.",
    INC: "Hint: a repaired image may be easier to name.",
    QD: "Hint: the drawing may be easier to name with more of it drawn.",
    CIT: "Hint: what is asked for may be shown at another moment of the video; you can wait or go back.",
    COCO: "Hint: shifting the camera may bring the object into view.",
}
ZOOM_HINT = "Hint: stepping back may bring the object into view."


@dataclass(frozen=True)
class Environment:
    """A sample under one set of rules.

    Attributes:
        dataset: the stem of its file, such as `ImageNet-C`.
        record: the sample.
        reference: whether to show the sufficient image, with the categories only.
        random: whether a chosen option leads to any possible action, as in the paper's test of invalid suggestions.
        actions: the available actions.
        suggestions: the options that are right to choose, as far as the state allows.
        max_steps: maximum number of answers.
    """

    dataset: str
    record: Record
    reference: bool
    random: bool
    actions: tuple[Action, ...]
    suggestions: tuple[str, ...]
    max_steps: int


@dataclass(frozen=True)
class Turn:
    """An answer to one image, and its verdict; the action may not have been carried out."""

    image: int
    answer: str
    option: str
    category: str
    action: Action


@dataclass(frozen=True)
class State:
    """The state of an episode; `sideways` and `upright` are COCO's steps in pixels so far, including the first."""

    image: int
    action: Action | None = None
    turns: tuple[Turn, ...] = ()
    stopped: bool = False
    correct: bool = False
    sideways: float = 0.0
    upright: float = 0.0
    sideways_moves: int = 0
    upright_moves: int = 0


@dataclass(frozen=True)
class Observation:
    """A model's input: an image (relative to the data), optionally a crop (left, top, right, bottom), and words."""

    image: str
    preface: str
    question: str
    hint: str
    options: tuple[str, ...]
    crop: tuple[float, float, float, float] | None

    @property
    def prompt(self) -> str:
        """Preface, question and hint as one text."""
        return " ".join(part for part in (self.preface, self.question, self.hint) if part)


def start(dataset: str, record: Record, *, reference: bool = False, random: bool = False) -> tuple[Environment, State]:
    """Return the environment of a sample and its first state.

    Raises:
        UnknownEnvironment: if the data set is unknown.
        FieldError: if the record lacks a field of its data set.
        EntryError: if the right answer is not one of its categories, or there are fewer views than images.
        OptionError: if ImageNet-C's right repair is not one of the options.
    """
    if dataset not in DATASETS:
        raise UnknownEnvironment(f"unknown data set {dataset!r}.", expected=f"one of {', '.join(DATASETS)}")
    missing = [name for name in NEEDED.get(dataset, ()) if getattr(record, name) in (None, [])]
    if missing:
        raise FieldError(f"sample {record.id} of {dataset} lacks {', '.join(missing)}.")
    if record.answer not in record.categories:
        raise EntryError(f"the answer {record.answer!r} of sample {record.id} is not one of its categories.")
    if dataset == MVPN and len(record.valid_images) < record.num_images:
        raise EntryError(f"sample {record.id} names {len(record.valid_images)} views for {record.num_images} images.")
    right = tuple(o for o in record.options if "cannot" not in o.lower() and "do not" not in o.lower())
    if dataset == INC:
        if record.quality_answer in record.options:
            right = (record.quality_answer,) if record.quality_answer else ()
        elif not random:
            raise OptionError(f"the repair {record.quality_answer!r} of sample {record.id} is not one of its options.")
    steps = record.max_steps if dataset == CIT else _coco_steps(record) if dataset == COCO else record.num_images
    actions = _coco_actions(record) if dataset == COCO else ACTIONS[dataset]
    state = State(record.first_image, sideways=record.horizontal_step or 0, upright=record.vertical_step or 0)
    return Environment(dataset, record, reference, random, actions, right, steps or 0), state


def observe(environment: Environment, state: State, *, hint: bool = False) -> Observation:
    """Return a model's input in a state, optionally with the hint of its data set.

    Raises:
        EntryError, OptionError: if the record's options do not fit its data set.
    """
    record, dataset = environment.record, environment.dataset
    zoom = dataset == COCO and "zoom" in (record.direction or "")
    if environment.reference:
        options: Sequence[str] = record.categories
    else:
        options = [*valid_options(environment, state), *record.categories]
    return Observation(
        image=_image_path(environment, state.image, len(state.turns), state.action),
        preface=VIDEO_PREFACE if dataset in (VSOD, CIT) else "",
        question=ROD_REFERENCE_QUESTION if environment.reference and dataset == ROD else record.prompt,
        hint=(ZOOM_HINT if zoom else HINTS[dataset]) if hint else "",
        options=tuple(options),
        crop=_crop(record, state) if dataset == COCO and not environment.reference else None,
    )


def answer(environment: Environment, state: State, text: str, rng: Random | None = None) -> State:
    """Return the state after an answer; `rng` draws the actions of a random environment (else from seed 0).

    A right category ends the episode well, a right option moves on, everything else ends it badly.

    Raises:
        EntryError: if the episode is over.
        OptionError: if the chosen option names no action or two, or leads to a missing image.
    """
    record = environment.record
    if state.stopped:
        raise EntryError("the episode is over and accepts no answers.", remedy="Restart it.")
    right, classes = right_answers(environment, state)
    if environment.reference:
        by_option, chosen = "mismatch", ""
        by_class, named = match(text, classes, record.categories, 0)
    else:
        valid = valid_options(environment, state)
        by_option, chosen = match(text, right, valid, 0)
        by_class, named = match(text, classes, record.categories, len(valid))
    action, correct = Action.STOP, by_class == "correct"
    if correct and named != record.answer:
        raise OptionError(f"the categories {named!r} and {record.answer!r} cannot be distinguished.")
    if by_option == "correct" and not correct:
        action = _draw(environment, rng or Random(0)) if environment.random else action_of(chosen, environment.actions)
    turns = (*state.turns, Turn(state.image, text, by_option, by_class, action))
    if len(turns) == environment.max_steps:
        action = Action.STOP
    after = replace(state, action=action, turns=turns, correct=correct, stopped=action is Action.STOP)
    if after.stopped:
        return after
    moved = _move(environment, after, action)
    if moved.image not in image_numbers(environment):
        if environment.random and environment.dataset == CIT:
            # A random action may lead out of the video: the package then stays and stops.
            return replace(after, action=Action.STOP, stopped=True)
        raise OptionError(f"sample {record.id} has no image {moved.image}.")
    return moved


def valid_options(environment: Environment, state: State) -> list[str]:
    """Return the options that are still available in a state; only ChangeIt and COCO remove some."""
    return _without_exhausted(environment, state, environment.record.options)


def right_answers(environment: Environment, state: State) -> tuple[list[str], list[str]]:
    """Return the options and the categories that are right in a state.

    Raises:
        EntryError: if there are more answers than images.
    """
    record, dataset, count = environment.record, environment.dataset, len(state.turns)
    if environment.reference and dataset != COCO:
        return [], [record.answer]
    if dataset == ROD and state.action is None:
        # What is behind the blocks cannot be known yet, so naming it is a guess.
        return list(environment.suggestions), []
    if dataset in (MVPN, INC, QD):
        if count >= record.num_images:
            raise EntryError(f"sample {record.id} has {record.num_images} images and as many turns.")
        return list(environment.suggestions) if count + 1 < record.num_images else [], [record.answer]
    return _without_exhausted(environment, state, environment.suggestions), [record.answer]


def _draw(environment: Environment, rng: Random) -> Action:
    return rng.choice([action for action in KEYWORDS.values() if action in environment.actions])


def _without_exhausted(environment: Environment, state: State, options: Sequence[str]) -> list[str]:
    record, left = environment.record, list(options)
    if environment.random:
        return left
    if environment.dataset == CIT:
        step = record.step_size or 0
        if state.image - step < 0:
            return _without(left, REWIND_OPTION)
        if state.image + step >= record.num_images and left:
            # If no option is to wait, the package removes the last option.
            return _without(left, next((option for option in left if WAIT_PHRASE in option), left[-1]))
    if environment.dataset == COCO:
        most_sideways, most_upright = _coco_limits(record)
        if record.direction == "zoom":
            if state.sideways == most_sideways:
                if state.upright != most_upright:
                    raise OptionError(f"the two axes of sample {record.id} are not exhausted at once.")
                return _without(left, FARTHER_OPTION)
            return left
        gone = [*SIDEWAYS_OPTIONS] if state.sideways >= most_sideways else []
        gone += UPRIGHT_OPTIONS if state.upright >= most_upright else ()
        for option in gone:
            if option in left:
                left.remove(option)
    return left


def _without(options: list[str], option: str) -> list[str]:
    if option not in options:
        raise EntryError(f"there is no option {option!r} to remove.", expected=f"it among {options!r}")
    place = options.index(option)
    return options[:place] + options[place + 1 :]


def _move(environment: Environment, state: State, action: Action) -> State:
    record, dataset, image = environment.record, environment.dataset, state.image
    if dataset in (ROD, VSOD):
        back = action in (Action.LEFT, Action.REWIND)
        return replace(state, image=(image - 1 if back else image + 1) % record.num_images)
    if dataset == MVPN:
        return replace(state, image=record.valid_images[len(state.turns)])
    if dataset == CIT:
        step = record.step_size or 0
        return replace(state, image=image - step if action is Action.REWIND else image + step)
    if dataset == COCO:
        return _widen(state, action)
    return replace(state, image=image - 1 if dataset == INC else image + 1)


def _widen(state: State, action: Action) -> State:
    """Grow COCO's crop by a step; divides and multiplies like the package, since its rounding matters."""
    if action in (Action.LEFT, Action.RIGHT, Action.ZOOM):
        moves = state.sideways_moves + 1
        state = replace(state, sideways_moves=moves, sideways=state.sideways / moves * (moves + 1))
    if action in (Action.UP, Action.DOWN, Action.ZOOM):
        moves = state.upright_moves + 1
        state = replace(state, upright_moves=moves, upright=state.upright / moves * (moves + 1))
    return state


def _coco_actions(record: Record) -> tuple[Action, ...]:
    direction = record.direction or ""
    if "zoom" in direction:
        return (Action.ZOOM,)
    return tuple(a for a in (Action.UP, Action.DOWN, Action.LEFT, Action.RIGHT) if a.name.lower() in direction)


def _coco_steps(record: Record) -> int:
    direction, granularity = record.direction or "", record.granularity or 0
    if "zoom" in direction:
        return granularity + 1
    return granularity * 2 if "_" in direction else granularity


def _coco_limits(record: Record) -> tuple[float, float]:
    """Return the extents in pixels at which moving sideways and upright ends."""
    direction, granularity = record.direction or "", record.granularity or 0
    sideways, upright = record.horizontal_step or 0, record.vertical_step or 0
    if "zoom" in direction:
        return sideways * (granularity + 1), upright * (granularity + 1)
    return (
        sideways * granularity if "left" in direction or "right" in direction else 0,
        upright * granularity if "up" in direction or "down" in direction else 0,
    )


def _crop(record: Record, state: State) -> tuple[float, float, float, float]:
    assert record.crop is not None
    crop, direction = record.crop, record.direction or ""
    zoom = "zoom" in direction
    right = crop.width + (state.sideways if "right" in direction or zoom else 0)
    bottom = crop.height + (state.upright if "down" in direction or zoom else 0)
    if direction == "zoom":
        right, bottom = right + crop.left, bottom + crop.top
    left = crop.left - (state.sideways if "left" in direction or zoom else 0)
    top = crop.top - (state.upright if "up" in direction or zoom else 0)
    return left, top, right, bottom


def image_numbers(environment: Environment) -> Sequence[int]:
    """Return the possible numbers of an image of an episode."""
    record = environment.record
    return IMAGENET_C_LEVELS if environment.dataset == INC else record.valid_images or range(record.num_images)


def image_paths(environment: Environment) -> list[str]:
    """Return every image that an episode may show, relative to the data, each once, starting with the first one.

    Raises:
        EntryError: if the template does not fit the data set.
    """
    record, dataset = environment.record, environment.dataset
    first, count = record.first_image, record.num_images
    turns: list[tuple[int, int]] = [(first, 0)]
    if environment.reference or dataset == COCO:
        pass
    elif dataset == MVPN:
        turns += [(record.valid_images[turn], turn) for turn in range(1, count)]
    elif dataset == INC:
        turns += [(level, 1) for level in range(first - 1, max(0, first - count), -1)]
    elif dataset == QD:
        turns += [(image, 1) for image in range(first + 1, count)]
    elif dataset == CIT:
        step = record.step_size or 0
        reach = range(1, min(environment.max_steps, count))
        turns += [(image, 1) for n in reach for image in (first - n * step, first + n * step) if 0 <= image < count]
    else:
        turns += [(image % count, 1) for image in range(first + 1, first + count)]
    return list(dict.fromkeys(_image_path(environment, image, turn, None) for image, turn in turns))


def _image_path(environment: Environment, image: int, turn: int, action: Action | None) -> str:
    record, dataset = environment.record, environment.dataset
    image = record.reference_image if environment.reference else image
    if dataset == COCO:
        return record.image_template
    informative = int(environment.reference or turn + 1 == record.num_images)
    number = str(image).zfill(4) if dataset in (VSOD, MVPN, QD) else str(image)
    try:
        path = record.image_template.format(image=number, level=image, informative=informative)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise EntryError(f"invalid template {record.image_template!r} of {dataset}: {error}.") from error
    if dataset == ROD and not environment.reference and CORRUPT_FRAME in path:
        path = path.replace("s6", "s5" if action is Action.LEFT else "s7")
    return path
