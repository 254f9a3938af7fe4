"""The web page in a real browser: Debian's chromium, or the one that $CHROMIUM names."""

import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from agent.perception import observer
from tests.fixtures.browsing import Open, ask, check, ended, pixel
from tests.fixtures.scenes import write_scenes
from tests.fixtures.serving import Served, serving, settings, wait_for
from tests.test_agent_observer import Squares, write_clip
from tools.perception.options import PerceptionOptions

pytest_plugins = ["tests.fixtures.browser"]

CHOICES = {"kind": "choose", "request": "Which bar?", "choices": ["the left one", "the right one"]}
TURNS: list[dict[str, Any]] = [
    {"when": "colour", "say": "It begins **red** [0:01]. Then it is green [0:04]."},
    {"when": "slowly", "say": "One two three four five six seven eight nine ten.", "tokens_per_s": 6},
    {"when": "endless", "say": "word " * 400, "tokens_per_s": 20},
    {"when": "wrong time", "say": "Blue [5:55]."},
    {"when": "wrong time|Nothing was shown", "say": "Blue [5:55]."},
    {"when": "readable in light", "say": "`Yes`, **it is** [0:02]."},
    {"when": "readable in dark", "say": "`Yes`, **it is** [0:02]."},
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("clips") / "scenes.mp4", [("red", 3), ("green", 3)])


