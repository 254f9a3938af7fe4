"""Recognition of questions and conditions about what is heard."""

from __future__ import annotations

import re

PEOPLE = (
    r"(?:some(?:body|one)|any(?:body|one)|no(?:body| one)|every(?:body|one)|people|persons?|"
    r"(?:the |a |an )?(?:(?:wo)?m[ae]n|person|speaker|narrator|presenter|reporter|voice|boy|girl|child|teacher|lady)|"
    r"he|she|they|i|you|we|who)"
)
SAYS = r"(?:say|says|said|saying|mentions?|mentioned|mentioning)"
SPEAKS = r"(?:speaks?|speaking|spoke|spoken|talks?|talking|talked)"
_HEARD = re.compile(
    rf"\b(?:hear|hears|heard|hearing|listen|listening|audible|audio|sounds?|voices?|speech|transcripts?|transcribe|"
    rf"aloud|out loud|{SPEAKS})\b|"
    rf"\b{PEOPLE} (?:is |are |was |were |has |have |ever |just |do |does |did )*{SAYS}\b|"
    rf"\b(?:said|mentioned)\b|^who {SAYS}\b|"
    rf"\b(?:do|does|did) (?:\w+ ){{1,3}}(?:say|mention|talk about)\b|"
    rf"\b(?:music|song|noise|conversation|dialogue)\b"
)
_WRITTEN = re.compile(
    r"\b(?:sign|label|text|screen|display|caption|title|headline|page|picture|image|banner|poster|plate|writing|"
    r"it|this|that)s? (?:say|says|said|reads?)\b|"
    r"\b(?:does|do|did) (?:the |this |that )?(?:\w+ )?(?:sign|label|text|screen|display|caption|title|headline|page|"
    r"picture|image|banner|poster|plate|writing|it|this|that)s? (?:say|read)\b|"
    r"\b(?:noisy picture|image noise|picture noise|sounds? like)\b"
)


def asks_about_sound(text: str) -> bool:
    """Return whether an English question or condition is about what is heard rather than seen or read."""
    lower = " ".join(text.lower().split())
    return bool(_HEARD.search(lower)) and not _WRITTEN.search(lower)
