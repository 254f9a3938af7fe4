"""The interface of a suite: its samples, how to ask each of a model, and how to score the answers.

A suite imports this module and no framework. It is a module `evals/suites/NAME/task.py` with a constant `SUITE`, and
its name is listed in `evals.suites.NAMES` (dashes of a name are underscores in its folder); `attend eval run NAME` runs
it. A file of your own with such a constant runs as `attend eval run FILE.py`. A complete suite:

    from evals.engine.data import need_folder, read_json_lines
    from evals.engine.suite import Loaded, Picture, Sample, Scored, Suite, Transcript

    class Row(BaseModel):                       # one line of questions.jsonl
        id: str
        image: str
        question: str
        answer: str

    def load(data: Path | None, options: BaseModel) -> Loaded:
        file = need_folder(data) / "questions.jsonl"
        rows, bad = read_json_lines(file, Row)
        return Loaded(
            samples=tuple(
                Sample(
                    id=row.id,
                    cluster=row.image,          # questions about one picture are not independent
                    prompt=(Picture(file.parent / row.image), row.question),
                    reference=row.answer,
                    slices={"length": "short" if len(row.question) < 40 else "long"},
                    file=file,
                    line=line,
                )
                for line, row in rows
            ),
            bad=bad,
            files=(file,),
        )

    def score(sample: Sample, transcript: Transcript) -> Scored:
        letter = first_letter(transcript.answer)
        return Scored(failure="parse") if letter is None else Scored(value=float(letter == sample.reference))

    SUITE = Suite(name="mine", title="Letters about pictures", version=1, load=load, score=score)

`solve` selects how a sample is asked:

- `"model"`: one prompt of texts and pictures, one reply.
- `"agent"`: Attend's whole loop watches `Sample.source`, with its memory and tools, and is asked `Sample.questions`;
  when it asks the person, it gets the next of `Sample.replies`.
- `"stream"`: the clip before a time of `Sample.source` is played into memory, as in `Sample.clip`, and the model is
  asked then, with the frames that memory keeps and nothing later.
- a function of the suite's own, for dialogues whose next prompt depends on the reply (see `Dialogue`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, JsonValue

from evals.engine.data import DataError
from evals.results import Failure


@dataclass(frozen=True)
class Picture:
    """A picture of a prompt: a file, or its bytes; logs name it by the hash of what the model sees.

    Attributes:
        path: the file; None if `encoded` is given.
        encoded: a whole PNG, JPEG or WebP file, for pictures that a suite draws.
        crop_px: the visible part (left, top, right, bottom), clipped to the picture's bounds; None is all of it.
        short_edge_px: length to scale its shorter side to, after cropping; None keeps its size.
        t_s: media time in seconds, if it is a frame of a video.
    """

    path: Path | None = None
    encoded: bytes | None = None
    crop_px: tuple[float, float, float, float] | None = None
    short_edge_px: int | None = None
    t_s: float | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (self.encoded is None):
            raise ValueError("a picture is either a path or encoded bytes")


Part = str | Picture


@dataclass(frozen=True)
class Message:
    """One message of a dialogue: texts and pictures in order."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Clip:
    """The clip to play before a question, and when to ask it, for `"stream"`.

    Attributes:
        prompt: the model's prompt; `Sample.questions` has the bare question, whose time expressions memory parses (see
            `memory.stream.recall`).
        asked_s: media time of the question in seconds; nothing later is seen.
        context_s: seconds of video seen before it; None is everything from the start.
        polls_s: media times at which to repeat a question that waits for an event, until the reply says yes.
        speak: the question after that yes.
        speak_tokens: maximum number of tokens of that answer.
    """

    prompt: str
    asked_s: float
    context_s: float | None = None
    polls_s: tuple[float, ...] = ()
    speak: str = ""
    speak_tokens: int | None = None

    @property
    def moments_s(self) -> tuple[float, ...]:
        """The media times at which the model is asked."""
        return self.polls_s or (self.asked_s,)


