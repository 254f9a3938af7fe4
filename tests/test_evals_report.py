"""Reports: all that matters is there, nothing in them is obeyed or fetched, and they stay small."""

import base64
import hashlib
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from evals.report.charts import reach_of
from evals.report.html import CASES, report, report_compare
from evals.results import RunResults
from evals.stats.compare import compare
from tests.eval_runs import made_up, run_of, sample

pytest_plugins = ["tests.fixtures.browser"]

NASTY = '</style><script>window.owned = 1</script><img src=x onerror="owned = 1"> {{ 7 * 7 }} \x1b[31m \u202e&amp; '


class Reader(HTMLParser):
    """Collects tags, and the texts between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def nasty_run(value: float) -> RunResults:
    return run_of(
        [
            sample(
                NASTY + str(number),
                value if number else None,
                task=NASTY,
                cluster=NASTY + str(number),
                slices={NASTY: NASTY},
                question=NASTY,
                prediction=NASTY,
                reference=NASTY,
                frame_ids=(NASTY,),
            )
            for number in range(30)
        ],
        model=NASTY,
        **{NASTY: NASTY},
    )


PAGES = ("run", "comparison", "nasty run", "nasty comparison", "empty run", "one sample")


@cache
def page_of(name: str) -> str:
    a, b = made_up(1, attempts=3, fails=0.05), made_up(2, attempts=3, gain=0.2)
    if name.startswith("nasty"):
        a, b = nasty_run(0.0), nasty_run(1.0)
    elif name == "empty run":
        a = run_of([])
    elif name == "one sample":
        a = b = run_of([sample()])
    return report(a) if name.endswith("run") else report_compare(compare(a, b))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_allows_nothing_but_its_own_style(name: str) -> None:
    page = Reader(page_of(name))
    assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "object", "form", "a", "base"}
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on") or key == "style"]
    policy = next(a["content"] or "" for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    style = re.findall("<style>(.*?)</style>", page_of(name), re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    own = f"style-src 'sha256-{digest}'"
    assert policy.split("; ") == ["default-src 'none'", own, "base-uri 'none'", "form-action 'none'"]
    assert not re.findall(r"url\(|@import|src=|href=|https?:", page_of(name).replace("src=x", ""))


@pytest.mark.parametrize("name", ["nasty run", "nasty comparison"])
def test_what_others_wrote_is_shown_as_text(name: str) -> None:
    assert "<script>window.owned = 1</script>" in Reader(page_of(name)).text
    assert "{{ 7 * 7 }}" in page_of(name)
    assert "\x1b" not in page_of(name)


def test_a_run_shows_both_headlines_tasks_slices_attempts_cases_and_cost() -> None:
    dark, bright = {"slices": {"light": "dark"}}, {"slices": {"light": "bright"}}
    run = run_of(
        [
            sample("a", 1.0, **dark, tokens_in=1_000_000, tokens_out=500_000, model_calls=3),
            sample("a", 0.0, **dark, epoch=2, prediction="a gate", question="What is it?"),
            sample("b", None, **bright, task="time", failure="judge"),
            sample("b", 1.0, **bright, task="time", epoch=2),
        ],
        figures={"F1 of the rare": 0.123456},
        settings={"memory": {"policy": "curvestream"}},
        suite="some/where/s.py",
    )
    text = Reader(report(run)).text
    for part in (
        "m on s", "0.500", "failures count as wrong", "Scored only: 0.750", "3 of 4 attempts", "judge 1", "pass@2",
        "pass^2", "flip rate", "read", "time", "light", "dark", "bright", "What is it?", "✗ wrong a gate",
        "failed: judge", "Samples on which attempts disagree", "tokens out", "F1 of the rare 0.1235",
        "settings.memory.policy curvestream", "tokens in 1,000,000", "version 1",
    ):  # fmt: skip
        assert part in text, part


def test_a_comparison_says_the_verdict_first_and_lists_changes() -> None:
    a, b = made_up(1, n=400), made_up(2, n=400, gain=-0.4)
    text = Reader(report_compare(compare(a, b))).text
    assert text.index("▼ B is worse") < 250
    for part in ("Regressions (", f", {CASES} shown)", "Fixes (", "p, Holm", "What differs between the runs seed 1 2"):
        assert part in text.replace("A B seed", "seed"), part
    better = Reader(report_compare(compare(b, a))).text
    assert "▲ B is better" in better
    alike = Reader(report_compare(compare(a, a))).text
    assert "● No difference shown" in alike
    assert "No sample got worse." in alike


def test_warnings_and_samples_of_one_run_only_are_shown() -> None:
    a, b = run_of([sample("x"), sample("y")], prompts="1"), run_of([sample("x"), sample("z")], prompts="2")
    text = Reader(report_compare(compare(a, b))).text
    for part in ("⚠ the prompts differ", "Only in A (1)", "read/y", "Only in B (1)", "read/z"):
        assert part in text


def test_ten_thousand_samples_stay_under_a_megabyte() -> None:
    long = [
        one.model_copy(update={"question": "Why? " * 400, "prediction": "word " * 400, "slices": {"clip": one.id}})
        for one in made_up(1, n=10_000, fails=0.05).samples
    ]
    worse = [one.model_copy(update={"value": 0.0, "failure": ""}) for one in long]
    page = report(run_of(long))
    assert len(page.encode()) < 1_000_000
    assert "and 9940 more, in the results file" in page
    assert len(report_compare(compare(run_of(long), run_of(worse))).encode()) < 1_000_000


def test_what_turns_text_round_is_spelled_out() -> None:
    page = report(run_of([sample("x", 0.0, prediction="abc\u202edef\u200b\x07")], model="m\u202e"))
    assert not {"\u202e", "\u200b", "\x07"} & set(page)
    assert "m\\u202e on s" in Reader(page).text
    assert "abc\\u202edef\\u200b\ufffd" in page


@pytest.mark.parametrize("width", [1100, 1600])
def test_the_verdict_of_a_comparison_is_seen_whole(browser: Browser, tmp_path: Path, width: int) -> None:
    path = tmp_path / "page.html"
    path.write_text(report_compare(compare(made_up(1, gain=-0.1), made_up(2, gain=0.1))), "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    clipped = page.evaluate(
        """() => [...document.querySelectorAll("section")].filter((e) => e.scrollWidth > e.clientWidth).length"""
    )
    assert clipped == 0
    page.close()


def test_a_scale_takes_its_values() -> None:
    cases = {0.001: [], 0.005: [None, 0.004], 0.3: [-0.21, 0.1], 0.5: [0.31], 1.0: [-1.0]}
    assert [reach_of(values) for values in cases.values()] == list(cases)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_opens_in_a_browser_without_a_request(browser: Browser, tmp_path: Path, name: str, scheme: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_of(name), "utf-8")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1240, "height": 900})  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert told == []
    assert page.evaluate("window.owned") is None
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(245, 246, 243)", "dark": "rgb(20, 24, 26)"}[scheme]
    assert _contrast(page) >= 4.5
    assert page.evaluate("document.documentElement.scrollWidth") <= 1240
    context.close()


def _contrast(page: Page) -> float:
    """The least contrast of any text to the surface below it, by WCAG 2."""
    return page.evaluate(
        """() => {
        const light = (colour) => {
            const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => v / 255)
                .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const below = light(getComputedStyle(document.querySelector("header")).backgroundColor);
        const told = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        const texts = [...document.querySelectorAll("main *")].filter(told);
        return Math.min(...texts.map((e) => {
            const style = getComputedStyle(e);
            const one = light(e instanceof SVGElement ? style.fill : style.color);
            return (Math.max(one, below) + 0.05) / (Math.min(one, below) + 0.05);
        }));
    }"""
    )
