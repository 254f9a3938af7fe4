"""The page in a real browser: several sources, what is forgotten, what goes wrong, and servers that come and go."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from agent.models import Abilities
from agent.models.scripted import Scripted, Turn
from agent.server.session import SourceRoom
from tests.fixtures.browsing import Open, ask, check, ended, pixel
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import Served, seen_until, serving, settings, wait_for
from tools.errors import StoreError

pytest_plugins = ["tests.fixtures.browser"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 3), ("green", 3)])


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "other.mp4", [("blue", 4)])


def test_pause_zoom_and_several_sources(clip: Path, other: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip, other, "missing.mp4"], settings(tmp_path / "memory"), loop=True) as served:
        page = visit(served)
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#badge")).to_have_text("paused")
        expect(page.locator("#picture-note")).to_contain_text("Paused")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#badge")).to_have_text("playing")
        page.get_by_role("button", name="Last minute").click()
        expect(page.get_by_role("button", name="Last minute")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#sources canvas").nth(1)).to_have_attribute("data-t", re.compile(r"\d"))
        page.get_by_role("button", name="other.mp4").click()
        expect(page.locator("#source-name")).to_have_text("other.mp4")
        expect(page.locator("#picture")).to_have_attribute("aria-label", re.compile("other.mp4"))
        red, _, blue = pixel(page, "#picture")
        assert blue > red
        page.get_by_role("button", name="missing.mp4").click()
        expect(page.locator("#picture")).not_to_have_attribute("data-t", re.compile(""))  # not other.mp4's
        assert check(page, "pixel", "#picture") == [0, 0, 0]
        expect(page.locator("#problem")).to_contain_text("does not exist")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_source_is_left_and_come_back_to_after_its_memory_was_changed(
    clip: Path, other: Path, tmp_path: Path, visit: Open
) -> None:
    with serving([clip, other], settings(tmp_path, "curvestream"), {"say": "Red."}, loop=True) as served:
        seen_until(served, 1.0)
        page = visit(served)
        ended(ask(page, "Colour?"))
        assert served.post("/rooms/1/pin", t_s=1.0).status_code == 200
        expect(page.locator(".thumb.pinned")).to_have_count(1)
        page.get_by_role("button", name="other.mp4").click()
        expect(page.locator("#conversation")).to_have_text("No questions yet.")
        page.get_by_role("button", name="scenes.mp4").click()
        expect(page.locator(".turn .answer")).to_have_text("Red.")


def test_the_banner_tells_of_the_webhooks_of_all_sources(clip: Path, other: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip, other], settings(tmp_path), loop=True) as served:
        page = visit(served)
        banner = page.locator("#egress")
        expect(banner).to_have_text("Nothing leaves this machine")
        expect(banner).to_have_attribute("data-local", "true")
        watch = {"condition": "a car", "webhook": "http://192.0.2.1/hook?key=hush"}
        watch_id = served.post("/rooms/2/watches", **watch).json()["watch"]["id"]
        expect(banner).to_have_text("Alerts go to http://192.0.2.1/...; nothing else leaves this machine")
        expect(banner).to_have_attribute("data-local", "false")
        page.reload()
        expect(banner).to_have_text("Alerts go to http://192.0.2.1/...; nothing else leaves this machine")
        served.client.delete(f"/rooms/2/watches/{watch_id}")
        expect(banner).to_have_text("Nothing leaves this machine")


def test_a_page_outlives_its_server(clip: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip], settings(tmp_path), loop=True, thread="t") as served:
        page = visit(served)
        expect(page.locator("#badge")).to_have_text("playing")
        expect(page.locator("#link")).to_have_text("")
        page.locator("#question").fill("Still there?")
        port = int(served.url.rsplit(":", 1)[1])
    expect(page.locator("#link")).to_contain_text("Disconnected")
    with serving([clip], settings(tmp_path, port=port), {"say": "Back."}, loop=True, thread="t"):
        expect(page.locator("#link")).to_have_text("")
        expect(page.locator("#question")).to_have_value("Still there?")
        expect(ended(ask(page, "Still there?")).locator(".answer")).to_have_text("Back.")
        page.reload()
        expect(page.locator("#question")).to_have_value("")


def test_a_server_that_comes_back_with_another_model_and_fewer_sources_is_shown_as_it_is(
    clip: Path, other: Path, tmp_path: Path, visit: Open
) -> None:
    with serving([clip, other], settings(tmp_path), loop=True) as served:
        page = visit(served)
        expect(page.locator("#egress")).to_have_text("Nothing leaves this machine")
        expect(page.locator("#sources button")).to_have_count(2)
        port = int(served.url.rsplit(":", 1)[1])
    away = Scripted(
        turns=[Turn(say="x")],
        spec="openai:m@https://models.example/v1",
        declared=Abilities(images=True, local=False),
    )
    with serving([clip], settings(tmp_path, port=port), model=away, loop=True):
        expect(page.locator("#egress")).to_have_text("Frames and words go to models.example")
        expect(page.locator("#sources button")).to_have_count(0)
        expect(page.locator("#link")).to_have_text("")


def test_a_server_that_comes_back_asks_for_its_new_token(clip: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip], settings(tmp_path, host="0.0.0.0"), loop=True) as served:
        page = visit(served, f"/#token={served.state.access.token}")
        expect(page.locator("#badge")).to_have_text("playing")
        port = int(served.url.rsplit(":", 1)[1])
    with serving([clip], settings(tmp_path, host="0.0.0.0", port=port), loop=True):
        expect(page.get_by_label("Token")).to_be_visible(timeout=15_000)
    page.get_by_label("Token").fill("anything")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#problem")).to_contain_text("does not answer")


LOOK: list[dict[str, Any]] = [
    {"tool": "look", "args": {"start": "0:00", "end": "0:02"}},
    {"say": "Seen [0:01], then [0:04]."},
]


def test_forgotten_pictures_go_from_every_part_of_the_page(
    clip: Path, other: Path, tmp_path: Path, visit: Open
) -> None:
    with serving([clip, other], settings(tmp_path), *LOOK, realtime=False) as served:
        wait_for(lambda: all(room.opened.session.finished for room in served.state.rooms))
        page = visit(served, reduced_motion="reduce")
        turn = ended(ask(page, "Look closer."))
        turn.locator("summary").click()
        strip = turn.locator(".strip .thumb")
        expect(strip.locator("img").first).not_to_have_js_property("naturalWidth", 0)
        pictures = strip.count()
        assert pictures
        turn.locator(".time").first.click()
        red, green, _ = pixel(page, "#moment img")
        assert red > green
        preview = page.locator("#sources canvas").first
        for canvas in (preview, page.locator("#picture")):
            expect(canvas).to_have_attribute("data-t", re.compile("5"))
        assert served.post("/rooms/1/forget", start_s=0, end_s=6).status_code == 200
        expect(page.locator("#moment .problem")).to_contain_text("There is no picture")
        expect(page.locator("#moment img")).not_to_have_attribute("src", re.compile(""))
        page.keyboard.press("Escape")
        expect(strip.locator(".gone")).to_have_count(pictures)
        expect(page.locator("#timeline .thumb")).to_have_count(0)
        for canvas in (preview, page.locator("#picture")):
            expect(canvas).not_to_have_attribute("data-t", re.compile(""))
        assert check(page, "pixel", "#picture") == [0, 0, 0]


@pytest.fixture
def watched(clip: Path, tmp_path: Path) -> Iterator[Served]:
    """A recording that was watched to its end."""
    with serving([clip], settings(tmp_path), {"say": "Red."}, realtime=False) as served:
        wait_for(lambda: served.state.rooms[0].opened.session.finished)
        yield served


def test_a_reload_shows_the_last_picture_though_something_else_was_forgotten(watched: Served, visit: Open) -> None:
    watched.post("/rooms/1/forget", start_s=0, end_s=2.5)
    page = visit(watched)
    red, green, _ = pixel(page, "#picture")
    assert green > red


def sparse(page: Page, served: Served) -> None:
    """Have the page told of moments further apart than a stretch that is fetched at once, and of no other frame."""
    found = served.client.get("/rooms/1/timeline").json()
    moments = [{**found["moments"][0], "t_s": float(t_s)} for t_s in (0, 20, 40)]
    page.route("**/timeline?*", lambda route: route.fulfill(json={**found, "moments": moments, "now_s": 40.0}))
    page.route("**/frames?*", lambda route: route.fulfill(json=[]))


def test_a_click_on_the_timeline_plays_on_over_gaps_to_the_end(watched: Served, visit: Open) -> None:
    page = visit(watched)
    sparse(page, watched)
    expect(page.locator("#timeline-words")).to_contain_text("3 moments")
    page.locator(".slider").click(position={"x": 3, "y": 20})
    dialog, title = page.get_by_role("dialog"), page.locator("#moment-title")
    for time in ("0:00", "0:20", "0:40"):
        expect(title).to_have_text(time)
    expect(dialog).to_contain_text("Nothing later is in memory.")
    expect(dialog.get_by_role("button", name="Play from here")).to_be_visible()


def test_the_score_line_does_not_cross_a_gap(watched: Served, visit: Open) -> None:
    found = watched.client.get("/rooms/1/timeline").json()
    scored = {"score": 0.2, "keep_from": 0.1, "clear_from": 0.3, "state": "clear"}
    curve = [{"t_s": float(t_s), **scored} for t_s in (0, 1, 20, 21, 40)]
    gaps = [(1.0, 20.0, "paused"), (22.0, 39.0, "paused")]
    page = visit(watched)
    told = {**found, "curve": curve, "gaps": gaps, "now_s": 40.0}
    page.route("**/timeline?*", lambda route: route.fulfill(json=told))
    for name in ("curve", "keep", "clear"):
        line = re.compile(r"^M0\.0 [\d.]+h0L25\.0 [\d.]+M500\.0 [\d.]+h0L525\.0 [\d.]+M1000\.0 [\d.]+h0$")
        expect(page.locator(f".plot path.{name}:not(.tick)")).to_have_attribute("d", line)


def test_nothing_moves_by_itself_where_less_motion_is_asked_for(watched: Served, visit: Open) -> None:
    page = visit(watched, reduced_motion="reduce")
    page.locator("#timeline .thumb").first.click()
    expect(page.locator("#moment img")).not_to_have_js_property("naturalWidth", 0)
    page.wait_for_timeout(1500)
    expect(page.locator("#moment-title")).to_have_text("0:00")
    page.get_by_role("button", name="Play from here").click()
    expect(page.locator("#moment-title")).to_have_text(re.compile("0:0[1-5]"))


def test_what_goes_wrong_is_told_where_it_can_be_read(
    watched: Served, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(room: SourceRoom) -> None:
        raise RuntimeError

    async def fail(room: SourceRoom) -> None:
        raise StoreError("the disk is gone.")

    page = visit(watched)
    monkeypatch.setattr(SourceRoom, "timeline", fail)
    page.get_by_role("button", name="Forget …").click()
    expect(page.locator("#trouble")).to_have_text("The disk is gone.")
    expect(page.locator("#forgetting")).to_be_hidden()
    monkeypatch.setattr(SourceRoom, "timeline", break_down)
    page.get_by_role("button", name="Forget …").click()
    expect(page.locator("#trouble")).to_contain_text("Internal error.")


def hold_two(route: Route) -> None:
    script = route.fetch()
    route.fulfill(response=script, body=script.text().replace("ITEMS_HELD = 200", "ITEMS_HELD = 2"))


def test_a_long_conversation_is_held_as_the_server_holds_it(watched: Served, visit: Open) -> None:
    page = visit(watched)
    held = check(page, "conversation", 250)
    assert held == {"items": 200, "first": "50", "events": ["one two", "tool_called", "three"]}
    page.route("**/room.js", hold_two)
    page.reload()
    for number in range(3):
        watched.model.turns.append(Turn(say="Yes."))  # type: ignore[attr-defined]
        ended(ask(page, f"Question {number}?"))
    expect(page.locator(".turn .said")).to_have_text(["Question 1?", "Question 2?"])


def test_a_key_that_is_held_down_stops_once(clip: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip], settings(tmp_path), {"say": "word " * 400, "tokens_per_s": 20}, loop=True) as served:
        page = visit(served)
        stops: list[str] = []
        page.on("request", lambda request: stops.append(request.url) if request.url.endswith("/stop") else None)
        turn = ask(page, "Tell me.")
        expect(turn.locator(".answer")).to_contain_text("word")
        check(page, "holdDown", "Escape")
        ended(turn, "stopped")
        assert len(stops) == 1


def test_what_grows_above_the_answer_does_not_end_following_it(clip: Path, tmp_path: Path, visit: Open) -> None:
    words = " ".join(f"word{number}" for number in range(300))
    with serving([clip], settings(tmp_path), {"say": words, "tokens_per_s": 100}, loop=True) as served:
        page = visit(served, viewport={"width": 390, "height": 640}, has_touch=True)
        # Not every browser scrolls along where something above grows.
        page.evaluate("document.documentElement.style.overflowAnchor = document.body.style.overflowAnchor = 'none'")
        turn = ask(page, "Tell me.")
        expect(turn.locator(".answer")).to_contain_text("word60")
        wait_for(lambda: check(page, "endInView", ".answer"), 2)
        page.evaluate("document.querySelector('#picture').style.marginBottom = '240px'")
        expect(turn.locator(".answer")).to_contain_text("word150")
        wait_for(lambda: check(page, "endInView", ".answer"), 2)
        page.evaluate("scrollTo(0, 0)")
        ended(turn)
        assert not check(page, "endInView", ".ended")


@pytest.mark.parametrize("height", [844, 640])
def test_a_phone_follows_the_answer(clip: Path, tmp_path: Path, visit: Open, height: int) -> None:
    words = " ".join(f"word{number}" for number in range(300))
    with serving([clip], settings(tmp_path), {"say": words, "tokens_per_s": 100}, loop=True) as served:
        page = visit(served, viewport={"width": 390, "height": height}, has_touch=True)
        turn = ask(page, "Tell me.")
        for newest in ("word60", "word150", "word299"):
            expect(turn.locator(".answer")).to_contain_text(newest)
            wait_for(lambda: check(page, "endInView", ".answer"), 2)  # it may be drawn a moment later
        ended(turn)
        assert check(page, "endInView", ".ended")
        page.evaluate("scrollTo(0, 0)")
        assert not check(page, "endInView", ".ended")
