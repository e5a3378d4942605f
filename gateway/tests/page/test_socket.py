"""The page's connection: what it does when the gateway leaves, falls silent, refuses or loses its place."""

from collections.abc import Callable
from typing import Any

import pytest
from google.rpc import status_pb2
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.integration

BUILD = "0193a1f0-0000-7000-8000-00000000000a"


@pytest.fixture
def page(opened: Callable[..., Page], gateway: Any, sample: list[Any]) -> Page:
    """A page that has applied the first forty events of a build."""
    gateway.logs[BUILD] = list(sample[:40])
    page = opened(f"{gateway.url}/#build={BUILD}")
    expect(badge(page)).to_have_text("Live")
    expect(page.locator(".words .text")).not_to_be_empty()
    return page


def badge(page: Page) -> Locator:
    return page.locator("#badge")


def ending(gateway: Any, code: int, message: str = "Gone for a moment.") -> Any:
    frame = gateway.frame()
    frame.ended.watch_id = gateway.watches()[-1].watch_id
    frame.ended.status.CopyFrom(status_pb2.Status(code=code, message=message))
    return frame


def leave(gateway: Any, action: int, delay: float = 0.0) -> Any:
    frame = gateway.frame()
    frame.leave.action = action
    frame.leave.retry_delay.FromMilliseconds(int(delay * 1000))
    return frame


def test_the_hello_comes_first_and_holds_the_token(page: Page, gateway: Any) -> None:
    """D-1: the token is in the first frame, never in an address or a store."""
    kinds = [frame.WhichOneof("kind") for frame in gateway.frames]
    assert kinds == ["hello", "watch"]
    assert gateway.frames[0].hello.token == "token-1"
    assert gateway.frames[1].watch.min_interval_ms == 16
    kept = page.evaluate(
        "() => [document.cookie, localStorage.length, sessionStorage.length, location.href.includes('token-')]"
    )
    assert kept == ["", 0, 0, False]


@pytest.mark.parametrize("code", [1012, 1006, 1000, 4008])
def test_it_resumes_after_what_it_applied(page: Page, gateway: Any, code: int) -> None:
    """Resumable: the cursor is the last applied sequence, and the token is still good."""
    if code == 1012:
        gateway.say(leave(gateway, 1, 0.2))
    gateway.cut(None if code == 1006 else code)
    gateway.wait(lambda: len(gateway.watches()) == 2, "a second watch")
    assert gateway.watches()[1].request.after_sequence == 40
    assert gateway.tokens == 1
    expect(badge(page)).to_have_text("Live")


def test_when_the_token_has_ended_it_asks_for_a_new_one_first(page: Page, gateway: Any) -> None:
    """Close 4401: renew, then connect again and resume."""
    gateway.cut(4401)
    gateway.wait(lambda: len(gateway.watches()) == 2, "a second watch")
    assert [frame.hello.token for frame in gateway.frames if frame.HasField("hello")] == ["token-1", "token-2"]


@pytest.mark.parametrize("code", [4501, 4503, 4504, 1000])
def test_told_to_stop_it_stops_until_the_user_acts(page: Page, gateway: Any, code: int) -> None:
    """Close codes from 4500, and Leave STOP before any code: no new try by itself, and the reason is said."""
    page.clock.install()
    if code == 1000:
        gateway.say(leave(gateway, 2))
    gateway.cut(code)
    expect(badge(page)).to_have_text("Signed out")
    expect(page.locator("#why")).not_to_be_empty()
    page.clock.run_for(120_000)
    assert gateway.hellos() == 1
    page.get_by_role("button", name="Connect again").click()
    expect(badge(page)).to_have_text("Live")
    assert gateway.watches()[-1].request.after_sequence == 40


def test_a_refused_token_is_said_and_a_failing_gateway_is_tried_again(opened: Any, gateway: Any) -> None:
    gateway.token_status = 503
    page = opened(f"{gateway.url}/#build={BUILD}")
    expect(page.locator("#why")).to_contain_text("cannot be reached")
    expect(badge(page)).to_have_text("Connecting")
    gateway.token_status = 403
    expect(badge(page)).to_have_text("Signed out")
    gateway.token_status = 200
    page.get_by_role("button", name="Connect again").click()
    expect(badge(page)).to_have_text("Live")


