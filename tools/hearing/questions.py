"""Recognition of questions and conditions about what is heard."""

from __future__ import annotations

import re

_BODY = (
    r"(?:some(?:body|one)|any(?:body|one)|no(?:body| one)|every(?:body|one)|people|persons?|he|she|they|"
    r"(?:the |a |an )?(?:(?:wo)?m[ae]n|person|speaker|narrator|presenter|reporter|voice|boy|girl|child|teacher|lady))"
)
PEOPLE = rf"(?:{_BODY}|who)"
SAYS = r"(?:say|says|said|saying|mentions?|mentioned|mentioning)"
SPEAKS = r"(?:speaks?|speaking|spoke|spoken|talks?|talking|talked)"
_BE = r"(?:is|are|was|were|has|have|had|been|does|do|did|ever|just)"
# Talking is also seen: `the man who talks` and `the talking man` are asked about by what they look like.
_HEARD = re.compile(
    rf"\b(?:hear|hears|heard|hearing|listen|listening|audible|audio|sounds?|voices?|speech|transcripts?|transcribe|"
    rf"aloud|out loud|music|songs?|noises?|conversation|dialogue|said|mentioned|spoken)\b|"
    rf"\b{_BODY} (?:{_BE} )*{SAYS}\b|^who (?:{_BE} )*(?:{SAYS}|{SPEAKS})\b|"
    rf"\b{_BODY} (?:{_BE} )+{SPEAKS}\b|\b(?:is|are|was|were) {_BODY} (?:speaking|talking)\b|"
    rf"\b{_BODY} (?:speaks|talks|spoke|talked)\b|"
    rf"\b(?:do|does|did) {_BODY}(?: \w+){{0,4}}? (?:say|mention|talk|speak)\b|\b{SPEAKS} (?:about|of)\b"
)
_NAMED = re.compile(r"\b(?:do|does|did) [A-Z]\w+ (?:say|mention|talk|speak)\b")
_SEEN = re.compile(
    r"\b(?:signs?|labels?|texts?|screen|display|caption|title|headline|page|picture|image|banner|poster|plate|writing|"
    r"letters?|words?|number|shirt|door|board|paper|book|logo|it|this|that) (?:say|says|reads?)\b|"
    r"\bnoises?\b.*\b(?:pictures?|images?|frames?|video|photos?)\b|\b(?:picture|image) noise\b|\bsounds? like\b"
)


def asks_about_sound(text: str) -> bool:
    """Return whether an English question or condition is about what is heard rather than seen or read."""
    lower = " ".join(text.lower().split())
    return bool(_HEARD.search(lower) or _NAMED.search(text)) and not _SEEN.search(lower)
