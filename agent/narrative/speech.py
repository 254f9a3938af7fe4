"""Speech of films without subtitles, for narrative memory."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agent.config import Config
from agent.models.cached import Answer, sha_of
from agent.narrative.cached_llm import Answers
from agent.narrative.ingest_video import sha_of_file
from agent.narrative.sources import Origin, Warn
from memory.narrative.ingest.cues import Cue
from tools.errors import MediaError, ModelError
from tools.extras import MissingExtra
from tools.hearing.transcribe import transcribe_file
from tools.media.sound import NoSound, Utterance

MIN_CUE_S = 0.1
_FORMAT = "1"  # version of the cached transcripts


def hear_film(origin: Origin, config: Config, answers: Answers, warn: Warn) -> list[Cue]:
    """Transcribe the speech of a film; what prevents it is reported, and there are no cues then.

    The transcript is cached by the content of the file and the model.

    Raises:
        StoreError: if the transcript cannot be stored.
    """
    srt = origin.path.with_suffix(".srt").name
    missing = f"no subtitles beside {origin.path.name!r}, such as {srt!r}"
    if not config.hearing.enabled:
        warn(f"{missing}, and hearing is switched off: its speech is unknown.")
        return []
    sha = sha_of("heard", _FORMAT, sha_of_file(origin.path), config.hearing.model)
    row = {"sha": sha, "source": origin.name, "role": "hear", "model": ""}
    if kept := answers.get(row):
        return [Cue(*cue) for cue in json.loads(kept)]
    try:
        cues = cues_of(list(transcribe_file(str(origin.path), config.hearing, config.media)))
    except NoSound:
        warn(f"{missing}, and no audio track: its speech is unknown.")
        return []
    except (MissingExtra, ModelError, MediaError) as error:
        warn(f"{missing}: its speech is unknown. {error}")
        return []
    answers.put(row, Answer(json.dumps([[cue.start_s, cue.end_s, cue.text, cue.line] for cue in cues])))
    return cues


def cues_of(utterances: Sequence[Utterance]) -> list[Cue]:
    """Turn utterances into cues."""
    return [
        Cue(line.start_s, max(line.end_s, line.start_s + MIN_CUE_S), line.text, number)
        for number, line in enumerate(utterances, 1)
    ]
