"""Words as the index knows them: codes stay whole, nothing that changes the meaning is left out."""

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tools.literature.retrieval.tokens as module
from tools.literature.retrieval.tokens import plain_tokens, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No rise, not without IL-6", ["no", "rise", "not", "without", "il-6"]),
        ("T2 and HbA1c", ["t2", "and", "hba1c"]),
        ("SARS-CoV-2 causes COVID-19", ["sars-cov-2", "sars", "causes", "covid-19", "covid"]),
        ("follow-up for 12-week and 65-year-old", ["follow", "up", "for", "12", "week", "and", "65", "year", "old"]),
        ("type 2, hepatitis B, influenza A", ["type", "2", "hepatitis", "b", "influenza", "a"]),
        ("This is a test (p < 0.05); I think", ["this", "is", "test", "05", "think"]),
        ("the patient's 5-HT and 5-fluorouracil", ["the", "patient", "5-ht", "and", "fluorouracil"]),
        ("TNF-α is TNF‐alpha", ["tnf", "alpha", "is", "tnf", "alpha"]),
        ("Ménière, Sjögren, µg, λ", ["meniere", "sjogren", "ug", "lambda"]),
        ("BRCA1/BRCA2 and T-cell/IL-10", ["brca1", "brca2", "and", "t-cell", "cell", "il-10"]),
        ("10⁹ cells", ["10", "cells"]),
        ("", []),
        ("?! - / --", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_the_example_holds() -> None:
    assert doctest.testmod(module).failed == 0


def test_plain_tokens_follow_the_rule_of_the_reference_figures() -> None:
    text = "No IL-6 in T2_x; a 12-week trial (naïve)"
    assert plain_tokens(text) == re.findall(r"\b\w\w+\b", text.lower())


@given(st.text())
def test_any_text_gives_lower_case_tokens_without_blanks(text: str) -> None:
    for token in tokens(text):
        assert token == token.lower()
        assert token.split() == [token]


@given(st.lists(st.from_regex(r"[a-z]{2,9}", fullmatch=True)))
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    assert tokens(", ".join(words)) == plain_tokens(" ".join(words)) == words


@given(st.text(), st.text())
def test_lines_are_cut_apart(one: str, other: str) -> None:
    assert tokens(f"{one}\n\n{other}") == tokens(one) + tokens(other)