@dataclass(frozen=True)
class Sample:
    """A question with its reference and scoring data.

    Attributes:
        id: unique within its task, and the same in every run.
        task: the part of the suite it belongs to; "" for a suite with one part. Comparisons correct for the number of
            tasks.
        cluster: what it shares with other samples, such as a picture, video or patient; "" for nothing.
        prompt: for `"model"`: texts and pictures of the one user message, in order.
        system: for `"model"`: a system message, or "".
        pictures: for a dialogue: the files it may show; a run does not start if one is missing.
        source: for `"agent"` and `"stream"`: the source to watch, as `attend chat` accepts it: a video file, a picture,
            a folder of them.
        live: for `"agent"`: whether the source plays in real time, as if it were live: the agent may then hope that the
            person shows something else. A picture ends at once, and answers stay reproducible.
        questions: for `"agent"`: the questions, one after the other, once all of the source was watched.
        replies: for `"agent"`: the person's answers when the agent asks; once used up, they decline. If the agent
            offers choices, the one that contains the reply is taken.
        clip: for `"stream"`: which part of the source to play, and what to ask.
        settings: for `"agent"` and `"stream"`: settings of the sample, by dotted path, such as {"media.end_s": 20.0}.
        max_tokens: maximum number of tokens of a reply; None uses the model's settings.
        reference: the right answer, for display and for the scorer.
        labels: the label of each of its annotators, if there are several; see `evals.stats.agreement`.
        slices: named groups it belongs to, such as {"age": "1-10 min"}.
        fields: other data for the scorer or the dialogue; not logged.
        file, line: its place in the data, for errors.
    """

    id: str
    task: str = ""
    cluster: str = ""
    prompt: tuple[Part, ...] = ()
    system: str = ""
    pictures: tuple[Path, ...] = ()
    source: str = ""
    live: bool = False
    questions: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    clip: Clip | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    reference: str = ""
    labels: tuple[str, ...] = ()
    slices: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    line: int | None = None


@dataclass(frozen=True)
class Loaded:
    """The data of a suite.

    Attributes:
        samples: in a fixed order.
        bad: records that could not be made a sample; a run stops at them, or counts them with `--skip-bad`.
        files: the annotation files; their hashes go into the manifest.
        notices: remarks for the user, such as a missing part.
        ready: called before any attempt is made; raises AttendError if a requirement of the suite beside the model is
            missing, such as its judge.
        paired: whether samples with one id are one question under several settings: a limit draws them together, and
            counts questions.
    """

    samples: tuple[Sample, ...]
    bad: tuple[DataError, ...] = ()
    files: tuple[Path, ...] = ()
    notices: tuple[str, ...] = ()
    ready: Callable[[], object] | None = None
    paired: bool = False


def own_name(task: str, id_: str) -> str:
    """Return a unique name of a sample: task and id joined by a slash, with slashes in them escaped."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in (task, id_) if part)


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolUse(_Plain):
    """One tool call of the agent. A request to the person is one of `ask_user`, with `kind` and `request` in `args`."""

    name: str
    args: dict[str, JsonValue]
    ok: bool
    text: str


class Transcript(_Plain):
    """The course of one attempt at one sample; all that a scorer may use beside the sample.

    Attributes:
        task, id, epoch: which sample, and the attempt from 1.
        answers: every reply in order: one for `"model"`, one per question for `"agent"`, all of a dialogue.
        tools: the tool calls of the agent, in order.
        outcome: what the suite's own dialogue returned. For `"agent"`, lists with an entry for each answer:
            `citations`, the media times in seconds that it cites, and `unverified`, those at which nothing was shown.
            For `"stream"`, `said_s`, the media time at which the model spoke (None: never), and of its last prompt
            `frames`, `tokens`, `span_s` (seconds between the oldest and the newest frame) and `clear_share`.
        failure: why the transcript is incomplete, or "".
        problem: the failure in words.
        frame_ids: the pictures shown, by content hash, in order and each once.
        retries: number of earlier tries in which the model or a judge failed.
        seconds: wall clock of the attempt.
        tokens_in, tokens_out: of all calls to the model.
        model_calls: number of calls to the model.
    """

    task: str
    id: str
    epoch: int = 1
    answers: tuple[str, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    outcome: dict[str, JsonValue] = {}
    failure: Failure = ""
    problem: str = ""
    frame_ids: tuple[str, ...] = ()
    retries: int = 0
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    model_calls: int = 0

    @property
    def answer(self) -> str:
        """The last reply, or ""."""
        return self.answers[-1] if self.answers else ""


@dataclass(frozen=True)
class Scored:
    """A score, 0 (wrong) to 1 (right), or a failure such as `"parse"`; exactly one of them.

    `slices` add to the sample's. `label` is the model's answer in the terms of `Sample.labels`; "" if none was read.
    """

    value: float | None = None
    failure: Failure = ""
    slices: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.failure):
            raise ValueError("a score is either a value or a failure")
        if self.value is not None and not 0 <= self.value <= 1:
            raise ValueError(f"invalid score {self.value!r}: expected 0 to 1")
        if self.failure not in get_args(Failure):
            raise ValueError(f"unknown failure {self.failure!r}: expected one of {', '.join(get_args(Failure)[1:])}")


@dataclass(frozen=True)
class Tool:
    """A tool that a dialogue offers to the model: a name, a description, and the schema of its arguments."""

    name: str
    description: str
    args: type[BaseModel]


@dataclass(frozen=True)
class Call:
    """A call of an offered tool, with valid arguments."""

    name: str
    args: BaseModel


class Reply(str):
    """A reply's text, and its valid calls of offered tools, in order."""

    calls: tuple[Call, ...]

    def __new__(cls, text: str, calls: Sequence[Call] = ()) -> Reply:
        reply = super().__new__(cls, text)
        reply.calls = tuple(calls)
        return reply


