"""Speech to text without a recogniser: decoding, windows, questions, subtitles, and the weights that are looked for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.fixtures.scenes import write_scenes
from tests.fixtures.speaking import bursts, find_tones, scripted_ear, write_sound
from tools.errors import MediaError, ModelError
from tools.hearing import weights
from tools.hearing.questions import asks_about_sound
from tools.hearing.transcript import subtitles
from tools.hearing.windows import MAX_LINE_S, Windows, listen, sentences
from tools.media import MediaOptions
from tools.media.sound import RATE_HZ, NoSound, Sound, SpokenWord, Utterance, read_sound


def chunks(samples: np.ndarray, step_s: float = 0.5) -> list[Sound]:
    step = round(step_s * RATE_HZ)
    return [Sound(at / RATE_HZ, samples[at : at + step]) for at in range(0, len(samples), step)]


def test_sound_is_decoded_to_16_khz_mono(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        tone = (12_000 * np.sin(np.arange(44_100) / 44_100 * 2 * np.pi * 1_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.rate = 44_100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    sounds = list(read_sound(str(path), MediaOptions()))
    samples = np.concatenate([sound.samples for sound in sounds])
    assert samples.dtype == np.float32
    assert abs(len(samples) - RATE_HZ) < 50
    spectrum = np.abs(np.fft.rfft(samples[: RATE_HZ - 100]))
    assert abs(int(spectrum.argmax()) - 1_000) < 20
    assert all(abs(after.t_s - before.end_s) < 1e-6 for before, after in pairwise(sounds))


def test_only_the_span_that_is_asked_for_is_decoded(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "tone.wav", bursts([(0.0, 6.0)], 6.0))
    sounds = list(read_sound(str(path), MediaOptions(start_s=2.0, end_s=4.0)))
    assert 1.0 <= sounds[0].t_s <= 2.0
    assert 4.0 <= sounds[-1].end_s <= 5.0


def test_a_video_without_an_audio_track_is_said_to_have_none(tmp_path: Path) -> None:
    path = write_scenes(tmp_path / "mute.mp4", [("red", 1)])
    with pytest.raises(NoSound, match="has no audio track"):
        next(read_sound(str(path), MediaOptions()))


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(MediaError, match="cannot read the sound"):
        next(read_sound(str(tmp_path / "text.mp4"), MediaOptions()))


def test_speech_is_cut_in_its_pauses_and_silence_is_left_out() -> None:
    samples = bursts([(1.0, 3.0), (4.0, 8.0), (9.5, 12.0), (30.0, 31.0)], 40.0)
    windows = Windows(find_tones, window_s=10.0)
    cut = [window for sound in chunks(samples) for window in windows.push(sound)] + list(windows.flush())
    assert [(round(window.t_s, 1), round(window.end_s, 1)) for window in cut] == [(1.0, 8.0), (9.5, 12.0), (30.0, 31.0)]


def test_a_live_window_is_handed_on_after_a_pause() -> None:
    windows = Windows(find_tones, window_s=10.0, eager=True)
    heard_at = [sound.end_s for sound in chunks(bursts([(0.5, 1.5)], 10.0)) for _ in windows.push(sound)]
    assert heard_at
    assert heard_at[0] <= 4.0


def test_unbroken_speech_is_cut_at_its_quietest_place() -> None:
    samples = bursts([(0.0, 25.0)], 25.0)
    samples[round(8.4 * RATE_HZ) : round(8.6 * RATE_HZ)] *= 0.3
    windows = Windows(find_tones, window_s=10.0)
    cut = [window for sound in chunks(samples) for window in windows.push(sound)] + list(windows.flush())
    assert all(window.end_s - window.t_s <= 10.0 for window in cut)
    assert cut[0].end_s == pytest.approx(8.5, abs=0.1)
    assert sum(len(window.samples) for window in cut) == len(samples)


def test_a_hole_in_the_sound_ends_a_window() -> None:
    windows = Windows(find_tones, window_s=10.0)
    first = list(windows.push(Sound(0.0, bursts([(0.0, 1.0)], 1.0))))
    second = list(windows.push(Sound(60.0, bursts([(0.0, 1.0)], 1.0)))) + list(windows.flush())
    assert first == []
    assert [round(window.t_s, 1) for window in second] == [0.0, 60.0]


def test_times_of_words_are_media_times_across_windows() -> None:
    samples = bursts([(2.0, 4.0), (12.0, 14.0)], 16.0)
    ear = scripted_ear(["good morning", "good night"])
    lines = list(listen(chunks(samples), ear.find_speech, ear.transcribe, window_s=10.0))
    assert [(round(line.start_s), line.text) for line in lines] == [(2, "good morning"), (12, "good night")]
    assert [round(word.start_s) for word in lines[1].words] == [12, 13]


def test_utterances_are_split_at_sentences_pauses_and_in_long_ones_at_commas() -> None:
    texts = ["Come", "here.", "Wait", "now"]
    times = [(0.0, 0.4), (0.4, 0.8), (0.9, 1.2), (3.0, 3.4)]
    words = tuple(SpokenWord(*span, text) for span, text in zip(times, texts, strict=True))
    assert [line.text for line in sentences(Utterance(0.0, 3.4, " ".join(texts), words))] == [
        "Come here.",
        "Wait",
        "now",
    ]
    long = tuple(SpokenWord(at * 1.0, at + 1.0, "word," if at == 9 else "word") for at in range(12))
    split = list(sentences(Utterance(0.0, 12.0, "", long)))
    assert [len(line.words) for line in split] == [10, 2]
    assert split[0].end_s - split[0].start_s > MAX_LINE_S


ABOUT_SOUND = """
What is said? / What did she say about the train? / When does somebody say Berlin? / What is said at 0:05?
Is anybody talking? / What do you hear? / Is there music? / Is the word passport mentioned? / Who says that?
What is the man saying? / Does the narrator mention Anna? / What is spoken in the video? / What are they talking about?
Transcribe the video. / What sounds are there? / somebody says fire / someone speaks / Did anyone mention the dog?
What does the man in the hat say? / What does Anna say about the letter? / Who is speaking? / a person talks
"""
NOT_ABOUT_SOUND = """
What does the sign say? / What does it say? / Is the picture noisy? / the sign says STOP / What is the dog doing?
What is written? / the words GATE OPEN are shown / a bicycle appears / What does the screen say? / How many people?
When does the man who talks to the camera appear? / What is behind the talking man at the end? / Why do you say that?
What do the letters say? / Is there noise in the picture? / When does the man talking on the phone leave?
What colour is the car? / When does the picture change? / Who is in the picture? / Describe the video.
"""


def test_questions_about_sound_are_told_from_questions_about_sight() -> None:
    listed = [question.strip() for question in ABOUT_SOUND.replace("\n", " / ").split(" / ") if question.strip()]
    assert [question for question in listed if not asks_about_sound(question)] == []
    others = [question.strip() for question in NOT_ABOUT_SOUND.replace("\n", " / ").split(" / ") if question.strip()]
    assert [question for question in others if asks_about_sound(question)] == []


def test_subtitles_have_the_form_of_their_format() -> None:
    lines = [Utterance(1.5, 2.25, "Good --> morning."), Utterance(3_661.0, 3_662.0, "Bye.")]
    assert "\n".join(subtitles(lines, "srt")) == (
        "1\n00:00:01,500 --> 00:00:02,250\nGood -> morning.\n\n2\n01:01:01,000 --> 01:01:02,000\nBye.\n"
    )
    assert "\n".join(subtitles(lines, "vtt")).startswith("WEBVTT\n\n00:00:01.500 --> 00:00:02.250\n")


def test_a_folder_without_a_model_is_named_with_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    with pytest.raises(ModelError, match=r"model\.bin, tokenizer\.json is missing"):
        weights.find_model(str(tmp_path))


def test_other_weights_than_the_pinned_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "carrier_of_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "model" / "model.bin").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(weights, "TINY", "carrier_of_weights")
    monkeypatch.setattr(weights, "BASE", ("no_such_carrier",))
    with pytest.raises(ModelError, match=r"have SHA-256 .*force-reinstall"):
        weights.find_model()
    monkeypatch.setattr(weights, "TINY", "no_such_carrier")
    with pytest.raises(ModelError, match="Run: attend setup hear"):
        weights.find_model()


def test_the_parts_of_the_base_model_are_joined_once_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, content in (("1", b"first"), ("2", b"second")):
        data = tmp_path / f"carrier_part{number}" / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"model.bin.part{number}").write_bytes(content)
        (data / "config.json").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "BASE", ("carrier_part1", "carrier_part2"))
    with pytest.raises(ModelError, match="have SHA-256"):
        weights.find_model()
    monkeypatch.setattr(weights, "BASE_SHA256", "da83f63e1a473003712c18f5afc5a79044221943d1083c7c5a7ac7236d85e8d2")
    folder = weights.find_model()
    assert (folder / "model.bin").read_bytes() == b"firstsecond"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.bin"]
    written_ns = (folder / "model.bin").stat().st_mtime_ns
    assert weights.find_model() == folder
    assert (folder / "model.bin").stat().st_mtime_ns == written_ns
