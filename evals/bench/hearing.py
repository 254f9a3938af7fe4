"""Word error rate and speed of speech to text, on speech by espeak-ng, clean and in noise.

    python -m evals.bench.hearing [--json FILE]

Four passages of six sentences, each read by another voice, go through the whole path of `attend transcribe`: decoding,
voice detection, windows, recognition, one thread. Pink noise is added at several ratios of speech to noise. The
recognisers that are installed are compared in the same run: Whisper tiny.en and base (see `tools.hearing.weights`), and
pocketsphinx. Speech is synthetic: people are recognised better, rooms and distance are not measured.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tools.errors import ModelError
from tools.hearing.options import HearingOptions
from tools.hearing.weights import BASE, BASE_FOLDER, TINY, TINY_FOLDER, assembled, package_data
from tools.hearing.whisper import open_ear
from tools.hearing.windows import LIVE_WINDOW_S, WINDOW_S, listen
from tools.media.options import MediaOptions
from tools.media.sound import RATE_HZ, Sound, read_sound

Hear = Callable[[np.ndarray], str]
"""Returns the words of samples (16 kHz, float32)."""

PASSAGES = {
    "en-us": """The train to the coast leaves in the morning from the last platform. Please bring your passport and a
        warm coat. Dinner is served in the dining car after sunset. The conductor checks the tickets at every border.
        Do not leave your bags near the doors. We wish you a pleasant journey.""",
    "en-gb": """The patient slept well and had breakfast at the window. Her blood pressure was measured before noon. The
        doctor changed the bandage on her left knee. She may walk in the garden with a nurse. Her daughter will visit
        her on Sunday. Nobody should move the second bed.""",
    "en-us+f3": """A cyclist crosses the bridge and stops at the red light. Two children wave from the other side of the
        street. A delivery van blocks the entrance of the bakery. The driver carries four boxes into the shop. It
        begins to rain, and people open their umbrellas. The light turns green, and everybody moves on.""",
    "en-gb+m3": """Welcome to the evening news. The mayor has opened the new library beside the river. Farmers expect a
        good harvest despite the dry summer. The football match was cancelled because of the storm. Scientists have
        found an old ship under the harbour. The weather will be cloudy with sunshine in the west.""",
}
"""Passages by the voice that reads them."""
RATIOS_DB = (None, 20, 10, 5, 0)
"""Ratios of speech to noise; None adds no noise."""
WORDS_A_MINUTE = 150
NOISE_S = 20.0


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        parser.error("espeak-ng is not installed; run: apt-get install espeak-ng")
    with tempfile.TemporaryDirectory() as folder:
        spoken = [(speak(text, voice, Path(folder)), text) for voice, text in PASSAGES.items()]
    seconds = sum(len(samples) for samples, _ in spoken) / RATE_HZ
    words = sum(len(plain_words(text)) for _, text in spoken)
    print(f"{len(spoken)} passages, {words} words, {seconds:.0f} s")
    print(f"{'recogniser':28} {'noise':>6} {'WER':>6} {'wall':>6} {'CPU':>6}")
    rows = []
    for name, hear in recognisers():
        hear(spoken[0][0])  # loads the model
        for ratio_db in RATIOS_DB:
            row = measure(name, hear, spoken, ratio_db)
            rows.append(row)
            noise = "clean" if ratio_db is None else f"{ratio_db} dB"
            print(f"{name:28} {noise:>6} {row['wer']:6.3f} {row['wall']:6.2f} {row['cpu']:6.2f}", flush=True)
        invented = len(plain_words(hear(pink(round(NOISE_S * RATE_HZ), seed=9) * 0.1)))
        rows.append({"recogniser": name, "noise": "only", "words": invented})
        print(f"{name:28} words invented in {NOISE_S:.0f} s of noise alone: {invented}")
    if given.json:
        found = {"passages": len(spoken), "words": words, "seconds": round(seconds, 1), "rows": rows}
        given.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def recognisers() -> Iterator[tuple[str, Hear]]:
    """Yield the recognisers that are installed, by name."""
    if tiny := package_data(TINY, TINY_FOLDER):
        yield "Whisper tiny.en", whisper(tiny, WINDOW_S)
        yield "Whisper tiny.en, live", whisper(tiny, LIVE_WINDOW_S)
    parts = [part for package in BASE if (part := package_data(package, BASE_FOLDER))]
    if len(parts) == len(BASE):
        yield "Whisper base", whisper(assembled(parts), WINDOW_S)
    if importlib.util.find_spec("pocketsphinx"):
        yield "pocketsphinx", pocketsphinx()


def whisper(folder: Path, window_s: float) -> Hear:
    """Return a recogniser with the windows of a recording or of a live source."""
    ear = open_ear(HearingOptions(model=str(folder)))

    def hear(samples: np.ndarray) -> str:
        return " ".join(line.text for line in listen([Sound(0.0, samples)], ear.find_speech, ear.transcribe, window_s))

    return hear


def pocketsphinx() -> Hear:
    """Return the recogniser of CMU Sphinx with the model that its package brings."""
    decoder = importlib.import_module("pocketsphinx").Decoder(samprate=RATE_HZ)

    def hear(samples: np.ndarray) -> str:
        decoder.start_utt()
        decoder.process_raw((samples.clip(-1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found else ""

    return hear


def measure(
    name: str, hear: Hear, spoken: Sequence[tuple[np.ndarray, str]], ratio_db: int | None
) -> dict[str, str | float]:
    """Return the word error rate over all passages, and the time taken per second of speech."""
    errors = words = 0
    seconds = wall_s = cpu_s = 0.0
    for number, (samples, text) in enumerate(spoken):
        heard = samples if ratio_db is None else with_noise(samples, ratio_db, seed=number)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        found = hear(heard)
        wall_s += time.monotonic() - began_s
        cpu_s += time.process_time() - began_cpu_s
        expected = plain_words(text)
        errors += distance(expected, plain_words(found))
        words += len(expected)
        seconds += len(samples) / RATE_HZ
    noise = "clean" if ratio_db is None else f"{ratio_db} dB"
    return {
        "recogniser": name,
        "noise": noise,
        "wer": round(errors / words, 3),
        "wall": round(wall_s / seconds, 2),
        "cpu": round(cpu_s / seconds, 2),
    }


def speak(text: str, voice: str, folder: Path) -> np.ndarray:
    """Have a text read by espeak-ng; returns samples at 16 kHz."""
    path = folder / "speech.wav"
    command = ["espeak-ng", "-v", voice, "-s", str(WORDS_A_MINUTE), "-w", str(path), " ".join(text.split())]
    subprocess.run(command, check=True, capture_output=True)
    with wave.open(str(path)) as file:
        if not file.getnframes():
            raise ModelError(f"espeak-ng wrote no sound with the voice {voice!r}.", remedy="Install its voices.")
    return np.concatenate([sound.samples for sound in read_sound(str(path), MediaOptions())])


def with_noise(samples: np.ndarray, ratio_db: float, seed: int) -> np.ndarray:
    """Add pink noise at a ratio of the powers of speech and noise."""
    noise = pink(len(samples), seed)
    power = float(np.square(samples).mean()) / 10 ** (ratio_db / 10)
    return (samples + noise * np.sqrt(power / np.square(noise).mean())).astype(np.float32)


def pink(length: int, seed: int) -> np.ndarray:
    """Return noise whose power falls with the frequency, at most 1."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    noise = np.fft.irfft(spectrum, length)
    return (noise / np.abs(noise).max()).astype(np.float32)


def plain_words(text: str) -> list[str]:
    """Return the words of a text, lower case, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower().replace("-", " "))


def distance(expected: Sequence[str], found: Sequence[str]) -> int:
    """Return the number of words inserted, left out or replaced (Levenshtein)."""
    row = list(range(len(found) + 1))
    for count, word in enumerate(expected, 1):
        diagonal, row[0] = row[0], count
        for at, other in enumerate(found, 1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other))
    return row[-1]


if __name__ == "__main__":
    main()
