"""The stories of the page: what was built, drawn in a frame that can reach nothing of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.types import Chain
from tests.fixtures.browsing import Open, check
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import Served, serving, settings
from tests.narrative_helpers import embed, event, link, segment

pytest_plugins = ["tests.fixtures.browser"]

HOSTILE = """</script><script>parent.document.title = "taken"</script><img src=x onerror="alert(1)">"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 2), ("green", 2)])


def build(folder: Path) -> None:
    """Two sources: a film with words that would take over a page, and a tale of sections."""
    with NarrativeStore(folder / "narrative", embed, writer=True) as store:
        for source, clock in (("film.mp4 0123abcd", "seconds"), ("tale.txt 4567ef01", "sections")):
            segments = [segment(number, source, f"{HOSTILE} told in {number}") for number in range(4)]
            events = [
                event(number, source, f"{HOSTILE} happens {number}", ("Ann",), within=segments[number])
                for number in range(4)
            ]
            chain = Chain(event_ids=(events[0].id, events[3].id), score=-0.5, span_s=31.0, summary=HOSTILE)
            records = (*segments, *events, link(events[0], events[3]), chain)
            store.commit(Change(records, inputs={(source, "clock"): clock}))


@pytest.fixture(scope="module")
def served(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("memory")
    build(folder)
    with serving([clip], settings(folder), realtime=False) as running:
        yield running


def test_a_story_is_chosen_and_shown(served: Served, visit: Open) -> None:
    page = visit(served)
    page.get_by_role("button", name="Stories").click()
    expect(page.locator("main")).to_be_hidden()
    choice = page.locator("#story-choice")
    expect(choice.locator("option")).to_have_text(["film.mp4 (4 events, 1 chains)", "tale.txt (4 events, 1 chains)"])
    frame = page.frame_locator("#story")
    expect(frame.locator("h1")).to_have_text("film.mp4")
    expect(frame.locator("#shown")).to_contain_text("4 events; 1 link")
    frame.locator("#chart .card").first.click()
    expect(frame.locator("#details h2")).to_have_text(f"{HOSTILE} happens 0")
    choice.select_option("tale.txt 4567ef01")
    expect(frame.locator("h1")).to_have_text("tale.txt")
    expect(frame.locator("#shown")).to_contain_text("sections 1 to 40")
    assert "taken" not in page.title()
    page.get_by_role("button", name="Stories").click()
    expect(page.locator("main")).to_be_visible()
    expect(page.locator("#stories")).to_be_hidden()


def test_a_story_reaches_nothing_of_the_page_that_shows_it(served: Served, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(served.url)
    page.get_by_role("button", name="Stories").click()
    frame = page.frame_locator("#story")
    expect(frame.locator("#shown")).to_contain_text("4 events")  # it is there, and no empty frame
    body = frame.locator("body")

    def attempt(what: str) -> str:
        return body.evaluate(
            f"async (body) => {{ try {{ return String(await {what}); }} catch (error) {{ return error.name; }} }}"
        )

    for what in ("parent.document", "document.cookie", "localStorage"):
        assert attempt(what) == "SecurityError", what
    assert attempt("fetch('/session')") == "TypeError"  # its policy lets nothing be asked
    assert attempt("(body.innerHTML = '<p>told</p>')") == "TypeError"  # nor text be made HTML
    page.close()


def test_a_story_follows_the_theme_of_the_page(served: Served, visit: Open) -> None:
    page = visit(served, color_scheme="light")
    page.get_by_role("button", name="Stories").click()
    root = page.frame_locator("#story").locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    expect(page.frame_locator("#story").locator("#theme")).to_be_hidden()
    page.locator("#theme").click()
    expect(root).to_have_attribute("data-theme", "dark")
    assert check(page, "poorContrast") == []
    assert check(page, "nameless") == []


def test_a_story_is_saved_as_the_file_that_the_command_writes(served: Served, visit: Open, tmp_path: Path) -> None:
    page = visit(served, accept_downloads=True)
    page.get_by_role("button", name="Stories").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save").click()
    assert download.value.suggested_filename == "film.mp4.story.html"
    assert Path(download.value.path()).read_text("utf-8").startswith("<!doctype html>")


def test_nothing_built_is_said_with_how_to_build(clip: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip], settings(tmp_path), realtime=False) as running:
        page = visit(running)
        page.get_by_role("button", name="Stories").click()
        expect(page.locator("#story-note")).to_contain_text("attend memory build FILE")
        expect(page.locator("#story")).to_be_hidden()
        expect(page.locator("#story-choice")).to_be_disabled()


def test_a_phone_needs_no_sideways_scrolling(served: Served, visit: Open) -> None:
    page = visit(served, viewport={"width": 360, "height": 740}, has_touch=True)
    page.get_by_role("button", name="Stories").tap()
    expect(page.frame_locator("#story").locator("#shown")).to_contain_text("4 events")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_headers_let_only_this_servers_own_page_frame_a_story(served: Served) -> None:
    reply = served.client.get("/stories/page", params={"source": "film.mp4 0123abcd"})
    policy = reply.headers["content-security-policy"]
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.endswith("sandbox allow-scripts; frame-ancestors 'self'")
    assert "unsafe" not in policy
    assert reply.headers["x-frame-options"] == "SAMEORIGIN"
    for name in ("x-content-type-options", "referrer-policy", "cache-control", "cross-origin-resource-policy"):
        assert name in reply.headers
    assert "frame-ancestors 'none'" in served.client.get("/stories").headers["content-security-policy"]


def test_an_unknown_story_is_told(served: Served) -> None:
    reply = served.client.get("/stories/page", params={"source": "<b>nobody</b>"})
    assert reply.status_code == 404
    assert reply.json()["problem"] == "no story of '<b>nobody</b>'."


def test_stories_are_shown_to_those_only_who_know_the_token(clip: Path, tmp_path: Path) -> None:
    build(tmp_path)
    with serving([clip], settings(tmp_path, token="a token of many letters"), realtime=False) as running:
        for path in ("/stories", "/stories/page?source=film.mp4%200123abcd"):
            reply = httpx.get(running.url + path)
            assert reply.status_code == 401
            assert "token" in reply.json()["problem"]
            foreign = running.client.get(path, headers={"host": "evil.example"})
            assert foreign.status_code == 400
