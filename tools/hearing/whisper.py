"""Speech recognition by Whisper and voice detection by Silero, both through faster-whisper, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tools.errors import ModelError
from tools.extras import require
from tools.hearing.options import HearingOptions
from tools.hearing.weights import find_model
from tools.hearing.windows import FindSpeech, Transcribe
from tools.media.sound import SpokenWord, Utterance

MAX_NO_SPEECH, SURE_LOGPROB = 0.5, -0.6
"""A segment that is more likely no speech is dropped unless its words are at least this sure. Our choice: a clear voice
of `evals.bench.hearing` has 0.57 and -0.28; noise has 0.9 and below -0.8, or words that repeat themselves."""
MAX_REPETITION = 2.4
"""Compression ratio from which a text repeats itself, which Whisper does on noise (as in its own decoder)."""
MIN_SILENCE_MS, PAD_MS = 500, 200


@dataclass(frozen=True)
class Ear:
    """A voice detector and a speech recogniser."""

    find_speech: FindSpeech
    transcribe: Transcribe


def open_ear(options: HearingOptions) -> Ear:
    """Return the voice detector, and the recogniser, which is loaded when somebody first speaks.

    Raises:
        MissingExtra: if faster-whisper is not installed.
        ModelError: if there are no weights, or a file of them is another one.
    """
    require("faster_whisper", extra="hear")
    model = str(find_model(options.model))

    def transcribe(samples: np.ndarray) -> list[Utterance]:
        return _recogniser(model, options.threads)(samples)

    return Ear(_find_speech, transcribe)


def _find_speech(samples: np.ndarray) -> list[tuple[int, int]]:
    vad = require("faster_whisper.vad", extra="hear")
    how = vad.VadOptions(min_silence_duration_ms=MIN_SILENCE_MS, speech_pad_ms=PAD_MS)
    return [(found["start"], found["end"]) for found in vad.get_speech_timestamps(samples, how)]


@lru_cache(maxsize=1)
def _recogniser(folder: str, threads: int) -> Callable[[np.ndarray], list[Utterance]]:
    """Load a model; kept, since every source of a process uses the same one."""
    whisper = require("faster_whisper", extra="hear")
    try:
        model = whisper.WhisperModel(
            folder, device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1, local_files_only=True
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            f"cannot load the speech recogniser in {folder!r}: {error}.",
            expected="a Whisper model in CTranslate2's format",
            remedy='Get its files again, or set model = "" under [hearing] in attend.toml.',
        ) from error

    def transcribe(samples: np.ndarray) -> list[Utterance]:
        segments, _ = model.transcribe(
            samples,
            language=None if model.model.is_multilingual else "en",
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=False,
        )
        return [
            Utterance(
                float(segment.start),
                float(segment.end),
                segment.text.strip(),
                tuple(SpokenWord(float(one.start), float(one.end), one.word.strip()) for one in segment.words or ()),
            )
            for segment in segments
            if (segment.no_speech_prob <= MAX_NO_SPEECH or segment.avg_logprob >= SURE_LOGPROB)
            and segment.compression_ratio <= MAX_REPETITION
            and segment.text.strip()
        ]

    return transcribe
