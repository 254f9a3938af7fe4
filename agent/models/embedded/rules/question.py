"""What kind of thing a question asks for, which things, phrases and moments it names, and what it leans on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.models.embedded.imagenet import concepts
from memory.stream.time_expressions import parse_time_expression
from tools.media.clock import CLOCK, parse_clock
from tools.media.types import Span

Kind = Literal[
    "times",
    "describe",
    "words",
    "quality",
    "when",
    "order",
    "change",
    "choice",
    "exists",
    "where",
    "count",
    "colour",
    "name",
    "talk",
    "open",
]

_SHAPES = re.compile(r"\b(shapes?|circles?|squares?|triangles?)\b")
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("talk", r"^(hi|hello|hey|thanks?|thank you|good (morning|evening|day)|bye|ok(ay)?|great|nice|"
             r"(who|how|what) are you|what can you do|help)\b"),
    ("choice", r"(^|\n) ?\(?a[.):] .+\n ?\(?b[.):] "),
    ("times", r"\bhow (many times|often)\b"),
    ("words", r"\b(read|written|writing|texts?|words?|letters?|spell|sign say|label say|title|caption|headline|"
              r"(what|which) (number|name|date|value|reading|message|digits?)|says?|displayed|"
              r"on (the|this) (screen|display|label|sign))\b"),
    ("count", r"^how many\b|\bcount\b|\bnumber of\b"),
    ("quality", r"\b(blurr?(y|ed)|sharp|in focus|(too |over|under)?(dark|bright|lit|exposed)|overexposed|underexposed|"
                r"noisy|grainy|quality|covered|blocked|obstructed|hidden|obscured|problem with|anything wrong|"
                r"well enough|see .*(well|clearly))\b"),
    ("order", r"\b((what|which|who)\b.* (after|before|first|last|next|then)\b|in (what|which) order|order of)"),
    ("when", r"^(when|how long|since when|until when)\b|\b(what|which) (time|moment|second|minute)s?\b|\bat what\b"),
    ("describe", r"\b(describe|summari[sz]e|summary|tell me (about|what)|going on|happen(s|ed|ing)?\b)|"
                 r"^(what|which|who)( things?| animals?)? (do|did|can|could) (you|we|i) (now )?(see|recogni[sz]e)|"
                 r"^what('s| is| was| are| were) (this|that|it|these|shown|visible|here|there|(in|on) )|^look\b"),
    ("change", r"\b(chang\w*|differen\w*|transition|cut|moves?|moving|stay the same)\b"),
    ("where", r"^where\b|\b(which|what) (part|corner|side|position|area)\b"),
    ("colour", r"\bcolou?rs?\b"),
    ("choice", r"^(is|was|does|are) .+ or .+\?|^which (of|one)\b|: .+ or .+\?$"),
    ("exists", r"^(is|are|was|were|do|does|did|can|could|has|have)\b"),
    ("name", r"^(what|which)( \w+)* (is|are|was|were|do you see|can you see|does)\b|\bwhat('s| is| are) |"
             r"^(what|which) (kind|type|sort|animal|object|thing)\b|^what\b.*\bsee\b|"
             r"\b(name|identify|recogni[sz]e|what am i)\b"),
)  # fmt: skip
_UNSEEN = re.compile(
    r"\b(why|who|whose|whom|how (old|much|far|tall|heavy|did|do|does|is|are|can)|think(ing)?|feel(ing)?|cost|price|"
    r"owner|owns?|name of|(\w's|his|her|their|your) name|city|country|reason|will|tomorrow|purpose|mean(s|ing)?|smell|"
    r"sound|hear)\b"
)
_PRESENT = re.compile(
    r"\b(now|currently|at the moment|right now|present(ly)?|this|here|latest|newest|picture|image|photo)\b"
)
_MOMENT = re.compile(
    r"\b(at|in|from|on) the (very )?((?P<start>start|beginning|first (frame|picture|image|scene|shot))|"
    r"(?P<end>end|last (frame|picture|image|scene|shot)))\b"
)
# What points at something seen; a question without it may be about the world at large.
_POINTS = re.compile(
    r"\b(this|that|these|those|here|there|it|its|now|see|seen|shown?|shows|appears?|visible|look\w*|watch|frames?|pictures?|"
    r"images?|photos?|video|clip|scene|screen|camera|view|sign|label|he|she|they|his|her|their|doing|happen\w*|wearing|"
    r"holding|left|right|behind|front|background|man|woman|person|people)\b"
)
_AT_LARGE = re.compile(
    r"^(please )?(write|explain|translate|define|calculate|compute|suggest|recommend|give me|tell me an? )\b|"
    r"\d\s*([-+*/x×]|plus|minus|times)\s*\d|^how (do|can|should|would) (i|you|we|one)\b|^how to\b|"
    r"^what (is|are|does|do) (an? )?[a-z]+( mean)?\?*$"
)
_SIDE = re.compile(r"\b(?:before|after|following|preceding|prior to|until|since)\b", re.IGNORECASE)
_ONE = re.compile(r"\blast (?!minute|hour|time)\w|\b(?:before|after) \w")
_PLACES: tuple[tuple[str, str], ...] = (
    ("top", r"upper|uppermost|top|topmost|highest"),
    ("bottom", r"lower|lowermost|bottom|lowest"),
    ("left", r"left|leftmost"),
    ("right", r"right|rightmost"),
)
_NAMED_PLACES = "|".join(f"(?P<{side}>{words})" for side, words in _PLACES)
_PLACE = re.compile(rf"\b(?:on|at|in|of|which|what|does) (?:is )?(?:the )?(?:{_NAMED_PLACES})\b")
_WHEN = re.compile(r"when\b|how long\b|(at )?what time\b")
_YES_NO = re.compile(r"(was|were|did|has|have|had)\b")
_EARLIER = re.compile(r"\b(earlier|before that|previous(ly)?|ago|so far|already|in the past|recall|remember)\b")


@dataclass(frozen=True)
class Question:
    """A question, taken apart.

    Attributes:
        kind: what it asks for.
        text: as asked.
        targets: known phrases that it names, in order.
        options: what it offers to choose from: (letter or "", text).
        times_s: moments that it names, in seconds.
        present: whether it means what is seen now.
        earlier: whether it means what was seen before.
        moment: `start` or `end` where it means that part of what is shown, else None.
        at_large: whether it points at nothing seen: general knowledge, or a task with words.
        about_model: whether it asks who answers, and what that can do.
        shapes: whether it is about drawn shapes.
        unseen: whether no picture can answer it.
        asked: the known phrase right after `what` or `which`: the answer is one of its kind.
        span: the stretch of time that it names, also in words such as `20 seconds ago`; None where it names none.
        side: whether it asks for what came `before` or `after` something, else None.
        edge: what that something is; empty without a side.
        phrase: words that it gives as they are written, such as GATE OPEN or anything in quotes; empty without any.
        past: whether it is about what was rather than what is.
        unwatched: the moment it names, in its own words, where that was before the watching began; else empty.
    """

    kind: Kind
    text: str
    targets: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    times_s: tuple[float, ...]
    present: bool
    earlier: bool
    moment: Literal["start", "end"] | None
    at_large: bool
    about_model: bool
    shapes: bool
    unseen: bool
    asked: str | None
    span: Span | None = None
    side: Literal["before", "after"] | None = None
    edge: str = ""
    phrase: str = ""
    past: bool = False
    unwatched: str = ""


_IDLE_TARGETS = frozenset(
    {"screen", "picture", "image", "frame", "sign", "window", "view", "place", "camera", "photo", "can", "work", "will"}
)


def take_apart(text: str, now_s: float | None = None) -> Question:
    """Analyse an English question; what fits nothing is `open`.

    Args:
        text: the question.
        now_s: media time of the newest frame; None where unknown, and then `20 seconds ago` means no moment.
    """
    hint = None if now_s is None else parse_time_expression(text, now_s)
    lower = text.lower().strip()
    kind: Kind = next((kind for kind, pattern in _PATTERNS if re.search(pattern, lower)), "open")
    options = _options(text) if kind == "choice" else ()
    if kind == "choice" and len(options) < 2:
        kind = "exists"
    side = hint.kind if hint and (hint.kind == "before" or hint.kind == "after") else None
    past = hint is not None and hint.kind != "present" and kind != "where"
    phrase = find_phrase(CLOCK.sub(" ", text))
    if phrase and kind == "words" and not side:
        kind = "when" if _WHEN.match(lower) else "exists" if past and _YES_NO.match(lower) else kind
    plain = CLOCK.sub(" ", lower)
    targets = [target for target in concepts().find(plain) if kind == "exists" or target not in _IDLE_TARGETS]
    return Question(
        kind=kind,
        text=text,
        targets=tuple(targets),
        options=options,
        times_s=tuple(parse_clock(match[0]) for match in CLOCK.finditer(text)),
        present=bool(_PRESENT.search(lower)),
        earlier=bool(_EARLIER.search(lower)),
        moment=_moment(lower),
        at_large=_at_large(text),
        about_model=bool(re.match(r"(who|what) are you|what can you do|help\b", lower)),
        shapes=bool(_SHAPES.search(lower)),
        unseen=kind != "choice" and bool(_UNSEEN.search(lower)),
        asked=_asked(lower),
        span=hint.span if hint else None,
        side=side,
        edge=(find_phrase(re.split(_SIDE, text, maxsplit=1)[-1]) or hint.edge) if hint and side else "",
        phrase=phrase,
        past=past,
        unwatched=hint.unwatched if hint else "",
    )


def _moment(lower: str) -> Literal["start", "end"] | None:
    match = _MOMENT.search(lower)
    return None if match is None else "start" if match["start"] else "end"


def _at_large(text: str) -> bool:
    """Whether a question is about the world: it points at nothing seen, and holds a proper name or such a task."""
    if _POINTS.search(text.lower()) or CLOCK.search(text):
        return False
    proper = re.search(r"(?<![.?!] )(?<!^)\b[A-Z][a-z]{2,}", text.strip())
    return bool(proper or _AT_LARGE.search(text.lower().strip()))


def _asked(lower: str) -> str | None:
    match = re.search(r"\b(?:what|which)(?: (?:kind|type|sort|breed|species) of| other)? ((?:[a-z-]+ ?){1,3})", lower)
    words = match[1].split() if match else []
    return next((known for n in range(len(words), 0, -1) if (known := concepts().known(" ".join(words[:n])))), None)


def _options(text: str) -> tuple[tuple[str, str], ...]:
    lettered = re.findall(r"(?m)^ ?\(?([A-Z])[.):] (.+)$", text)
    if len(lettered) > 1:
        return tuple((letter, option.strip()) for letter, option in lettered)
    match = re.search(r"([^,:?]+(?:,[^,:?]+)*),? or ([^?]+)\??\s*$", text)
    if not match:
        return ()
    *others, first = re.split(r",\s*", match[1])
    # The first option follows the question's own words: the phrase after the last article or verb.
    head = re.split(
        r"\b(?:is|are|was|were|does|do|it|this|that|see|show|shows|there|a|an|the)\b", others[0] if others else first
    )
    rest = [*others[1:], first] if others else []
    options = [head[-1], *rest, match[2]]
    return tuple(("", re.sub(r"^(a|an|the)\s+", "", option.strip())) for option in options if option.strip())


LEAST_LETTERS = 3
"""Letters of a single word in capitals that is taken to be written somewhere; our choice: shorter are `TV`, `OK`."""
QUOTED = re.compile(r"[\"“”«»]([^\"“”«»]+)[\"“”«»]|(?<!\w)['‘]([^'‘’]+)['’](?!\w)")
# Words after the first may be numbers or single letters, such as PLATFORM A; `I` begins the rest of a sentence.
_CAPITALS = re.compile(
    r"(?P<article>\b(?:[Aa]n?|any|some|my|your) )?\b(?P<phrase>[A-Z][A-Z0-9]+(?:[ -]+(?!I\b)[A-Z0-9]+)*)\b"
)


def find_phrase(text: str) -> str:
    """Return the first words of a text that are in quotes or capitals, in capitals, and as one phrase; else ""."""
    quoted = next((match[1] or match[2] for match in QUOTED.finditer(text)), "")
    if _tokens(quoted):
        return " ".join(quoted.split()).upper()
    if text.upper() == text:  # all of it is in capitals, which then say nothing
        return ""
    for match in _CAPITALS.finditer(text):
        phrase = match["phrase"]
        # `a USB stick` is a thing; a sign says USB.
        if len(_tokens(phrase)) > 1 or (len(phrase) >= LEAST_LETTERS and not match["article"]):
            return phrase
    return ""


def holds(lines: Sequence[str], phrase: str) -> bool:
    """Whether all words of a phrase stand next to one another, in order, in the lines read.

    Lines may end within the phrase, and spaces may have been read too many or too few.
    """
    wanted, found = compact(phrase), [token for line in lines for token in _tokens(line)]
    if not wanted:
        return False
    if len(_tokens(phrase)) > 1 and any(wanted in token for token in found):
        return True  # its spaces were not read, so where the next word begins is unknown too
    for first in range(len(found)):
        joined = ""
        for token in found[first:]:
            joined += token
            if joined == wanted:
                return True
            if len(joined) >= len(wanted):
                break
    return False


def compact(text: str) -> str:
    """Letters and digits only, lower case: spaces between words are often not read."""
    return "".join(character for character in text.lower() if character.isalnum())


def _tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def asks_for_all_words(question: Question) -> bool:
    """Whether it asks what was written in the past, with no moment named, as in `What words were shown?`."""
    every = question.kind == "words" and question.past and (question.earlier or not question.present)
    return every and not _ONE.search(question.text.lower())


def side_of(text: str) -> str | None:
    """The side that a question about words means: top, bottom, left or right; None for none."""
    match = _PLACE.search(text.lower())
    return match and match.lastgroup


_FOLLOWS = re.compile(
    r"^(?:and|what about|how about|and (?:what|how) about)\b[ ,:]*(?P<rest>.+?)[ ?.!]*$", re.IGNORECASE
)
_TIME = re.compile(
    rf"\b(?:(?:at|around|about|near) )?\[?(?:{CLOCK.pattern})\]?|\b\w+ (?:seconds?|minutes?|hours?) (?:ago|earlier)\b|"
    r"\b(?:at|in) the (?:very )?(?:start|beginning|end)\b|\b(?:right )?now\b",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"^(?:and )?(?P<asks>(?:what|which) colou?r (?:is|was)|where (?:is|was)|when (?:did|does))"
    r" (?P<it>it|that|he|she|they)\b",
    re.IGNORECASE,
)
_OTHER = {"top": "lower", "bottom": "upper", "left": "right", "right": "left"}
_SIDES = re.compile(r"\b(?:upper|top|topmost|lower|bottom|left|right)\b", re.IGNORECASE)


def in_full(question: str, talk: Sequence[tuple[str, str]]) -> str:
    """Write a question that leans on the one before so that it stands alone; others stay as they are.

    Args:
        question: as asked.
        talk: (role, text) of earlier turns, oldest first.
    """
    before = next((text for role, text in reversed(talk) if role == "user"), "")
    if not before:
        return question
    text = question.strip()
    if leans := _LEANS.match(text):
        named = concepts().find(before.lower())
        if len(named) != 1 or concepts().find(text.lower()):
            return question
        return f"{text[: leans.start('it')]}the {named[0]}{text[leans.end('it') :]}"
    follows = _FOLLOWS.match(text)
    return (follows and _put(follows["rest"], before)) or question


def _put(rest: str, before: str) -> str:
    """The question before with what a follow-up names in the place of what it named; "" where nothing fits."""
    head = before.rstrip(" ?.!")
    if time := _TIME.fullmatch(rest):
        return f"{' '.join(_TIME.sub(' ', head).split())} {time[0]}?"
    if side := side_of(head):
        if re.search(r"\bother\b", rest, re.IGNORECASE):
            return _SIDES.sub(_OTHER[side], before, count=1)
        if named := _SIDES.search(rest):
            return _SIDES.sub(named[0], before, count=1)
    vocabulary = concepts()
    new, old = vocabulary.find(rest.lower()), vocabulary.find(head.lower())
    if len(new) == len(old) == 1 and (place := re.search(rf"\b{re.escape(old[0])}\b", before, re.IGNORECASE)):
        return f"{before[: place.start()]}{new[0]}{before[place.end() :]}"
    return ""
