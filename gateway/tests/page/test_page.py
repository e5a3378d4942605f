"""The page as its user meets it: start a build, watch it, lose the connection, come back, and see the same."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import any_pb2, json_format
from google.rpc import error_details_pb2, status_pb2
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.integration

BUILD = "0193a1f0-0000-7000-8000-00000000000a"
APPLIED = "() => document.querySelector('main').textContent"


@pytest.fixture
def follow(opened: Callable[..., Page], gateway: Any) -> Callable[..., Page]:
    """Opens the page of the scripted build."""
    return lambda **options: opened(f"{gateway.url}/#build={BUILD}", **options)


def over(page: Page, outcome: str = "Succeeded") -> str:
    """Waits for the end and returns every word on the screen."""
    expect(page.locator(".now strong")).to_have_text(outcome)
    expect(page.locator("#badge")).to_have_text("Live")
    return str(page.evaluate(APPLIED))


def test_a_double_click_starts_one_build_and_shows_it_from_the_first_event(
    opened: Any, gateway: Any, sample: list[Any]
) -> None:
    """Issue 2, must hold: a double click starts one build; the request id is made once for an intent."""
    gateway.answers["ListBuilds"] = lambda request: {}
    gateway.answers["StartBuild"] = lambda request: {"build": {"buildId": BUILD}, "created": True}
    page = opened(gateway.url)
    expect(page.locator(".empty")).to_contain_text("None yet")
    page.get_by_label("What shall we build?").fill("A URL shortener")
    page.get_by_role("button", name="Start").dblclick()
    expect(page).to_have_url(f"{gateway.url}/#build={BUILD}")
    gateway.append(*sample)
    expect(page.get_by_role("heading", level=1)).to_have_text("A URL shortener with tests")
    over(page)
    starts = [request for method, request in gateway.calls if method == "StartBuild"]
    assert len(starts) == 1
    assert starts[0]["goal"] == "A URL shortener"
    assert len(starts[0]["requestId"].replace("-", "")) == 32


def test_two_quick_enters_start_one_build(opened: Any, gateway: Any) -> None:
    """Issue 2, must hold: as a double click, by keyboard, where no disabled button stands in between."""
    gateway.answers["ListBuilds"] = lambda request: {}
    gateway.answers["StartBuild"] = lambda request: {"build": {"buildId": BUILD}}
    page = opened(gateway.url)
    page.get_by_label("What shall we build?").fill("A poem")
    page.evaluate(
        """() => [0, 1].forEach(() => document.activeElement.dispatchEvent(
          new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true })))"""
    )
    expect(page).to_have_url(f"{gateway.url}/#build={BUILD}")
    assert [method for method, _ in gateway.calls].count("StartBuild") == 1


def test_a_refused_start_says_why_and_the_next_try_means_the_same_build(opened: Any, gateway: Any) -> None:
    """Errors say what happened and what to do next; a retry after a fault cannot start a second build."""
    refused = status_pb2.Status(code=14, message="The server is draining.")
    gateway.answers["ListBuilds"] = lambda request: {}
    gateway.answers["StartBuild"] = lambda request: refused
    page = opened(gateway.url)
    page.get_by_label("What shall we build?").fill("A poem")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The server is draining. Nothing was changed. Try again in a moment."
    )
    gateway.answers["StartBuild"] = lambda request: {"build": {"buildId": BUILD}}
    page.get_by_label("What shall we build?").press("Enter")
    expect(page).to_have_url(f"{gateway.url}/#build={BUILD}")
    first, second = (request for method, request in gateway.calls if method == "StartBuild")
    assert first["requestId"] == second["requestId"]


def test_a_call_cut_off_by_the_connection_is_asked_again_under_the_same_request_id(opened: Any, gateway: Any) -> None:
    """A disconnect loses no command and doubles none."""
    gateway.answers["ListBuilds"] = lambda request: {}
    page = opened(gateway.url)
    expect(page.locator("#badge")).to_have_text("Live")
    gateway.accepting = False
    gateway.cut()
    expect(page.locator("#badge")).to_have_text("Reconnecting")
    page.get_by_label("What shall we build?").fill("A poem")
    page.get_by_role("button", name="Start").click()
    gateway.answers["StartBuild"] = lambda request: {"build": {"buildId": BUILD}}
    gateway.accepting = True
    expect(page).to_have_url(f"{gateway.url}/#build={BUILD}")
    assert [method for method, _ in gateway.calls].count("StartBuild") == 1


def test_recent_builds_stand_with_their_state_and_lead_to_their_page(opened: Any, gateway: Any) -> None:
    builds = [
        {"buildId": BUILD, "goal": "One", "state": "BUILD_STATE_RUNNING", "createTime": "2026-01-01T00:00:00Z"},
        {
            "buildId": "b2",
            "goal": "Two",
            "state": "BUILD_STATE_PARTIAL",
            "costMicrodollars": "81000",
            "rehearsal": True,
        },
    ]
    gateway.answers["ListBuilds"] = lambda request: {"builds": builds}
    page = opened(gateway.url)
    expect(page.locator(".builds li")).to_have_count(2)
    expect(page.locator(".builds .pill")).to_have_text(["Running", "Partial"])
    expect(page.locator(".builds li").nth(1)).to_contain_text("$0.0810")
    page.locator(".builds a").first.click()
    gateway.wait(lambda: [watch.request.build_id for watch in gateway.watches()] == [BUILD], "a watch of the build")


def test_the_build_is_shown_while_it_happens(follow: Any, gateway: Any, sample: list[Any]) -> None:
    """Issue 2, 8: stages, streaming text, files as they are written, terminal output, cost."""
    page = follow()
    code = next(event.sequence for event in sample if event.HasField("file_opened"))
    gateway.append(*sample[: code + 12])
    expect(page.locator(".now")).to_have_text("Coder is writing shortener/codes.py")
    expect(page.locator(".words h2")).to_have_text("Coder")
    expect(page.locator(".files [data-at=path]")).to_have_text("shortener/codes.py")
    expect(page.locator(".files [data-at=content]")).to_contain_text('"""Short codes out of counters')
    expect(page.locator(".plan header span")).to_have_text("0 of 4")
    expect(page.locator(".rail li[data-mark=active] .name")).to_have_text("Coder")
    expect(page.locator(".facts [data-at=cost]")).to_have_text("$0.0117")
    expect(page.locator(".rehearsal")).to_contain_text("No model was asked")
    expect(page.locator(".rehearsal")).to_contain_text("your idea was not read")
    gateway.append(*sample[code + 12 :])
    over(page)
    expect(page.locator(".terminal li")).to_have_count(2)
    expect(page.locator(".terminal .typed").first).to_have_text("$ python -m pytest -q")
    expect(page.locator(".terminal .end")).to_have_text(["exit 1 · 0.6 s", "exit 0 · 0.5 s"])
    expect(page.locator(".facts [data-at=tests]")).to_have_text("7 passed")
    expect(page.locator(".facts [data-at=commit]")).to_have_text("4f9c2ab17d")
    expect(page.locator(".rail li").nth(1).locator("button")).to_have_text(["1", "2"])
    expect(page.get_by_role("button", name="Cancel build")).to_be_hidden()


