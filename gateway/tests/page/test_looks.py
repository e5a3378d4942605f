"""How the page looks and reads: places that do not move, keyboard, names, colours, and pictures to look at."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.integration

BUILD = "0193a1f0-0000-7000-8000-00000000000a"
SCREENS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "is_mobile": True},
    "small": {"viewport": {"width": 1024, "height": 700}},
}
# The stages whose name and time run into each other.
TOUCHING = """() => [...document.querySelectorAll('.rail li')].filter((stage) => {
  const [name, time] = ['.name', '.time'].map((part) => {
    const text = document.createRange();
    text.selectNodeContents(stage.querySelector(part));
    return text.getBoundingClientRect();
  });
  return name.right + 4 > time.left && name.bottom > time.top;
}).map((stage) => stage.textContent)"""
OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
def shots(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where pictures go: PAGE_SHOTS to keep them."""
    path = pathlib.Path(os.environ.get("PAGE_SHOTS") or tmp_path)
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def follow(opened: Callable[..., Page], gateway: Any) -> Callable[..., Page]:
    return lambda **options: opened(f"{gateway.url}/#build={BUILD}", **options)


def midway(sample: list[Any]) -> int:
    """While the third file is being written."""
    return [event.sequence for event in sample if event.HasField("file_opened")][2] + 55


@pytest.mark.parametrize("screen", SCREENS)
def test_it_fits_its_screen_during_and_after_a_build(
    follow: Any, gateway: Any, sample: list[Any], shots: pathlib.Path, screen: str
) -> None:
    """Light, dark, phone: nothing is wider than the screen, and a picture is taken for a person to look at."""
    gateway.answers["GetBuild"] = lambda request: {
        "build": {"repositoryUri": "file:///srv/cofounder/repositories/0193a1f0"}
    }
    page = follow(**SCREENS[screen])
    # The sample lies in the past or the future of this machine's clock: the gateway's time is the sample's.
    heartbeat = gateway.frame()
    heartbeat.heartbeat.send_time.CopyFrom(sample[midway(sample)].create_time)
    expect(page.locator("#badge")).to_have_text("Live")
    gateway.say(heartbeat)
    gateway.append(*sample[: midway(sample)])
    expect(page.locator(".now")).to_contain_text("is writing shortener/app.py")
    assert page.evaluate(OVERFLOW) <= 0
    page.screenshot(path=shots / f"{screen}-during.png", full_page="phone" in screen)
    gateway.append(*sample[midway(sample) :])
    expect(page.locator(".now strong")).to_have_text("Succeeded")
    expect(page.locator(".notes")).to_contain_text("Repository: /srv/cofounder/repositories/0193a1f0")
    expect(page.locator(".words header")).to_contain_text("scripted as")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(TOUCHING) == []
    page.screenshot(path=shots / f"{screen}-after.png", full_page="phone" in screen)


@pytest.mark.parametrize("screen", ["light", "dark", "phone"])
def test_the_first_view_fits_its_screen(opened: Any, gateway: Any, shots: pathlib.Path, screen: str) -> None:
    goals = ["A URL shortener with tests", "A week planner for two", "Invoices out of a folder of receipts", "A poem"]
    states = [4, 7, 8, 10]
    gateway.answers["ListBuilds"] = lambda request: {
        "builds": [
            {"buildId": f"b{at}", "goal": goal, "state": state, "createTime": f"2026-01-0{at + 1}T00:00:00Z",
             "costMicrodollars": str(81_040 * at), "rehearsal": at == 1}
            for at, (goal, state) in enumerate(zip(goals, states, strict=True))
        ]
    }  # fmt: skip
    page = opened(gateway.url, **SCREENS[screen])
    expect(page.locator(".builds li")).to_have_count(4)
    assert page.evaluate(OVERFLOW) <= 0
    page.screenshot(path=shots / f"{screen}-home.png")


@pytest.mark.parametrize("screen", ["light", "phone"])
def test_nothing_moves_while_a_build_streams(
    follow: Any, gateway: Any, probe: Any, sample: list[Any], screen: str
) -> None:
    """No layout shift: the places of all panels are the same at the plan, midway and at the end."""
    page = follow(**SCREENS[screen])
    gateway.append(*sample[:2])
    expect(page.locator(".now")).to_contain_text("Starting")
    seen = [probe(page, "places")]
    before = page.evaluate("() => window.shifted")
    for stop in (30, midway(sample), len(sample)):
        gateway.append(*sample[len(gateway.logs[BUILD]) : stop])
        expect(page.locator(".words .text").last).not_to_be_empty()
        seen.append(probe(page, "places"))
    expect(page.locator(".now strong")).to_have_text("Succeeded")
    seen.append(probe(page, "places"))
    assert all(each == seen[0] for each in seen)
    assert page.evaluate("() => window.shifted") - before < 0.02


def test_it_can_be_used_by_keyboard_and_has_names(follow: Any, gateway: Any, probe: Any, sample: list[Any]) -> None:
    """Every control and every scroller is reached by Tab, in order, with a visible focus and a name."""
    gateway.logs[BUILD] = list(sample[: midway(sample)])
    page = follow()
    expect(page.locator(".list button")).to_have_count(3)
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outlined = probe(page, "focused")
        if not name:
            break
        assert outlined, f"no visible focus on {name!r}"
        reached.append(name)
    assert reached[:3] == ["Cofounder", "All builds", "Cancel build"]
    for name in ("Plan and notes", "List of files", "Content of the file", "Output of the commands"):
        assert name in reached
    assert page.locator("h1").count() == 1
    scrollers = page.locator(".scroll")
    assert all(scrollers.nth(at).get_attribute("aria-label") for at in range(scrollers.count()))


def test_only_stage_changes_are_spoken(follow: Any, gateway: Any, sample: list[Any]) -> None:
    """aria-live hears the stages and the outcome, not the stream."""
    page = follow()
    page.evaluate(
        """() => {
          window.spoken = [];
          const spoken = document.querySelector('[aria-live]');
          new MutationObserver(() => window.spoken.push(spoken.textContent)).observe(spoken, { childList: true });
        }"""
    )
    assert page.locator("[aria-live]").count() == 1
    ends = [event.sequence for event in sample if event.HasField("stage_started")]
    for start, stop in zip([0, *ends], [*ends, len(sample)], strict=True):
        gateway.append(*sample[start:stop])
        if stop in ends:
            name = [
                "Architect",
                "Coder",
                "Executor",
                "Debugger",
                "Coder, iteration 2",
                "Executor, iteration 2",
                "Reviewer",
                "Git",
            ][ends.index(stop)]
            expect(page.locator("[aria-live]")).to_have_text(name)
    expect(page.locator("[aria-live]")).to_have_text("Succeeded")
    assert len(page.evaluate("() => window.spoken")) <= 12


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_have_enough_contrast(follow: Any, gateway: Any, probe: Any, sample: list[Any], scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for every text on its background."""
    gateway.logs[BUILD] = list(sample)
    page = follow(color_scheme=scheme)
    expect(page.locator(".now strong")).to_have_text("Succeeded")
    worst = probe(page, "contrast")
    assert worst[0] >= 4.5, worst


def test_with_reduced_motion_nothing_is_animated(follow: Any, gateway: Any, sample: list[Any]) -> None:
    gateway.logs[BUILD] = list(sample[: midway(sample)])
    page = follow(reduced_motion="reduce")
    expect(page.locator(".list button")).to_have_count(3)
    assert page.evaluate("() => document.getAnimations().length") == 0
