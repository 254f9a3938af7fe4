"""What narrative memory holds, drawn: what is read, the page in a real browser, and the PNG."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from memory.narrative.ingest.extract_rules import entities_of
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.story.html import MAX_BYTES, MAX_SEGMENTS, story_html
from memory.narrative.story.png import draw_story
from memory.narrative.story.read import MAX_PICTURES, OTHERS, PICTURE_PX, Story, importance, read_story
from memory.narrative.types import Chain, Entity, Event, Link, Segment, SourceSpan
from tests.fixtures.browsing import Open, check
from tests.narrative_helpers import embed, event, link, segment
from tools.errors import StoreError

pytest_plugins = ["tests.fixtures.browser"]

HOSTILE = (
    """</script><script>document.title = "taken"</script><img src=x onerror="document.title='taken'"> &lt; 🎬 $title"""
)
"""Words of a subtitle that would take over a page which reads them as HTML."""


MARKS = ["</script>", "</SCRIPT ", "<script>", "<!--", "-->", "&lt;", "\u2028", '"', "'", "\\", "$data", "word", " "]
"""What may end an element of HTML, a string of JavaScript, or a place of the template."""


def commit(folder: Path, *records: Any, clock: str = "seconds") -> NarrativeStore:
    store = NarrativeStore(folder, embed, writer=True)
    store.commit(Change(records, inputs={("tale", "clock"): clock}))
    return store


def tale() -> list[Any]:
    """Twelve segments of ten seconds with an event each; Ann acts in most, one is a flashback, a chain joins three."""
    segments = [segment(number, words=f"Told in segment {number}, {number} times.") for number in range(12)]
    events = [
        event(number, summary=f"Ann opens door {number}", actors=("Ann",) if number % 3 else ("Bob", "Ann"),
              within=segments[number])
        for number in range(11)
    ]  # fmt: skip
    events.append(
        event(11, summary="Ann was born", actors=("Ann",), within=segments[11]).model_copy(update={"story_s": 3.0})
    )
    links = [
        link(events[0], events[3], "causes", "she says so"),
        link(events[3], events[9], "motivates"),
        link(events[4], events[5], "contradicts"),
        *(link(one, other, "next") for one, other in pairwise(events)),
    ]
    chain = Chain(
        event_ids=(events[0].id, events[3].id, events[9].id),
        score=-0.25,
        span_s=91.0,
        summary="A door leads to the next.",
    )
    return [*segments, *events, *entities_of(events), *links, chain]


def told(story: Story) -> dict[str, Any]:
    """What the page of a story is given."""
    found = re.search(r'<script id="story" type="application/json">(.*?)</script>', story_html(story), re.DOTALL)
    assert found
    return json.loads(found[1])


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    with commit(tmp_path / "memory", *tale()) as store:
        return read_story(store, "tale", "tale.srt")


def browse(visit: Open, path: Path, story: Story, **options: Any) -> Page:
    path.write_text(story_html(story), encoding="utf-8")
    page = visit(SimpleNamespace(url=path.as_uri()), "", **options)
    expect(page.locator("#shown")).not_to_be_empty()
    return page


def test_all_that_is_held_is_read_and_lanes_are_those_who_act_most(story: Story) -> None:
    assert (len(story.segments), len(story.events), len(story.links), len(story.chains)) == (12, 12, 14, 1)
    assert story.lanes == ("Ann",)  # Bob never acts without her, and has no lane of his own
    assert story.actors[0] == ("Bob", "Ann")
    assert (story.start_s, story.end_s, story.clock, story.version) == (0.0, 120.0, "seconds", 1)


def test_what_nobody_with_a_lane_does_shares_the_last_lane(tmp_path: Path) -> None:
    events = [event(number, actors=(name,)) for number, name in enumerate(["Ann", "Ann", "Bob", "Bob", "Bob", "Cy"])]
    with commit(tmp_path, *(segment(number) for number in range(6)), *events) as store:
        found = read_story(store, "tale", "tale")
    assert found.lanes == ("Bob", "Ann", OTHERS)
    assert found.lane_of == (1, 1, 0, 0, 0, 2)


def test_one_person_of_two_names_has_one_lane(tmp_path: Path) -> None:
    events = [event(0, actors=("the stranger",)), event(1, actors=("Ann",)), event(2, actors=("Ann",))]
    stranger, ann = Entity(source="tale", name="the stranger"), Entity(source="tale", name="Ann")
    with commit(tmp_path, *(segment(number) for number in range(3)), *events, stranger, ann) as store:
        before = store.version
        store.merge(stranger.id, ann.id)
        assert read_story(store, "tale", "tale").lanes == ("Ann",)
        assert read_story(store, "tale", "tale", as_of=before).lanes == ("Ann", OTHERS)


def test_a_version_of_before_is_drawn_and_one_that_holds_nothing_is_told(tmp_path: Path) -> None:
    with commit(tmp_path, *tale()) as store:
        store.commit(Change((segment(12), event(12))))
        assert len(read_story(store, "tale", "tale").events) == 13
        assert len(read_story(store, "tale", "tale", as_of=1).events) == 12
        with pytest.raises(StoreError, match=r"no records of 'tale' at version 0.*the newest is 2"):
            read_story(store, "tale", "tale", as_of=0)
        with pytest.raises(StoreError, match="unknown version 9"):
            read_story(store, "tale", "tale", as_of=9)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12), st.randoms(use_true_random=False)
)
def test_importance_is_an_order_of_all_events_whatever_order_they_come_in(worths: Any, random: Any) -> None:
    events = [
        event(number).model_copy(update={"salience": salience, "confidence": confidence})
        for number, (salience, confidence) in enumerate(worths)
    ]
    links = [link(one, other) for one, other in pairwise(events)]
    order = importance(events, links, [])
    assert sorted(order) == list(range(len(events)))
    shuffled = random.sample(events, len(events))
    again = importance(shuffled, links, [])
    assert [shuffled[number].id for number in again] == [events[number].id for number in order]


def test_what_is_linked_or_in_a_chain_matters_more(story: Story) -> None:
    first = [story.events[number].summary for number in story.ranked[:5]]
    assert set(first[:3]) == {"Ann opens door 0", "Ann opens door 3", "Ann opens door 9"}
    assert set(first[3:]) == {"Ann opens door 4", "Ann opens door 5"}


def test_pictures_are_small_and_those_that_are_gone_are_told(tmp_path: Path) -> None:
    ids = {number: (f"{number:064x}", f"{number + 5000:064x}") for number in range(4)}
    segments = [segment(number).model_copy(update={"frame_ids": ids.get(number, ())}) for number in range(5)]
    held = {ids[0][0], ids[1][1], ids[2][0]}  # of segment 1 the second picture is left, of segment 3 none

    def picture(frame_id: str) -> np.ndarray:
        if frame_id not in held:
            raise StoreError("it is gone.")
        return np.full((180, 320, 3), (250, 0, 250), np.uint8)

    with commit(tmp_path, *segments, *(event(number, within=segments[number]) for number in range(5))) as store:
        found = read_story(store, "tale", "tale", picture)
        assert not read_story(store, "tale", "tale").pictures
    assert set(found.pictures) == {0, 1, 2}
    assert found.pictures[0].shape == (54, PICTURE_PX, 3)
    assert (found.gone, found.pictured) == ({3}, 4)
    page = told(found)
    shown = [row["picture"][:15] for row in rows(page["segments"])]
    assert shown == ["data:image/webp"] * 3 + ["gone", ""]
    png = draw_story(found, tmp_path / "story.png")
    drawn = cv2.imread(str(png))[..., ::-1].astype(int)
    assert (np.abs(drawn - (250, 0, 250)).max(-1) < 12).mean() > 0.01


def test_pictures_of_a_long_source_are_spread_over_it(tmp_path: Path) -> None:
    count = MAX_PICTURES + 150
    segments = [segment(number).model_copy(update={"frame_ids": (f"{number:064x}",)}) for number in range(count)]
    noise = np.random.default_rng(0).integers(0, 256, (54, 96, 3), np.uint8)  # as large as pictures can be
    with commit(tmp_path, *segments, event(0, within=segments[0])) as store:
        found = read_story(store, "tale", "tale", lambda _: noise)
    assert len(found.pictures) == MAX_PICTURES
    assert (min(found.pictures), max(found.pictures)) == (0, count - 1)
    assert len(story_html(found).encode()) < MAX_BYTES


def test_the_page_asks_for_nothing_and_lets_only_its_own_script_run(story: Story) -> None:
    html = story_html(story)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert re.findall(r"(?:src|href)=\"(?!data:)", html) == []
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html


def test_what_the_page_is_given_can_be_read_back_whole(story: Story) -> None:
    given_ = told(story)
    events = rows(given_["events"])
    assert [one["start_s"] for one in events] == [one.start_s for one in story.events]
    assert [one["elsewhen"] for one in events] == [False] * 11 + [True]
    assert [given_["names"][number] for number in events[0]["actors"]] == ["Bob", "Ann"]
    links = rows(given_["links"])
    assert len(links) == 14
    causes = next(one for one in links if given_["types"][one["type"]][0] == "causes")
    assert (causes["src"], causes["dst"], given_["whys"][causes["why"]]) == (0, 3, "she says so")
    assert rows(given_["chains"])[0]["events"] == [0, 3, 9]


@given(
    st.lists(st.sampled_from(MARKS) | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).map("".join)
)
def test_no_words_leave_their_place_in_the_page(words: str) -> None:
    told_by = segment(0).model_copy(update={"caption": words})
    span = SourceSpan(segment_id=told_by.id, field="caption", start=0, end=len(words))
    one = event(0, within=told_by).model_copy(update={"summary": words, "spans": (span,), "actors": (words,)})
    made = Story(
        title=words, clock="seconds", version=1, segments=(told_by,), events=(one,), links=(), chains=(),
        actors=((words,),), objects=((),), lanes=(words,), lane_of=(0,), ranked=(0,), pictures={}, pictured=0,
        gone=frozenset(),
    )  # fmt: skip
    html = story_html(made)
    assert html.count("<script") == html.count("</script>") == 2
    given_ = told(made)
    assert (given_["title"], given_["lanes"], given_["names"]) == (words, [words], [words])
    (row,) = rows(given_["segments"])
    assert row["caption"] == words
    (shown,) = rows(given_["events"])
    assert shown["summary"] in (words, 0)


def hostile() -> list[Any]:
    told_by = Segment(source="tale", number=0, start_s=0.0, end_s=10.0, dialogue=f"Before. {HOSTILE} After.")
    span = SourceSpan(segment_id=told_by.id, field="dialogue", start=8, end=8 + len(HOSTILE))
    one = Event(
        source="tale", segment_ids=(told_by.id,), start_s=1.0, end_s=2.0, summary=" ".join(HOSTILE.split()),
        actors=("<b>Ann</b>",), place="<i>here</i>", spans=(span,),
    )  # fmt: skip
    other = one.model_copy(update={"start_s": 3.0, "end_s": 4.0})
    why = Link(src=one.id, dst=other.id, type="causes", why='"><script>document.title = "taken"</script>')
    chain = Chain(event_ids=(one.id, other.id), score=-0.5, span_s=3.0, summary=HOSTILE)
    return [told_by, one, other, why, chain]


def test_hostile_words_are_shown_as_words_in_a_browser(tmp_path: Path, visit: Open) -> None:
    with commit(tmp_path / "memory", *hostile()) as store:
        page = browse(visit, tmp_path / "story.html", read_story(store, "tale", HOSTILE))
    page.locator("#chart .card").first.click()
    expect(page.locator("#details h2")).to_have_text(HOSTILE)
    expect(page.locator("#details mark")).to_have_text(HOSTILE)
    expect(page.locator("#details blockquote")).to_contain_text("Before.")
    expect(page.locator("#details blockquote")).to_contain_text("After.")
    expect(page.locator("#details dd").nth(1)).to_have_text("<b>Ann</b>")
    expect(page.locator("#chains .told")).to_have_text(HOSTILE)
    assert page.title() == f"{HOSTILE} – story"
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0


def test_events_are_found_pointed_at_and_kept(story: Story, tmp_path: Path, visit: Open) -> None:
    page = browse(visit, tmp_path / "story.html", story)
    expect(page.locator("#counts")).to_have_text(
        "12 segments, 2:00; 12 events, 14 links, 1 chain; version 1 of the memory"
    )
    expect(page.locator("#shown")).to_have_text("0:00 to 2:00; 12 events; 3 links")  # those called next are hidden
    page.get_by_label("next (11)").check()
    expect(page.locator("#shown")).to_contain_text("14 links")
    expect(page.locator("#chart path.link.next")).to_have_count(11)
    page.get_by_label("causes (1)").uncheck()
    expect(page.locator("#chart path.link.causes")).to_have_count(0)
    page.locator("#chart .card").first.hover()
    expect(page.locator("#details")).to_contain_text("Ann opens door")
    expect(page.locator("#details")).to_contain_text("written by")
    page.locator("#overview").hover()
    expect(page.locator("#details")).to_contain_text("Point at an event")
    page.get_by_label("Find").fill("BORN")
    expect(page.locator("#shown")).to_contain_text("1 event of the story found")
    expect(page.locator("#chart [role=option]")).to_have_count(1)
    page.locator("#chart .card").click()
    details = page.locator("#details")
    expect(details).to_contain_text("0:03, a flashback")
    expect(details.locator("mark")).to_have_text("Told")
    expect(details).to_contain_text("caption, segment 12, 1:50")
    page.get_by_label("Find").fill("")
    page.locator("#who").select_option("Bob")
    expect(page.locator("#chart [role=option]")).to_have_count(4)
    expect(page.locator("#shown")).to_contain_text("4 events of the story found")


def test_a_chain_is_listed_chosen_and_highlighted(story: Story, tmp_path: Path, visit: Open) -> None:
    page = browse(visit, tmp_path / "story.html", story)
    button = page.locator("#chains button")
    expect(button).to_contain_text("causal, 3 events, score -0.25, over 1:31 from 0:00")
    expect(button).to_contain_text("A door leads to the next.")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("path.chain")).to_have_count(2)
    expect(page.locator("i.bar.chained")).to_have_count(3)
    page.locator("#lanes").select_option("chain")
    expect(page.locator(".lane-name")).to_have_text(["chain 1", "in no chain"])
    button.click()
    expect(page.locator("path.chain")).to_have_count(0)


def test_everything_can_be_done_by_keyboard(story: Story, tmp_path: Path, visit: Open) -> None:
    page = browse(visit, tmp_path / "story.html", story)
    chart = page.get_by_role("listbox", name="Events")
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(chart).to_have_attribute("aria-activedescendant", "event-0")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#details h2")).to_have_text("Ann opens door 3")
    page.keyboard.press("Enter")
    expect(chart.get_by_role("option", selected=True)).to_have_attribute(
        "aria-label", "0:30 to 0:31. Bob, Ann: Ann opens door 3"
    )
    expect(page.locator("#chart path.link.near")).to_have_count(2)
    page.keyboard.press("+")
    expect(page.locator("#shown")).not_to_contain_text("0:00 to 2:00")
    expect(page.locator("#event-3")).to_be_visible()
    page.keyboard.press("0")
    expect(page.locator("#shown")).to_contain_text("0:00 to 2:00")
    page.keyboard.press("Escape")
    expect(chart.get_by_role("option", selected=True)).to_have_count(0)
    expect(chart).not_to_have_attribute("aria-activedescendant", re.compile("."))
    page.locator("#chart .card").first.click()
    link_ = page.locator("#details ul button").first
    link_.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#details h2")).to_have_text("Ann opens door 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_in_both_themes_and_every_control_has_a_name(
    story: Story, tmp_path: Path, visit: Open, scheme: str
) -> None:
    page = browse(visit, tmp_path / "story.html", story, color_scheme=scheme)
    page.locator("#chart .card").first.click()
    page.locator("#list summary").click()
    expect(page.locator("#list li")).to_have_count(12)
    assert check(page, "poorContrast") == []
    assert check(page, "nameless") == []
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_a_phone_needs_no_sideways_scrolling(story: Story, tmp_path: Path, visit: Open) -> None:
    page = browse(visit, tmp_path / "story.html", story, viewport={"width": 360, "height": 740}, has_touch=True)
    page.locator("#chart .card").first.tap()
    expect(page.locator("#details h2")).to_be_in_viewport()
    expect(page.locator("#chart .kept").last).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Let go").tap()
    expect(page.locator("#details")).to_contain_text("Point at an event")


def test_it_prints_on_paper_in_light_colours(story: Story, tmp_path: Path, visit: Open) -> None:
    page = browse(visit, tmp_path / "story.html", story, color_scheme="dark")
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("#find")).to_be_hidden()
    expect(page.locator("#chains button")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    page.emulate_media(media="screen")
    page.keyboard.press("Tab")
    expect(page.locator("#shown")).to_contain_text("12 events")


def test_sections_are_no_times(tmp_path: Path, visit: Open) -> None:
    segments = [
        segment(number).model_copy(update={"start_s": float(number), "end_s": number + 1.0}) for number in range(40)
    ]
    events = [
        event(number, within=segments[number]).model_copy(update={"start_s": number + 0.0, "end_s": number + 0.5})
        for number in range(40)
    ]
    chain = Chain(event_ids=(events[1].id, events[30].id), score=-0.5, span_s=29.5)
    with commit(tmp_path / "memory", *segments, *events, chain, clock="sections") as store:
        found = read_story(store, "tale", "tale.txt")
    page = browse(visit, tmp_path / "story.html", found)
    expect(page.locator("#counts")).to_contain_text("40 sections; 40 events")
    expect(page.locator("#shown")).to_contain_text("sections 1 to 40; 40 events")
    expect(page.locator("#chains button")).to_contain_text("over 30 sections from section 2")
    page.locator("#chart").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#details dd").first).to_have_text("section 1")
    assert not re.search(r"\d:\d\d", page.locator("body").inner_text())
    draw_story(found, tmp_path / "story.png")


def test_ten_thousand_events_still_open(tmp_path: Path, visit: Open) -> None:
    count = 10_000
    words = "Somebody opens a door, sees who waits behind it, and closes it again for the {} time on that day."
    segments = [segment(number, words=words.format(number)) for number in range(count)]
    events = [
        event(number, summary=words.format(number), actors=(f"Person {number % 7}",), within=segments[number])
        for number in range(count)
    ]
    links = [link(events[number], events[number + 40]) for number in range(0, count - 40, 3)]
    with commit(tmp_path / "memory", *segments, *events, *links) as store:
        found = read_story(store, "tale", "tale.srt")
    assert len(story_html(found).encode()) <= MAX_BYTES
    page = browse(visit, tmp_path / "story.html", found)
    shown = page.locator("#shown")
    expect(shown).to_contain_text("the 400 events that matter most of")
    expect(shown).to_contain_text("the others as columns")
    expect(page.locator("#left-out")).to_contain_text(
        re.compile(r"Only the [\d,]+ events that matter most are on this")
    )
    expect(page.locator("i.bar")).to_have_count(400)
    assert page.evaluate("document.querySelectorAll('*').length") < 3_500
    page.locator("#chart").focus()
    for _ in range(12):
        page.keyboard.press("+")
    expect(shown).not_to_contain_text("that matter most of")  # near enough, all are drawn
    expect(page.locator("svg.density")).to_have_count(0)
    png = draw_story(found, tmp_path / "story.png")
    assert cv2.imread(str(png)).shape[1] == 1800


def test_the_png_shows_bars_links_and_chains_and_says_why_it_cannot_be_written(story: Story, tmp_path: Path) -> None:
    png = draw_story(story, tmp_path / "story.png")
    drawn = cv2.imread(str(png))[..., ::-1].astype(int)
    assert drawn.shape[1] == 1800

    def share(rgb: tuple[int, int, int]) -> float:
        return float((np.abs(drawn - rgb).max(-1) < 40).mean())

    assert share((75, 111, 140)) > 1e-4  # bars
    assert share((192, 39, 45)) > 1e-5  # what causes
    assert share((138, 90, 0)) > 1e-5  # the chain's number
    with pytest.raises(StoreError, match=r"cannot write .*No such file"):
        draw_story(story, tmp_path / "nowhere" / "story.png")


def test_a_source_without_events_is_drawn_empty(tmp_path: Path, visit: Open) -> None:
    with commit(tmp_path / "memory", segment(0), segment(1)) as store:
        found = read_story(store, "tale", "silent.mp4")
    page = browse(visit, tmp_path / "story.html", found)
    expect(page.locator("#counts")).to_contain_text("2 segments, 0:20; 0 events, 0 links, 0 chains")
    expect(page.locator("#chains")).to_contain_text("There are no chains.")
    page.locator("#chart").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#shown")).to_contain_text("0 events")
    draw_story(found, tmp_path / "story.png")


def test_two_links_of_the_same_events_are_drawn_apart(tmp_path: Path, visit: Open) -> None:
    one, other = event(0), event(3)
    links = link(one, other, "causes"), link(one, other, "reveals")
    with commit(tmp_path / "memory", *(segment(number) for number in range(4)), one, other, *links) as store:
        page = browse(visit, tmp_path / "story.html", read_story(store, "tale", "tale"))
    paths = page.locator("#chart path.link")
    expect(paths).to_have_count(2)
    assert paths.nth(0).get_attribute("d") != paths.nth(1).get_attribute("d")


def test_the_stretch_shown_is_moved_and_zoomed_by_pointer_and_keys(story: Story, tmp_path: Path, visit: Open) -> None:
    page = browse(visit, tmp_path / "story.html", story)
    shown = page.locator("#shown")
    box = page.locator("#chart").bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + 8)
    page.mouse.move(*middle)
    page.mouse.wheel(0, 300)
    expect(shown).to_contain_text("0:00 to 2:00")  # a wheel alone scrolls the page
    page.keyboard.down("Control")
    page.mouse.wheel(0, -60)
    page.keyboard.up("Control")
    expect(shown).not_to_contain_text("0:00 to 2:00")

    def stretch() -> tuple[float, float]:
        found = re.match(r"(\d+):([\d.]+) to (\d+):([\d.]+)", shown.inner_text())
        assert found
        minutes, seconds, last_minutes, last_seconds = map(float, found.groups())
        return 60 * minutes + seconds, 60 * last_minutes + last_seconds

    start_s, end_s = stretch()
    assert 0 < start_s < 60 < end_s < 120  # about the middle, where the pointer is
    page.mouse.down()
    page.mouse.move(middle[0] + 100, middle[1], steps=4)
    page.mouse.up()
    dragged_s = stretch()
    assert dragged_s[0] < start_s
    assert dragged_s[1] - dragged_s[0] == pytest.approx(end_s - start_s, abs=0.3)
    page.locator("#overview").click(position={"x": box["width"] - 4, "y": 10})
    expect(shown).to_contain_text("to 2:00")
    page.locator("#chart").focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect(shown).not_to_contain_text("to 2:00")
    page.get_by_role("button", name="All").click()
    expect(shown).to_contain_text("0:00 to 2:00")


def test_two_fingers_zoom(story: Story, tmp_path: Path, visit: Open) -> None:
    page = browse(visit, tmp_path / "story.html", story, has_touch=True)
    box = page.locator("#chart").bounding_box()
    assert box
    y, middle = box["y"] + 8, box["x"] + box["width"] / 2
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *xs: float) -> None:
        points = [{"x": x, "y": y, "id": number} for number, x in enumerate(xs)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", middle - 50, middle + 50)
    for apart in (70, 90, 110, 130, 150):
        fingers("touchMove", middle - apart, middle + apart)
    fingers("touchEnd")
    expect(page.locator("#shown")).to_have_text(re.compile(r"^0:(39|4[01])(\.\d)? to 1:(19|2[01])"))  # a third


def test_of_more_segments_those_are_on_the_page_that_events_rest_on(tmp_path: Path) -> None:
    segments = [segment(number) for number in range(MAX_SEGMENTS + 1)]
    events = [event(number, within=segments[number]) for number in (0, 7, MAX_SEGMENTS)]
    with commit(tmp_path, *segments, *events) as store:
        page = told(read_story(store, "tale", "tale"))
    assert [row["number"] for row in rows(page["segments"])] == [0, 7, MAX_SEGMENTS]
    assert [row["segments"] for row in rows(page["events"])] == [[0], [1], [2]]
    assert (page["totals"]["segments"], page["end"]) == (MAX_SEGMENTS + 1, 10.0 * (MAX_SEGMENTS + 1))
