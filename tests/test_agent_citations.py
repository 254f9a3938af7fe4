"""Citations are checked by code: a time that was not shown is found, marked, and never resolved to a frame."""

from hypothesis import given
from hypothesis import strategies as st

from agent.core.citations import TOLERANCE_S, check_citations, repair_hint
from tools.base import Evidence, SeenFrame
from tools.media import cited_times, format_clock, parse_clock

WINDOW = [SeenFrame(frame_id=str(t), t_s=float(t)) for t in (0, 4, 9)]
times = st.integers(0, 10 * 3600 * 10).map(lambda tenths: tenths / 10)


def test_a_cited_moment_resolves_to_its_frame() -> None:
    answer = check_citations("A dog [0:04], later a cat [0:09]. The dog [0:04] again.", WINDOW, [])
    assert [(citation.t_s, citation.frame_id) for citation in answer.citations] == [(4.0, "4"), (9.0, "9")]
    assert answer.unverified == ()
    assert answer.text == "A dog [0:04], later a cat [0:09]. The dog [0:04] again."


def test_a_moment_that_was_not_shown_is_marked() -> None:
    answer = check_citations("A dog [0:04] and a cat [0:06].", WINDOW, [])
    assert answer.unverified == (6.0,)
    assert answer.text == "A dog [0:04] and a cat [unverified 0:06]."
    assert "0:06" in repair_hint(answer, WINDOW)
    assert "[0:09]" in repair_hint(answer, WINDOW)


def test_no_way_of_writing_a_time_in_brackets_escapes_the_check() -> None:
    for written in ("[0:55]", "[0:04-0:55]", "[0:04, 0:55]", "[at 0:55]", "[0:55.25]", "[0:00:55]"):
        answer = check_citations(f"Red {written}.", WINDOW, [])
        assert answer.unverified, written
        assert f"[unverified {written[1:]}" in answer.text


def test_a_frame_that_a_tool_found_but_the_model_was_not_shown_is_no_ground() -> None:
    found = [Evidence(id="frame", kind="frame", t_s=62.0, frame_id="f")]
    assert check_citations("A bus [1:02].", WINDOW, found).unverified == (62.0,)


def test_evidence_of_tools_may_be_cited_too() -> None:
    evidence = [Evidence(id="note", kind="note", text="a bus", t_s=62.5, frame_id="f")]
    assert check_citations("A bus [1:02.5].", WINDOW, evidence).citations[0].frame_id == "f"


def test_times_without_brackets_are_speech_not_citations() -> None:
    assert check_citations("The clock on the wall says 10:32.", WINDOW, []).unverified == ()


@given(times, times)
def test_a_citation_is_verified_exactly_within_the_tolerance(shown_s: float, cited_s: float) -> None:
    answer = check_citations(f"[{format_clock(cited_s)}]", [SeenFrame(frame_id="f", t_s=shown_s)], [])
    assert bool(answer.citations) == (abs(shown_s - parse_clock(format_clock(cited_s))) <= TOLERANCE_S)


@given(times)
def test_clock_times_survive_writing_and_reading(t_s: float) -> None:
    assert parse_clock(format_clock(t_s)) == t_s
    assert cited_times(f"x [{format_clock(t_s)}] y") == [t_s]