@pytest.mark.parametrize("seed", range(3))
def test_cuts_anywhere_leave_the_same_words_on_the_screen(
    follow: Any, gateway: Any, probe: Any, sample: list[Any], seed: int
) -> None:
    """Ordered, Unique, Reliable, Resumable: text equal to the uncut, after cuts of every kind at any place."""
    chance = random.Random(seed)
    page = follow()
    start = 0
    for close in chance.sample([None, None, 1012, 1006, 4008, 4401], 4):
        stop = start + chance.randrange(20, len(sample) // 5)
        before = probe(page, "streamed")
        gateway.append(*sample[start:stop])
        start = stop
        page.wait_for_function("async (was) => (await import('/probes.js')).streamed() !== was", arg=before)
        hellos = gateway.hellos()
        gateway.cut(None if close == 1006 else close)
        gateway.append(*sample[start : start + 25])
        start += 25
        gateway.wait(lambda hellos=hellos: gateway.hellos() > hellos, "a new hello after the cut")
    gateway.append(*sample[start:])
    cut = over(page)
    assert any(watch.request.after_sequence > 0 for watch in gateway.watches()), "nothing was resumed"
    assert cut == over(follow())


def test_a_reload_mid_stream_shows_the_same(follow: Any, gateway: Any, probe: Any, sample: list[Any]) -> None:
    """Issue 2, 8: reload shows the same, in the middle and at the end."""
    half = len(sample) // 2
    gateway.logs[BUILD] = list(sample[:half])
    page = follow()
    expect(page.locator(".files .list button").first).to_be_visible()
    before = probe(page, "streamed")
    page.reload()
    expect(page.locator(".files .list button").first).to_be_visible()
    assert probe(page, "streamed") == before
    gateway.append(*sample[half:])
    whole = over(page)
    page.reload()
    assert over(page) == whole


def test_a_lost_attempt_and_a_voided_call_vanish_from_the_screen(follow: Any, gateway: Any, log: Any) -> None:
    steps: list[dict[str, Any]] = [
        {"buildAccepted": {"goal": "x"}},
        {"attemptStarted": {"keptThroughSequence": "1"}},
        {"stageStarted": {"stage": "STAGE_CODER", "iteration": 1}},
        {"generationStarted": {"generationId": "g", "stage": "STAGE_CODER"}},
        {"textDelta": {"generationId": "g", "text": "void"}},
        {"fileOpened": {"path": "void.py", "generationId": "g"}},
    ]
    page = follow()
    events = log(steps)
    gateway.append(*events)
    expect(page.locator(".words .text")).to_have_text("void")
    expect(page.locator(".list button")).to_have_count(1)
    first = len(events) + 1
    gateway.append(*log([{"generationVoided": {"generationId": "g", "reason": "overloaded"}}], first=first))
    expect(page.locator(".words .gone")).to_contain_text("overloaded")
    expect(page.locator(".list button")).to_have_count(0)
    again = {"attemptStarted": {"keptThroughSequence": "1", "reason": "ATTEMPT_REASON_WORKER_LOST"}}
    gateway.append(*log([again, steps[2]], first=first + 1, attempt=2))
    expect(page.locator(".words .call")).to_have_count(0)
    expect(page.locator(".rail button[data-mark=lost]")).to_have_count(1)


def test_the_viewer_follows_the_writing_until_the_reader_chooses(follow: Any, gateway: Any, sample: list[Any]) -> None:
    page = follow()
    opens = [event.sequence for event in sample if event.HasField("file_opened")]
    path = page.locator(".files [data-at=path]")
    gateway.append(*sample[: opens[1]])
    expect(path).to_have_text("shortener/store.py")
    page.locator(".list button", has_text="codes.py").click()
    expect(path).to_have_text("shortener/codes.py")
    gateway.append(*sample[opens[1] : opens[2]])
    expect(page.locator(".list button")).to_have_count(3)
    expect(path).to_have_text("shortener/codes.py")
    page.locator(".files").get_by_role("button", name="Follow", exact=True).click()
    expect(path).to_have_text("shortener/app.py")


def test_a_selection_of_text_survives_the_stream(follow: Any, gateway: Any, sample: list[Any]) -> None:
    page = follow()
    gateway.append(*sample[:30])
    expect(page.locator(".words .text")).to_contain_text("dictionary")
    page.evaluate("() => getSelection().selectAllChildren(document.querySelector('.words .text > div'))")
    chosen = page.evaluate("() => getSelection().toString()")
    gateway.append(*sample[30:50])
    expect(page.locator(".words .text")).to_contain_text("never collides")
    assert len(chosen) > 20
    assert page.evaluate("() => getSelection().toString()").startswith(chosen[:20])


def test_a_file_the_log_did_not_carry_whole_is_fetched(follow: Any, gateway: Any, log: Any) -> None:
    gateway.answers["GetBuildFile"] = lambda request: {"content": "ZnJvbSB0aGUgc3RvcmUbWzMxbSE="}
    page = follow()
    expect(page.locator("#badge")).to_have_text("Live")
    gateway.append(*log([{"buildAccepted": {"goal": "x"}}, {"fileWritten": {"path": "a.txt", "sizeBytes": "15"}}]))
    expect(page.locator("[data-at=content]")).to_have_text("from the store!")
    assert ("GetBuildFile", {"buildId": BUILD, "path": "a.txt", "atSequence": "2"}) in gateway.calls


def test_cancel_asks_once_and_says_so(follow: Any, gateway: Any, sample: list[Any], log: Any) -> None:
    gateway.answers["CancelBuild"] = lambda request: {}
    page = follow()
    gateway.append(*sample[:50])
    page.get_by_role("button", name="Cancel build").dblclick()
    gateway.wait(lambda: ("CancelBuild", {"buildId": BUILD}) in gateway.calls, "a call of CancelBuild")
    gateway.append(*log([{"cancelRequested": {"userId": "u"}}], first=51))
    expect(page.locator(".now strong")).to_have_text("Stopping")
    gateway.append(*log([{"buildCancelled": {"userId": "u"}}], first=52))
    over(page, "Cancelled")
    assert [method for method, _ in gateway.calls].count("CancelBuild") == 1


def test_a_refused_cancel_is_said_and_can_be_asked_again(follow: Any, gateway: Any, sample: list[Any]) -> None:
    gateway.answers["CancelBuild"] = lambda request: status_pb2.Status(
        code=7, message="You may watch, but not stop it."
    )
    page = follow()
    gateway.append(*sample[:50])
    page.get_by_role("button", name="Cancel build").click()
    expect(page.locator(".now")).to_have_text("Not cancelled You may watch, but not stop it.")
    expect(page.get_by_role("button", name="Cancel build")).to_be_enabled()


def test_each_end_is_said_in_words(follow: Any, gateway: Any, log: Any) -> None:
    """D-12 and the terminal events: reason, what helps, and no more."""
    detail, retry = any_pb2.Any(), any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason="PROVIDER_RATE_LIMITED", domain="cofounder.dev"))
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromSeconds(300)
    retry.Pack(info)
    failed = log([{"buildFailed": {}}], first=2)[0]
    failed.build_failed.error.CopyFrom(
        status_pb2.Status(code=8, message="The provider limits us.", details=[detail, retry])
    )
    gateway.logs[BUILD] = [*log([{"buildAccepted": {"goal": "x"}}]), failed]
    page = follow()
    over(page, "Failed")
    expect(page.locator(".now")).to_contain_text(
        "The provider limits us. A new try may help in 5:00 min. (PROVIDER_RATE_LIMITED)"
    )
    partial = {"summary": "Most of it stands.", "failures": ["test_x: TypeError"], "finishQuoteMicrodollars": "1200000"}
    gateway.logs[BUILD] = log([{"buildAccepted": {"goal": "x"}}, {"buildPartial": partial}])
    page = follow()
    over(page, "Partly done")
    expect(page.locator(".now")).to_contain_text("Finishing it is expected to cost $1.20.")
    expect(page.locator(".notes li").first).to_have_text("test_x: TypeError")