@pytest.fixture(scope="module")
def watched(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A recording that was watched to its end."""
    with serving([clip], settings(tmp_path_factory.mktemp("memory"), "curvestream"), *TURNS, realtime=False) as served:
        wait_for(lambda: served.state.rooms[0].opened.session.finished)
        yield served


def test_an_answer_streams_and_each_cited_time_shows_its_frame(watched: Served, visit: Open) -> None:
    page = visit(watched)
    expect(page.locator("#egress")).to_have_text("Nothing leaves this machine")
    turn = ended(ask(page, "Which colour?"))
    expect(turn.locator(".answer")).to_have_text("It begins red 0:01. Then it is green 0:04.")
    expect(turn.locator("strong")).to_have_text("red")
    spoken = page.locator("#spoken p")
    expect(spoken).to_have_text(["It begins **red** [0:01].", "Then it is green [0:04]."])
    turn.get_by_role("button", name="Show 0:04").click()
    dialog = page.get_by_role("dialog", name="0:04")
    expect(dialog).to_be_visible()
    red, green, _ = pixel(page, "#moment img")
    assert green > red
    expect(dialog.locator(".facts")).to_contain_text("kept")
    expect(page.locator("path.tick.cited")).to_have_attribute("d", re.compile(r"^M\d"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    turn.get_by_role("button", name="Show 0:01").click()
    page.get_by_role("dialog", name="0:01").wait_for()
    expect(page.locator("#moment img")).to_have_attribute("alt", "scenes.mp4 at 0:01")
    red, green, _ = pixel(page, "#moment img")
    assert red > green
    expect(page.locator("#numbers")).to_contain_text("first words after")


def test_times_that_were_never_shown_are_marked(watched: Served, visit: Open) -> None:
    page = visit(watched)
    turn = ended(ask(page, "Give a wrong time."))
    button = turn.get_by_role("button", name="5:55, unverified")
    expect(button).to_be_visible()
    button.click()
    expect(page.locator("#moment .problem")).to_contain_text("There is no picture")


def test_a_reload_in_the_middle_of_an_answer_goes_on_where_it_was(watched: Served, visit: Open) -> None:
    page = visit(watched)
    turn = ask(page, "Count slowly.")
    expect(turn.locator(".answer")).to_contain_text("One two three")
    page.reload()
    turn = page.locator(".turn", has_text="Count slowly.")
    expect(turn.locator(".streaming")).to_contain_text("One two three")
    expect(ended(turn).locator(".answer")).to_have_text("One two three four five six seven eight nine ten.")
    expect(page.locator(".turn", has_text="Count slowly.")).to_have_count(1)


def test_escape_stops_an_answer_and_a_second_question_is_refused(watched: Served, visit: Open) -> None:
    page, other = visit(watched), visit(watched)
    turn = ask(page, "Go on endless.")
    expect(turn.locator(".answer")).to_contain_text("word")
    expect(other.locator("#stop")).to_be_visible()
    other.locator("#question").fill("Me too?")
    other.locator("#question").press("Enter")
    expect(other.locator("#ask-problem")).to_contain_text("Another question is being answered")
    expect(other.locator("#question")).to_have_value("Me too?")
    page.keyboard.press("Escape")
    ended(turn, "stopped")
    expect(turn).to_contain_text("Stopped.")
    expect(page.locator("#stop")).to_be_hidden()


def test_tools_show_what_they_were_given_and_what_they_brought(clip: Path, tmp_path: Path, visit: Open) -> None:
    turns = [{"tool": "look", "args": {"start": "0:00", "end": "0:02"}}, {"say": "Seen [0:01]."}]
    with serving([clip], settings(tmp_path), *turns, realtime=False) as served:
        wait_for(lambda: served.state.rooms[0].opened.session.finished)
        page = visit(served)
        turn = ended(ask(page, "Look closer."))
        bubble = turn.locator("details.bubble")
        expect(bubble.locator("summary")).to_contain_text("look")
        bubble.locator("summary").click()
        expect(bubble.locator("dl")).to_contain_text("0:02")
        expect(bubble.locator(".thumb")).not_to_have_count(0)
        bubble.locator(".thumb").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize(
    ("asked", "answer", "told"),
    [
        (CHOICES, ("button", "the right one"), "the right one"),
        ({"kind": "confirm", "request": "Is it yours?"}, ("button", "Yes"), "yes"),
        ({"kind": "free_text", "request": "What is it?"}, ("words", "A bus"), "A bus"),
        ({"kind": "repeat", "request": "Show it again."}, ("button", "Done: look again"), "done"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)
def test_what_the_agent_asks_is_answered_in_the_page(
    clip: Path, tmp_path: Path, visit: Open, asked: dict[str, Any], answer: tuple[str, str], told: str
) -> None:
    turns = [{"tool": "ask_user", "args": asked}, {"say": "Thank you."}]
    with serving([clip], settings(tmp_path), *turns, loop=True) as served:
        page = visit(served)
        turn = ended(ask(page, "Help?"), "waiting")
        request = turn.get_by_role("group", name="The agent asks you")
        expect(request).to_contain_text(asked["request"])
        expect(page.locator("#spoken")).to_contain_text(asked["request"])
        page.reload()
        if answer[0] == "button":
            request.get_by_role("button", name=answer[1]).click()
        else:
            request.get_by_role("textbox").fill(answer[1])
            request.get_by_role("textbox").press("Enter")
        ended(turn)
        expect(request).to_have_count(0)
        expect(turn.locator(".answer")).to_have_text("Thank you.")
        expect(turn.locator(".bubble")).to_have_count(1)
        expect(turn.locator(".result")).to_contain_text(told)


def test_ten_pages_show_one_conversation_and_the_live_picture(clip: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip], settings(tmp_path, view_fps=2), {"say": "Red."}, loop=True) as served:
        pages = [visit(served)]
        for _ in range(9):  # of one browser, which holds few connections to a server
            pages.append(pages[0].context.new_page())
            pages[-1].goto(served.url)
        ask(pages[0], "Colour?")
        for page in pages:
            ended(page.locator(".turn"))
            expect(page.locator("#picture")).to_have_attribute("data-t", re.compile(r"\d"))
        expect(pages[9].locator("#badge")).to_have_text("playing")
        before = pages[9].locator("#picture").get_attribute("data-t") or ""
        expect(pages[9].locator("#picture")).not_to_have_attribute("data-t", before)
        red, green, blue = pixel(pages[9], "#picture")
        assert max(red, green) > blue


def test_detected_things_are_drawn_and_the_boxes_are_hidden_by_keyboard(
    tmp_path: Path, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "_default_detector", Squares())
    walk = write_clip(tmp_path / "walk.avi", [0.2, 0.4, 0.6])
    config = settings(tmp_path / "home", "curvestream").model_copy(
        update={"perception": PerceptionOptions(detect=True)}
    )
    with serving([walk], config, {"say": "Somebody walks [0:01]."}, realtime=False) as served:
        session = served.state.rooms[0].opened.session
        wait_for(lambda: session.finished and len(session.source_memory.detections) == 3)
        page = visit(served)
        ended(ask(page, "Who is there?")).get_by_role("button", name="Show 0:01").click()
        dialog = page.get_by_role("dialog", name="0:01")
        box = dialog.locator(".boxes rect")
        expect(box).to_have_count(1)
        expect(dialog.locator(".boxes text")).to_have_text("person 90%")
        expect(dialog.locator("#moment-detected")).to_contain_text("person middle (by an object detector")
        picture, drawn = dialog.locator("img").bounding_box(), box.bounding_box()
        assert picture
        assert drawn
        assert abs((drawn["x"] + drawn["width"] / 2 - picture["x"]) / picture["width"] - 0.4) < 0.02
        toggle = dialog.get_by_role("button", name="Boxes", pressed=True)
        toggle.focus()
        page.keyboard.press("Enter")
        expect(box).to_have_count(0)
        expect(dialog.get_by_role("button", name="Boxes", pressed=False)).to_be_visible()
        page.keyboard.press("Enter")
        expect(box).to_have_count(1)


def test_pin_play_forget_and_export(clip: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip], settings(tmp_path, "curvestream"), realtime=False) as served:
        wait_for(lambda: served.state.rooms[0].opened.session.finished)
        page = visit(served, accept_downloads=True)
        thumbs = page.locator("#timeline .thumb")
        expect(thumbs).to_have_count(6)
        expect(page.locator("#timeline-words")).to_contain_text("6 moments from 0:00 to 0:05")
        thumbs.nth(4).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Pin").click()
        expect(dialog.get_by_role("button", name="Unpin")).to_be_visible()
        dialog.get_by_role("button", name="Close").click()
        expect(page.locator(".thumb.pinned")).to_have_count(1)
        thumbs.nth(0).click()  # it plays by itself
        expect(dialog.locator("#moment-title")).to_have_text(re.compile("0:0[1-5]"))
        dialog.get_by_role("button", name="Stop playing").click()
        expect(dialog.get_by_role("button", name="Play from here")).to_be_visible()
        dialog.get_by_role("button", name="Close").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Export").click()
        assert "notes.jsonl" in zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())).namelist()
        page.get_by_role("button", name="Forget …").click()
        page.get_by_label("From (m:ss)").fill("0:00")
        page.get_by_label("To (m:ss)").fill("0:02")
        expect(page.locator("#forgetting")).to_contain_text("3 remembered moments will be permanently deleted")
        page.get_by_role("button", name="Forget this").click()
        expect(thumbs).to_have_count(3)
        expect(page.locator("#done")).to_contain_text("Forgotten: 3 moments")


def test_watches_are_set_and_alerts_come_with_their_pictures(clip: Path, tmp_path: Path, visit: Open) -> None:
    verdict = {"when": "green wall", "say": json.dumps({"verdict": "yes", "why": "It is green.", "t": ""})}
    with serving([clip], settings(tmp_path), *[verdict] * 30, loop=True) as served:
        page = visit(served)
        expect(page.locator("#badge")).to_have_text("playing")
        page.get_by_label("Condition").fill("a green wall appears")
        page.get_by_label("Condition").press("Enter")
        item = page.locator(".watches li")
        expect(item).to_contain_text("a green wall appears")
        alert = page.get_by_role("article", name="Alert: a green wall appears")
        expect(alert).to_contain_text("It is green")
        expect(alert.locator(".thumb")).not_to_have_count(0)
        expect(page.locator("#spoken")).to_contain_text("Alert from scenes.mp4: a green wall appears")
        expect(item).to_contain_text("1 alert")
        page.reload()
        expect(alert).to_be_visible()
        page.get_by_role("button", name="Stop watching for a green wall appears").click()
        expect(item).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_in_both_themes_and_every_control_has_a_name(
    watched: Served, visit: Open, scheme: str
) -> None:
    page = visit(watched, color_scheme=scheme)
    ended(ask(page, f"Is it readable in {scheme}?"))
    assert check(page, "poorContrast") == []
    assert check(page, "nameless") == []
    snapshot = page.locator("body").aria_snapshot()
    for part in ('heading "Attend"', 'region "Conversation"', 'slider "Moments in memory"', 'complementary "Watches'):
        assert part in snapshot
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_hours_of_memory_stay_light(watched: Served, visit: Open) -> None:
    hours_s = 8 * 3600
    frame_id = watched.client.get("/rooms/1/timeline").json()["moments"][0]["frame_id"]
    common = {"wall_s": None, "frame_id": frame_id, "score": 0.5, "scene": None, "note": ""}
    times = range(0, hours_s, 10)
    moments = [{**common, "t_s": t_s, "detail": "clear", "tier": "key", "pinned": t_s == 3600} for t_s in times]
    scores = {"score": 0.5, "keep_from": 0.2, "clear_from": 0.4, "state": "clear"}
    curve = [{"t_s": t_s, **scores} for t_s in range(0, hours_s, 48)]
    gaps = [[t_s, t_s + 60, "the camera was unplugged"] for t_s in range(100, hours_s, 200)]
    hours = {"moments": moments, "curve": curve, "gaps": gaps, "begin_s": 0.0, "now_s": float(hours_s)}
    page = visit(watched)
    page.route("**/timeline?*", lambda route: route.fulfill(json=hours))
    words = page.locator("#timeline-words")
    expect(words).to_contain_text("2880 moments from 0:00 to 8:00:00")
    expect(page.locator("#timeline .thumb")).to_have_count(40)
    expect(page.locator("#timeline .thumb.pinned")).to_have_count(1)
    assert page.evaluate("document.querySelectorAll('*').length") < 800
    page.get_by_role("button", name="Last hour").click()
    expect(words).to_contain_text("360 moments from 7:00:00 to 8:00:00")
    page.get_by_role("button", name="Last minute").click()
    expect(words).to_contain_text("6 moments")
    expect(words).to_contain_text("no picture from")
    page.locator(".slider").hover(position={"x": 3, "y": 20})
    expect(page.locator("#timeline .tip")).to_contain_text("7:59:")


def test_a_phone_needs_no_sideways_scrolling(watched: Served, visit: Open) -> None:
    page = visit(watched, viewport={"width": 360, "height": 740}, has_touch=True)
    page.locator("#timeline .thumb").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelectorAll('*').length") < 700
    page.locator("#timeline .thumb").first.click()
    expect(page.locator("#moment img")).not_to_have_js_property("naturalWidth", 0)
    box = page.get_by_role("dialog").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


def test_everything_can_be_reached_by_keyboard(watched: Served, visit: Open) -> None:
    page = visit(watched, reduced_motion="reduce")
    page.locator("#timeline .thumb").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "question"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or page.evaluate("document.activeElement === document.body")
    assert {"theme", "question", "slider", "forget", "export"} <= reached
    page.locator(".slider").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".slider").get_attribute("aria-valuetext")
    assert "0:05" in (page.locator(".slider").get_attribute("aria-valuetext") or "")
    page.keyboard.press("Home")
    assert (page.locator(".slider").get_attribute("aria-valuetext") or "").startswith("0:00")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="0:00")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".slider")).to_be_focused()


def test_a_token_in_the_address_lets_a_browser_in_and_goes_from_sight(clip: Path, tmp_path: Path, visit: Open) -> None:
    with serving([clip], settings(tmp_path, host="0.0.0.0"), loop=True) as served:
        stranger = visit(served)
        expect(stranger.get_by_label("Token")).to_be_visible()
        stranger.get_by_label("Token").fill("wrong")
        stranger.get_by_role("button", name="Sign in").click()
        expect(stranger.locator("#problem")).to_contain_text("wrong token")
        page = visit(served, f"/#token={served.state.access.token}")
        expect(page.locator("#badge")).to_have_text("playing")
        assert "token" not in page.url
        expect(page.locator("#picture")).to_have_attribute("data-t", re.compile(r"\d"))


class OtherSite(BaseHTTPRequestHandler):
    """A page of this machine too: browsers keep those of other machines from reaching it at all."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<link rel=icon href=data:,><p>hello</p>")  # else its icon is asked for at some time

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_another_site_gets_nothing_and_changes_nothing(watched: Served, visit: Open, browser: Browser) -> None:
    room = watched.state.rooms[0]
    evil = browser.new_page()
    network = evil.context.new_cdp_session(evil)
    network.send("Network.enable")
    told: list[int] = []  # what servers answered, which the browser keeps from the scripts of that page
    network.on("Network.responseReceivedExtraInfo", lambda entry: told.append(entry["statusCode"]))
    with HTTPServer(("127.0.0.1", 0), OtherSite) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        evil.goto(f"http://localhost:{site.server_port}/")
        before = room.broadcast.cursor
        assert check(evil, "intrude", watched.url) == "refused"
        give_up_s = time.monotonic() + 60
        while told[-3:] != [403, 403, 403] and time.monotonic() < give_up_s:
            evil.wait_for_timeout(50)  # the browser tells of an answer when it has time
        assert told[-3:] == [403, 403, 403]
        site.shutdown()
    evil.close()
    assert not room.opened.session.paused
    assert room.broadcast.cursor == before  # a change would have been told to the pages