@pytest.mark.parametrize(("promised", "silence"), [(15.0, 46_000), (2.0, 7_500)])
def test_silence_is_noticed(opened: Any, gateway: Any, promised: float, silence: int) -> None:
    """C-7, example 93: three missing heartbeats, 45 s at most, and the page connects again."""
    gateway.heartbeat = promised
    page = opened("about:blank")
    page.clock.install()
    page.goto(f"{gateway.url}/#build={BUILD}")
    expect(badge(page)).to_have_text("Live")
    page.clock.run_for(silence - 2000)
    assert gateway.hellos() == 1
    page.clock.run_for(4000)
    gateway.wait(lambda: gateway.hellos() == 2, "a new connection")


def test_a_token_is_renewed_before_it_ends_without_a_new_socket(opened: Any, gateway: Any) -> None:
    gateway.token_lifetime = 30.0
    page = opened("about:blank")
    page.clock.install()
    page.goto(f"{gateway.url}/#build={BUILD}")
    expect(badge(page)).to_have_text("Live")
    page.clock.run_for(23_000)
    gateway.wait(lambda: any(frame.HasField("renew") for frame in gateway.frames), "a renewal")
    assert gateway.frames[-1].renew.token == "token-2"
    assert gateway.hellos() == 1


@pytest.mark.parametrize("code", [14, 13, 10, 8])
def test_a_watch_that_broke_is_taken_up_after_what_was_applied(
    page: Page, gateway: Any, sample: Any, code: int
) -> None:
    gateway.say(ending(gateway, code))
    gateway.wait(lambda: len(gateway.watches()) == 2, "a second watch")
    assert gateway.watches()[1].request.after_sequence == 40
    assert gateway.watches()[1].watch_id != gateway.watches()[0].watch_id
    assert gateway.hellos() == 1


@pytest.mark.parametrize("code", [5, 7, 11, 16])
def test_a_watch_that_is_refused_is_not_tried_again(page: Page, gateway: Any, code: int) -> None:
    """Honest: the reason is shown, and nothing is hammered."""
    page.clock.install()
    gateway.say(ending(gateway, code, "The log no longer reaches that far."))
    expect(page.locator(".now")).to_contain_text("The log no longer reaches that far.")
    page.clock.run_for(60_000)
    assert len(gateway.watches()) == 1


def test_a_hole_in_a_watch_is_never_drawn_but_asked_for_again(page: Page, gateway: Any, sample: list[Any]) -> None:
    """Reliable: were a batch ever lost on the way, the page reads the log again from what it has applied."""
    frame = gateway.frame()
    frame.batch.watch_id = gateway.watches()[0].watch_id
    frame.batch.response.events.extend(sample[45:50])
    frame.batch.response.through_sequence = 50
    gateway.logs[BUILD].extend(sample[40:])
    gateway.say(frame)
    gateway.wait(lambda: len(gateway.watches()) == 2, "a second watch")
    assert gateway.watches()[1].request.after_sequence == 40
    expect(page.locator(".now strong")).to_have_text("Succeeded")


def test_leaving_a_build_ends_its_watch(page: Page, gateway: Any) -> None:
    page.locator(".brand").click()
    gateway.wait(lambda: any(frame.HasField("unwatch") for frame in gateway.frames), "an unwatch")


def test_the_backoff_has_full_jitter_and_forgets_after_a_stable_minute_only(
    opened: Any, gateway: Any, probe: Any
) -> None:
    """C-12: doubling bounds up to 30 s, any time below the bound, reset after a minute that held."""
    waits = probe(opened(f"{gateway.url}/bare"), "waits")
    assert waits["doubling"] == [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]
    assert waits["short"] == 30000
    assert waits["stable"] == 500
    assert waits["half"] == 500
