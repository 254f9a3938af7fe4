"""Transcription of a whole recording."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tools.hearing.options import HearingOptions
from tools.hearing.whisper import open_ear
from tools.hearing.windows import listen
from tools.media.options import MediaOptions
from tools.media.sound import Utterance, read_sound


def transcribe_file(address: str, hearing: HearingOptions, media: MediaOptions) -> Iterator[Utterance]:
    """Yield what is said in a recording, in order of time; its `media.start_s` and `media.end_s` bound it.

    Raises:
        NoSound: if it has no audio track; MediaError if it cannot be read.
        MissingExtra, ModelError: if the extra or its weights are not installed.
    """
    sounds = read_sound(address, media)
    first = next(sounds, None)  # so that a file without sound is reported first
    if first is None:
        return
    ear = open_ear(hearing)
    yield from listen(chain([first], sounds), ear.find_speech, ear.transcribe)