def test_a_build_that_is_not_there_says_so(opened: Any, gateway: Any) -> None:
    """Foreign equals non-existent, and the page does not try for ever."""
    page = opened(f"{gateway.url}/#build=nobody")
    expect(page.locator(".now")).to_have_text("Not shown There is no such build.")
    assert len(gateway.watches()) == 1


def test_the_queue_is_shown_from_the_view_which_is_not_in_the_log(follow: Any, gateway: Any, log: Any) -> None:
    page = follow()
    expect(page.locator("#badge")).to_have_text("Live")
    gateway.append(*log([{"buildAccepted": {"goal": "x"}}]))
    expect(page.locator(".now")).to_contain_text("Waiting for a worker")
    queue = {"position": 3, "aheadOwn": 1, "aheadOthers": 1, "reason": "REASON_SYSTEM", "limit": 4}
    held = {"eta": "40s", "etaLate": "110s", "pastForecasts": 20, "pastKept": 18}
    now = datetime.now(UTC).isoformat()

    def show(**view: Any) -> None:
        frame = gateway.frame()
        frame.batch.watch_id, frame.batch.response.through_sequence = gateway.watches()[0].watch_id, 1
        json_format.ParseDict(view, frame.batch.response.view)
        gateway.say(frame)

    show(readTime=now, queue={**queue, **held})
    expect(page.locator(".now")).to_have_text(
        re.compile(
            r"3rd in line 1 of yours and 1 other ahead · all workers are busy · "
            r"starts in about (40|35) s \(nine in ten within (2 min|1 min 45 s)\) · "
            r"such estimates held 18 of the last 20 times"
        )
    )
    show(readTime=now)
    expect(page.locator(".now")).to_contain_text("Waiting for a worker")
    # A view that was on its way when a worker took the build.
    gateway.append(*log([{"attemptStarted": {}}], first=2))
    expect(page.locator(".now")).to_contain_text("Starting")
    show(readTime=now, queue=queue)
    gateway.append(*log([{"warningRaised": {"code": "x", "text": "seen"}}], first=3))
    expect(page.locator(".build")).to_contain_text("seen")
    expect(page.locator(".now")).to_contain_text("Starting")


