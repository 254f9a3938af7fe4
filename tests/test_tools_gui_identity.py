"""Whether a banner names the expected patient and nobody else."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.gui.guard.identity import Identity, Patient, check_identity
from tools.gui.types import Screen

JANE = Patient(name="Doe, Jane", birth_date="1980-01-02", id="4471902")
SHORT = Patient(name="Doe, Jane", birth_date="01/12/1980", id="12")
MÜLLER = Patient(name="Müller, Jürgen", birth_date="02.01.1980", id="4471902")
ARCHIBALD = Patient(name="Doe^Archibald", birth_date="Wednesday, January 2, 1980", id="7700123")
PLAIN = Patient(name="Jane Doe", birth_date="2 Jan 1980", id="4471902")
COMPACT = Patient(name="DOE, JANE", birth_date="19800102", id="P-0012")
MAYBE_JANES = (date(1980, 1, 2), date(1980, 2, 1))
"""01/02/1980 may be either."""
EXPLORER = (
    "Patient Doe^Archibald PatientID: 7700123 PatientBirthDate: Wednesday, January 2, 1980 PatientSex: M Study HEAD CT "
    "StudyDate: Thursday, January 2, 2020 StudyInstanceUID: 1.2.826.0.1 AccessionNumber: 1234567 InstitutionName: A, B"
)


def check(banner: str, patient: Patient = JANE) -> Identity:
    screen = Screen(rgb=np.zeros((10, 10, 3), np.uint8))
    return check_identity(screen, screen.rect, patient, [lambda *_: banner] * 2)


@pytest.mark.parametrize(
    ("banner", "because"),
    [
        ("Roe, John 1970-03-04 4471903 | recent: Doe, Jane 1980-01-02 4471902", "a second date"),
        ("MRN 4471903 Roe, John DOB 1970-03-04 Recent: Doe, Jane 1980-01-02 4471902", "birth date expected"),
        ("Roe, John | recent: Doe, Jane 1980-01-02 4471902", "speak of somebody else"),
        ("Roe, John 4471903 Doe, Jane 1980-01-02 4471902", "a second number"),
        ("ROE, JOHN Doe, Jane 1980-01-02 4471902", "a second name"),
        ("Doe, Jane 1980-01-02 4471902 | Roe, John", "a second name"),
        ("Doe, Jane 1980-01-02 4471902 | Roe^John", "a second name"),
        ("Doe, Jane, F, 1980-01-02 4471902, Roe, John, M", "a second name"),
        ("Doe, Jane 1980-01-02 4471902 ROE, JO", "a second name"),
        ("Doe, Jane 1980-01-02 4471902 4471903 M", "a second number"),
        ("Doe, Jane 1980-01-02 4471902 447190", "a second number"),
        ("Doe, Jane 1980-01-02 4471902 03/04/1970", "a second date"),
        ("Doe, Jane 1980-01-02 4471902 4 Mar 1970", "a second date"),
        ("John Roe 9911 Doe, Jane 1980-01-02 4471902", "a number before the ID"),
        ("Baby Boy Doe 2026-11-01 No. 9911 (mother: Doe, Jane 1980-01-02 4471902)", "a second date"),
        ("Baby Boy Doe (mother: Doe, Jane 1980-01-02 4471902)", "speak of somebody else"),
        ("NOT Doe, Jane 1980-01-02 4471902", "speak of somebody else"),
        ("Doe, Jane 1980-01-02 Tel 4471902", "appears only in"),
        ("Doe, Jane 1980-01-02 Ward 4471902", "appears only in"),
        ("Doe, Jane 1980-01-02 Case 4471902 PatNr 88", "id expected"),
    ],
)
def test_a_banner_that_names_another_halts_and_the_reason_names_nobody(banner: str, because: str) -> None:
    found = check(banner)
    assert not found.holds
    assert because in found.reason
    for told in ("447190", "Jane", "John", "1980", "1970", "Roe"):
        assert told.casefold() not in found.reason.casefold()


@pytest.mark.parametrize(
    "banner",
    [
        "Doe, Jane (46 y, F) DOB 1980-01-02 MRN 4471902 Ward 4 East, Bed 2 Admitted 2026-11-20 Case 9981233",
        "Doe, Jane 46 y female born 1980-01-02 ID 4471902 Visit 7712345 Attending: Smith, Anna MD PCP Dr. Roe, Richard",
        "Doe, Jane 1980-01-02 4471902 Tel 555 0142 Allergies: Penicillin, Latex",
        "Doe, Jane 1980-01-02 (02-Jan-1980) 4471902 weight 72.5 kg BP 120/80",
        "Fallnummer 99812 ID 4471902 Doe, Jane 1980-01-02",
        "Doe, Jane 1980-01-02 Fallnummer 4471902",
        "Case ID 99812 ID 4471902 Doe, Jane 1980-01-02 admission date: 20.11.2026 10:32",
        "Doe, Jane 1980-01-02 MRN 4471902 Encounter # 8812345 Enc. date 2026-11-20",
        "Bed 4 4471902 Doe, Jane, Female, 1980-01-02 Tel +49 221 4711 22 4471902",
        "Home  Recent  Doe, Jane 1980-01-02 4471902/F",
        "Last name: Doe, Jane 1980-01-02 4471902 Boston, MA",
        "Doe, Jane Maria—1980-01-02—4471902",
        "Doe, Jane 1980-01-02 4471902 Allergies: none  Next visit: 2026-12-01",
        "Doe, Jane, Sex: F, DOB: 1980-01-02, MRN: 4471902, Religion: None, Language: English",
        "Mrs Doe, Jane, Female, Ward 4, Bed 2, 1980-01-02, 4471902",
        "Doe, Jane 1980-01-02 MRN: 4471902 Code Status: Full, Isolation: Contact, Droplet Allergies: Latex, Nuts, Eggs",
        "DOE, JANE  F 46y  1980-01-02  4471902  ICU/12  Dr SMITH, A  Attending: Smith, Anna, MD  Wt: 72 kg Bed: 4E-12",
        "Doe, Jane geb. 1980-01-02 Pat.-Nr. 4471902 Fall-Nr.: 81234567 Zimmer: 12 Kasse: AOK, Privat Hausarzt: Ott, M",
        "Paciente: Doe, Jane F. nac.: 1980-01-02 NHC: 4471902 Ingreso: 20/11/2026 Cama: 12 Episodio: 7712345",
        "Patient : DOE, JANE Née le 1980-01-02 IPP 4471902 Séjour 88123456 Entrée le 20/11/2026 Chambre 12",
    ],
)
def test_what_else_an_ordinary_banner_tells_is_no_second_patient(banner: str) -> None:
    assert check(banner) == Identity(True)


@pytest.mark.parametrize(
    ("patient", "banner", "holds"),
    [
        (SHORT, "Doe, Jane 01/12/1980 (46 y) MRN: 12 Ward 4", True),
        (SHORT, "Doe, Jane 01/12/1980 Pat.-Nr. 13", False),
        (SHORT, "Doe, Jane 01/12/1980 Chart No 13", False),
        (SHORT, "Doe, Jane 01/12/1980 Tel 0221 12 34", False),
        (SHORT, "Doe, Jane 01/12/1980 Fall 12/2024", False),
        (MÜLLER, "MÜLLER, Jürgen geb. 02.01.1980 Fallnummer 99812 ID 4471902", True),
        (MÜLLER, "Müller, Jürgen 02.01.1980 (46 J.) 4471902 Station 4 Ost Aufnahme am 20.11.2026", True),
        (MÜLLER, "Müller, Jürgen 02.01.1980 4471902 20.11.1926", False),
        (ARCHIBALD, EXPLORER, True),
        (ARCHIBALD, EXPLORER.replace("Patient ", "Patient Roe^John ", 1), False),
        (PLAIN, "Jane Doe F 46 years 2 Jan 1980 4471902", True),
        (PLAIN, "John Roe 4 Mar 1970 | Jane Doe F 46 years 2 Jan 1980 4471902", False),
        (COMPACT, "DOE, JANE 19800102 P-0012", True),
        (COMPACT, "DOE, JANE 19800102 P-0012 19700304", False),
        (COMPACT, "DOE, JANE 19800102 P-0012 P-0013", False),
    ],
)
def test_other_ways_to_write_dates_numbers_and_names(patient: Patient, banner: str, holds: bool) -> None:
    assert check(banner, patient).holds == holds


@pytest.mark.parametrize("expected", ["O'Neil-Díaz, Zoë", "O’Neil‑Díaz, Zoë"])
@pytest.mark.parametrize(
    ("shown", "holds"),
    [
        ("O'Neil-Díaz, Zoë", True),
        ("O’Neil‐Díaz, Zoë", True),
        ("O`NEIL–DÍAZ, Zoe\u0308", True),
        ("O´Neil−Díaz, Zoë", True),
        ("O'Neil-Diaz, Zoë", False),
        ("O'Neil Díaz, Zoë", False),
        ("ONeil-Díaz, Zoë", False),
        ("Díaz, Zoë", False),
    ],
)
def test_apostrophes_and_hyphens_of_any_kind_are_one_and_accents_decide(expected: str, shown: str, holds: bool) -> None:
    patient = Patient(name=expected, birth_date="1980-01-02", id="4471902")
    assert check(f"{shown} 1980-01-02 4471902", patient).holds == holds


@given(
    born=st.dates(date(1900, 1, 1), date(2026, 12, 31)).filter(lambda day: day not in MAYBE_JANES),
    form=st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%d-%b-%Y"]),
    first=st.booleans(),
)
def test_any_other_birth_date_halts_wherever_it_stands(born: date, form: str, first: bool) -> None:
    own, other = "Doe, Jane 1980-01-02 4471902", born.strftime(form)
    assert "a second date" in check(f"{other} {own}" if first else f"{own} {other}").reason


@given(other=st.integers(1_000_000, 9_999_999), first=st.booleans())
def test_any_other_number_of_the_form_halts_wherever_it_stands(other: int, first: bool) -> None:
    own = "Doe, Jane 1980-01-02 4471902"
    assert check(f"{other} {own}" if first else f"{own} {other}").holds == (other == 4471902)


@given(st.text(alphabet="Doe, Jan1980-24471^'’./:(|Fall MRNr\n", max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    found = check(text)
    assert found.holds == (not found.reason)