class Respond(Protocol):
    """The model under test, as a dialogue sees it."""

    async def __call__(
        self, messages: Sequence[Message], *, max_tokens: int | None = None, tools: Sequence[Tool] = ()
    ) -> Reply:
        """Return the reply to some messages. Failures of the model end the attempt and need not be caught."""


Dialogue = Callable[[Sample, Respond, Random], Awaitable[Mapping[str, JsonValue]]]
"""A suite's own solver: calls `respond` as often as it likes and returns data for the scorer, which becomes
`Transcript.outcome`. The generator is seeded by run, sample and attempt, so that the order of samples does not matter.
"""

DialogueBaseline = Callable[[Sequence[Message]], str]
"""A baseline's reply to the messages of a dialogue; a `Reply` if it calls a tool."""

Baseline = Callable[[Sample, Random], str | DialogueBaseline]
"""An answer without a model, such as a random letter or the reference; scored like a model's. For a dialogue it may be
a player, which is asked in place of the model."""

Judged = tuple[Sample, Transcript, Scored]


class NoOptions(BaseModel):
    """The options of a suite without options."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        name: as on the command line.
        title: a line for display.
        version: incremented whenever a question or a score could change.
        load: reads the data folder (None if none was given) under the suite's options. Raises DataError if a whole file
            is missing or has another format; single broken records go into `Loaded.bad`.
        score: scores a transcript without failure; needs no model, file or clock. Called again by `score`.
        solve: `"model"`, `"agent"`, `"stream"` or a dialogue; see the top of this module.
        prompts: the templates by name; their hashes go into the manifest.
        options: the suite's own settings, given as `--set NAME=VALUE`; frozen, with extra fields forbidden. They go
            into the manifest; private values, such as an e-mail address, can come from `agent.config.Config` instead,
            which is pydantic's context when a run starts or resumes.
        baselines: answers without a model by name, for `--model baseline:NAME`.
        figures: measures of the whole run beyond the mean, such as an F1, by name. Those of annotators' labels are
            added automatically if samples have any.
        blind: the dialogue that replaces `solve`, if that is one, in a run that hides pictures and sources from the
            model; None rejects such runs.
    """

    name: str
    title: str
    version: int
    load: Callable[[Path | None, Any], Loaded]
    score: Callable[[Sample, Transcript], Scored]
    solve: Literal["model", "agent", "stream"] | Dialogue = "model"
    prompts: Mapping[str, str] = field(default_factory=dict)
    options: type[BaseModel] = NoOptions
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    figures: Callable[[Sequence[Judged]], Mapping[str, float]] | None = None
    blind: Dialogue | None = None
