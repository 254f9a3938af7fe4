"""Personal details are taken out of texts and pictures; what has a shape or a label is always found."""

import importlib.util
import itertools
import re
import string
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evals.bench.redteam_desk import BANNER, CONTROLS, Page, draw_page
from tools.media.types import Box
from tools.ocr import Word, read_words
from tools.privacy import presidio
from tools.privacy.redact import PhiError, Redactor, redact_image, redact_text

CASES = yaml.safe_load((Path(__file__).parent / "data/privacy.yaml").read_text("utf-8"))
NAMES = st.sampled_from(["Doe", "García", "Müller", "O'Brien", "Nguyen", "Åkesson", "Lee"])
FIRST = st.sampled_from(["John", "Élodie", "Anna-Lena", "Wei", "Jürgen"])
AROUND = st.sampled_from(["", "Seen today. ", "note: ", "(", "Patient "])
DATE_FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%Y%m%d", "%d %b %Y", "%B %d, %Y", "%d-%b-%Y")


def gone(text: str, *details: str) -> bool:
    clean = redact_text(text)
    return not any(detail in clean for detail in details)


@given(before=AROUND, last=NAMES, first=FIRST, middle=st.sampled_from(["", "^Q", "^Maria"]))
def test_dicom_names(before: str, last: str, first: str, middle: str) -> None:
    assert gone(f"{before}{last}^{first}{middle} CT chest", last, first)


@given(
    before=AROUND,
    label=st.sampled_from(
        ["MRN", "mrn:", "MRN #", "Patient ID:", "PatientID", "Pat. ID", "Fallnummer", "NHC:", "Accession:"]
    ),
    value=st.from_regex(r"[A-Z]{0,2}\d{4,9}", fullmatch=True),
)
def test_record_numbers(before: str, label: str, value: str) -> None:
    assert gone(f"{before}{label} {value}, stable", value)


@given(day=st.dates(date(1900, 1, 1), date(2059, 12, 31)), form=st.sampled_from(DATE_FORMS), before=AROUND)
def test_dates(day: date, form: str, before: str) -> None:
    told = day.strftime(form)
    assert gone(f"{before}{told} was the day", told)


@given(
    number=st.one_of(
        st.from_regex(r"\+49 [0-9]{2,4} [0-9]{5,8}", fullmatch=True),
        st.from_regex(r"\([0-9]{3}\) [0-9]{3}-[0-9]{4}", fullmatch=True),
        st.from_regex(r"[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}", fullmatch=True),
        st.from_regex(r"0[0-9]{3}/[0-9]{5,7}", fullmatch=True),
        st.from_regex(r"\+1[0-9]{10}", fullmatch=True),
    ),
    before=AROUND,
)
def test_telephone_numbers(number: str, before: str) -> None:
    assert gone(f"{before}{number} after 5 pm", number, number[-4:])


@given(st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,10}@[a-z0-9-]{1,10}\.(org|com|de)", fullmatch=True))
def test_mail_addresses(address: str) -> None:
    assert gone(f"write to {address} today", address)


@given(st.from_regex(r"[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}", fullmatch=True))
def test_social_security_numbers(number: str) -> None:
    assert gone(f"SSN {number}.", number)


@pytest.mark.parametrize(("text", "clean"), CASES["screen_cleaned"])
def test_other_details(text: str, clean: str) -> None:
    assert redact_text(text) == clean


@pytest.mark.parametrize("text", CASES["screen_kept"])
def test_what_is_no_detail_stays(text: str) -> None:
    assert redact_text(text) == text


@given(st.text(max_size=200))
def test_no_text_breaks_it_and_twice_is_once(text: str) -> None:
    redactor = Redactor()
    found = redactor.find(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    once = redactor.text(text)
    assert once == text if not found else once != text


@given(
    known=st.text(string.ascii_letters, min_size=3, max_size=12),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    upper=st.booleans(),
)
def test_what_is_known_is_always_found(known: str, before: str, after: str, upper: bool) -> None:
    told = known.upper() if upper else known.lower()
    clean = redact_text(f"{before} {told}, {after}", known=(f"{known}, X",))
    assert f" {told}, " not in clean or told in before + after


def test_boxes_that_hold_details_are_blackened_and_others_kept() -> None:
    rgb = np.full((100, 200, 3), 255, np.uint8)
    words = [
        Word("MRN", Box(0.0, 0.0, 0.2, 0.2), 0.9),
        Word("4471902", Box(0.3, 0.0, 0.6, 0.2), 0.9),  # known as a number only by the word before it
        Word("Glucose 5.4", Box(0.0, 0.5, 0.5, 0.7), 0.9),
        Word("Doe^Jane", Box(0.8, 0.8, 1.0, 1.0), 0.9),
    ]
    clean = redact_image(rgb, words)
    assert (clean[0:20, 60:120] == 0).all()
    assert (clean[80:100, 160:200] == 0).all()
    assert (clean[45:75, 0:110] == 255).all()
    assert (rgb == 255).all()


def test_a_real_screen_is_read_and_blackened() -> None:
    screen = draw_page(Page(CONTROLS, texts=((20, 200, "Glucose 5.4 mmol/L"), (20, 240, "called 555-201-3344"))))
    assert "4471902" in " ".join(word.text for word in read_words(screen))
    left = " ".join(word.text for word in read_words(redact_image(screen, known=("Doe, Jane",))))
    for detail in ("4471902", "1980", "Jane", "3344"):
        assert detail in BANNER + "555-201-3344"
        assert detail not in left
    assert "Glucose" in left


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is not None, reason="Presidio is installed")
def test_strict_refuses_without_presidio() -> None:
    with pytest.raises(PhiError, match="Presidio is not installed"):
        redact_text("nothing personal", "strict")
    with pytest.raises(PhiError):
        redact_image(np.zeros((10, 10, 3), np.uint8), [], "strict")


def test_a_picture_whose_words_cannot_be_read_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import tools.ocr

    monkeypatch.setattr(tools.ocr, "_engine", tools.ocr._engine.__wrapped__)
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(PhiError, match="cannot read the words of the picture"):
        redact_image(np.zeros((40, 40, 3), np.uint8))


def test_the_package_needs_neither_screens_nor_literature() -> None:
    sources = [path.read_text("utf-8") for path in Path(presidio.__file__).parent.glob("*.py")]
    assert len(sources) > 5
    assert not [line for text in sources for line in text.splitlines() if re.search(r"import .*|from", line)
                and re.search(r"tools\.(?:gui|literature)", line)]  # fmt: skip