NOON = "2026-05-01T12:00:00Z"
SOON = {"eta": "40s", "etaLate": "130s"}


@pytest.mark.parametrize(
    ("queue", "head", "words"),
    [
        ({"position": 1, "reason": "REASON_NEXT", "eta": "0s", "etaLate": "0s"}, "1st in line", "about to start"),
        ({"position": 12, "aheadOthers": 11, "aheadLater": 2, "reason": "REASON_USER_LIMIT", "limit": 2},
         "12th in line", "11 others ahead (2 by a head start) · waits for one of your own 2 builds to end"),
        ({"position": 2, "aheadOwn": 1, "reason": "REASON_USER_LIMIT", "limit": 1}, "2nd in line",
         "1 of yours ahead · waits for your own build to end"),
        ({"position": 1, "reason": "REASON_PROJECT_LIMIT", "limit": 5}, "1st in line",
         "waits for one of the project’s 5 builds to end"),
        ({"position": 23, "reason": "REASON_SYSTEM"}, "23rd in line", "no worker is there just now"),
        ({"position": 9, "reason": "REASON_DAY_LIMIT", "limit": 5, "startAfterTime": "2026-05-02T00:07:00Z"},
         "Scheduled for tomorrow 00:07 UTC", "the day’s 5 builds are spent"),
        ({"position": 1, "reason": "REASON_DAY_LIMIT", "limit": 5, "startAfterTime": "2026-05-01T13:07:00Z"},
         "Scheduled for today 13:07 UTC", "the day’s 5 builds are spent"),
        ({"position": 1, "reason": "REASON_SYSTEM", "limit": 1, **SOON, "eta": "7230s", "etaLate": "13000s"},
         "1st in line", "all workers are busy · starts in about 2 h (nine in ten within 3 h 40 min)"),
        ({"position": 1, "reason": "REASON_SYSTEM", "limit": 1, "eta": "20s", "etaLate": "75s"},
         "1st in line", "all workers are busy · starts any moment (nine in ten within 50 s)"),
        ({"position": 1, "reason": "REASON_SYSTEM", "limit": 1, "eta": "20s", "etaLate": "21s"},
         "1st in line", "all workers are busy · starts later than nine in ten such builds did"),
        ({"position": 1, "reason": "REASON_SYSTEM", "limit": 1, **SOON, "pastForecasts": 1, "pastKept": 1},
         "1st in line",
         "all workers are busy · starts in about 15 s (nine in ten within 1 min 45 s) · the last such estimate held"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_the_wait_is_told_in_plain_words_counted_down(
    opened: Any, gateway: Any, probe: Any, queue: Any, head: str, words: str
) -> None:
    """As of 25 seconds before noon, told at noon."""
    page = opened(f"{gateway.url}/bare")
    assert probe(page, "told", [{"queue": queue, "readTime": "2026-05-01T11:59:35Z"}, NOON]) == {
        "head": head,
        "text": words,
    }


HOSTILE = [
    "<img src=x onerror=window.owned=1><script>window.owned=1</script>",
    "\"><svg onload=window.owned=1>'`${window.owned=1}",
    "javascript:window.owned=1",
    "\x1b]8;;http://evil\x07click\x1b]8;;\x07\x1b[2J\x1b]0;owned\x07\x9b31m\u202edesrever\u2066\x00",
    "__proto__",
    "Z̸̢͓a̴l" + "̍" * 500,
]


@pytest.mark.parametrize("raw", HOSTILE, ids=lambda raw: ascii(raw[:12]))
def test_hostile_words_are_inert_in_every_field(follow: Any, gateway: Any, probe: Any, log: Any, raw: str) -> None:
    """D-10, examples 135 and 137: the same payloads as goal, plan, file name, content, command, note, error, commit."""
    steps: list[dict[str, Any]] = [
        {"buildAccepted": {"goal": raw, "rehearsal": True, "scenario": raw}},
        {"attemptStarted": {"workerId": raw, "keptThroughSequence": "1"}},
        {"stageStarted": {"stage": "STAGE_CODER", "iteration": 1}},
        {"generationStarted": {"generationId": raw, "stage": "STAGE_CODER", "model": raw}},
        {"thinkingDelta": {"generationId": raw, "text": raw}}, {"textDelta": {"generationId": raw, "text": raw}},
        {"planProposed": {"title": raw, "steps": [{"index": 1, "description": raw, "paths": [raw]}]}},
        {"fileOpened": {"path": raw, "language": raw, "generationId": raw}}, {"fileDelta": {"path": raw, "text": raw}},
        {"fileWritten": {"path": raw, "sizeBytes": str(len(raw.encode()))}},
        {"commandStarted": {"commandId": raw, "argv": [raw, raw], "isolation": raw}},
        {"commandOutput": {"commandId": raw, "text": raw}},
        {"testReported": {"failed": 1, "failures": [{"name": raw, "message": raw}]}},
        {"warningRaised": {"code": raw, "text": raw}}, {"steerReceived": {"steerId": raw, "text": raw}},
        {"convergenceMeasured": {"signal": raw, "evidence": raw, "tripped": True}},
        {"commitCreated": {"sha": raw, "branch": raw, "message": raw}},
        {"commitPushed": {"remote": raw, "branch": raw}},
        {"creditRecorded": {"reason": raw}}, {"budgetWarned": {"limit": raw}},
        {"stageFinished": {"stage": "STAGE_CODER", "iteration": 1, "summary": raw}},
        {"questionAsked": {"questionId": raw, "text": raw, "choices": [raw]}},
        {"questionAnswered": {"questionId": raw, "text": raw}}, {"previewStopped": {"reason": raw}},
        {"buildPartial": {"commitSha": raw, "summary": raw, "failures": [raw]}},
    ]  # fmt: skip
    gateway.answers["ListBuilds"] = lambda request: {"builds": [{"buildId": raw, "goal": raw, "state": 4}]}
    gateway.answers["GetBuild"] = lambda request: {"build": {"repositoryUri": raw}}
    gateway.logs[BUILD] = log(steps)
    page = follow()
    over(page, "Partly done")
    expect(page.locator(".notes")).to_contain_text("Repository")
    assert probe(page, "owned") == [False, 0, False]
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.locator(".crumb a").click()
    expect(page.locator(".builds li")).to_have_count(1)
    assert probe(page, "owned") == [False, 0, False]
