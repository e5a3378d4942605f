"""The page's one reducer, run where it will run: in a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from playwright.sync_api import Page

pytestmark = pytest.mark.integration


@pytest.fixture
def bare(opened: Callable[..., Page], gateway: Any) -> Page:
    return opened(f"{gateway.url}/bare")


@pytest.fixture
def fold(bare: Page, probe: Any) -> Callable[..., Any]:
    """Folds a log and returns the last state, or those after the sequences in `cuts` and the last."""

    def run(events: list[Any], cuts: list[int] | None = None) -> Any:
        states = probe(bare, "folded", [[json_format.MessageToDict(event) for event in events], cuts])
        return states if cuts else states[-1]

    return run


def generation(name: str = "g1", **more: Any) -> dict[str, Any]:
    return {"generationStarted": {"generationId": name, "stage": "STAGE_CODER", "model": "m", **more}}


def text(words: str, name: str = "g1") -> dict[str, Any]:
    return {"textDelta": {"generationId": name, "text": words}}


def test_a_whole_build_folds_to_what_happened(fold: Any, sample: list[Any]) -> None:
    """Issue 2, 8: stages with iterations, plan, files, commands, tests, usage, commit and outcome."""
    state = fold(sample)
    assert state["sequence"] == len(sample)
    assert state["phase"] == "SUCCEEDED"
    assert [(run["stage"], run["iteration"], run["needsWork"]) for run in state["runs"]] == [
        ("ARCHITECT", 1, False), ("CODER", 1, False), ("EXECUTOR", 1, True), ("DEBUGGER", 1, False),
        ("CODER", 2, False), ("EXECUTOR", 2, False), ("REVIEWER", 1, False), ("GIT_MANAGER", 1, False),
    ]  # fmt: skip
    assert all(run["finish"] > run["start"] for run in state["runs"])
    work = state["work"]
    assert {step["status"] for step in work["plan"]["steps"]} == {"STATUS_DONE"}
    assert work["drafts"] == []
    files = dict(work["files"])
    assert len(files) == 5
    assert all(file["whole"] and len(file["text"].encode()) == file["size"] for file in files.values())
    assert files["shortener/codes.py"]["change"] == "MODIFIED"
    assert "digits = ALPHABET[digit] + digits" in files["shortener/codes.py"]["text"]
    assert "\x1b" not in work["commands"][0]["output"]
    assert "E   AssertionError" in work["commands"][0]["output"]
    assert (work["tests"]["passed"], work["tests"]["failed"]) == (7, 0)
    usage = [event.usage_recorded for event in sample if event.HasField("usage_recorded")]
    assert state["usage"]["cost"] == sum(each.cost_microdollars for each in usage)
    assert state["usage"]["output"] == sum(each.output_tokens for each in usage)
    assert state["outcome"]["commit"] == work["commits"][0]["sha"]


def test_a_repeated_event_changes_nothing_and_a_gap_waits(fold: Any, sample: list[Any]) -> None:
    """Unique and Reliable: an old event is dropped, one after a gap is not drawn before the gap is filled."""
    twice = [event for event in sample for _ in (0, 1)]
    assert fold(twice) == fold(sample)
    assert fold(sample[:40] + sample[41:]) == fold(sample[:40])
    assert fold(sample[:40] + sample[30:]) == fold(sample)


def test_an_unknown_kind_draws_nothing_and_advances(bare: Page, probe: Any) -> None:
    event = {"sequence": "1", "createTime": "2026-01-01T00:00:00Z", "tomorrow": {"x": 1}}
    state = probe(bare, "folded", [[event], None])[0]
    assert state["sequence"] == 1
    assert state["phase"] == "QUEUED"


@pytest.mark.parametrize("kept", ["stage", "start"])
def test_an_attempt_takes_back_what_the_lost_one_wrote_but_not_its_usage(
    fold: Any, log: Any, sample: list[Any], kept: str
) -> None:
    """AttemptStarted: what stands after `kept_through_sequence` is void, usage excepted."""
    finished = [event.sequence for event in sample if event.HasField("stage_finished")]
    through = finished[1] if kept == "stage" else 1
    lost = sample[: finished[2] - 5]
    first, at = len(lost) + 1, lost[-1].create_time.seconds
    reason = {"workerId": "w2", "keptThroughSequence": str(through), "reason": "ATTEMPT_REASON_WORKER_LOST"}
    again = log([{"attemptStarted": reason}], first=first, at=at, attempt=2)
    before, after = fold([*lost, *again], [through])
    # At the start of the first attempt nothing of the work stands, and `before` is as it was then.
    assert after["work"] == before["work"]
    assert after["attempt"] == 2
    assert [run["voided"] for run in after["runs"]] == [run["key"] > through for run in after["runs"]]
    assert any(run["voided"] for run in after["runs"])
    usage = [event.usage_recorded.cost_microdollars for event in lost if event.HasField("usage_recorded")]
    assert after["usage"]["cost"] == sum(usage) > 0
    assert "lost" in after["notes"][-1]["text"]


def test_an_attempt_keeps_what_people_said(fold: Any, log: Any) -> None:
    steps = [
        {"buildAccepted": {"goal": "x"}},
        {"attemptStarted": {"keptThroughSequence": "1"}},
        {"warningRaised": {"code": "weak_sandbox", "text": "Weak."}},
        {"steerReceived": {"steerId": "s", "text": "Use SQLite"}},
        {"cancelRequested": {"userId": "u"}},
        {"questionAsked": {"questionId": "q", "text": "Which?"}},
        {"stageFinished": {"stage": "STAGE_ARCHITECT", "iteration": 1}},
        {"questionAnswered": {"questionId": "q", "text": "That"}},
        {"attemptStarted": {"keptThroughSequence": "7", "reason": "ATTEMPT_REASON_HANDED_BACK"}},
        {"attemptStarted": {"keptThroughSequence": "1", "reason": "ATTEMPT_REASON_HANDED_BACK"}},
    ]
    kept, state = fold(log(steps), [9])
    assert kept["work"]["questions"] == []
    assert [note["text"].split(":")[0] for note in state["notes"][:1]] == ["Instruction"]
    assert state["stopping"] is True


def test_a_voided_generation_loses_its_text_its_thinking_and_its_drafts_only(fold: Any, log: Any) -> None:
    steps = [
        {"stageStarted": {"stage": "STAGE_CODER", "iteration": 1}},
        generation("g1"), text("first"), {"fileOpened": {"path": "kept.py", "generationId": "g1"}},
        {"fileDelta": {"path": "kept.py", "text": "ok"}},
        {"fileWritten": {"path": "kept.py", "sizeBytes": "2", "sha256": "AA=="}},
        generation("g2"), text("half", "g2"), {"thinkingDelta": {"generationId": "g2", "text": "hm"}},
        {"fileOpened": {"path": "kept.py", "generationId": "g2"}}, {"fileDelta": {"path": "kept.py", "text": "half"}},
        {"fileOpened": {"path": "lost.py", "generationId": "g2"}},
        {"generationVoided": {"generationId": "g2", "reason": "overloaded"}},
    ]  # fmt: skip
    work = fold(log(steps))["work"]
    assert [(each["text"], each["thinking"]["text"], each["voided"]) for each in work["generations"]] == [
        ("first", "", ""),
        ("", "", "overloaded"),
    ]
    assert work["drafts"] == []
    assert [(path, file["text"]) for path, file in work["files"]] == [("kept.py", "ok")]


def test_a_file_whose_content_the_log_did_not_carry_is_known_not_to_be_whole(fold: Any, log: Any) -> None:
    steps = [
        {"fileWritten": {"path": "a", "sizeBytes": "9", "sha256": "AA=="}},
        {"fileOpened": {"path": "b"}}, {"fileDelta": {"path": "b", "text": "é"}},
        {"fileWritten": {"path": "b", "sizeBytes": "2"}},
        {"fileOpened": {"path": "c"}}, {"fileDelta": {"path": "c", "text": "redacted"}},
        {"fileWritten": {"path": "c", "sizeBytes": "3"}},
        {"fileWritten": {"path": "__proto__", "sizeBytes": "0"}}, {"fileDeleted": {"path": "a"}},
    ]  # fmt: skip
    files = fold(log(steps))["work"]["files"]
    assert [(path, file["whole"]) for path, file in files] == [("b", True), ("c", False), ("__proto__", True)]


ESCAPES = {
    "\x1b[31mred\x1b[0m": "red",
    "\x1b]8;;http://evil\x07link\x1b]8;;\x1b\\!": "link!",
    "\x1b]52;c;aGk=\x07x": "x",
    "\x1b]0;title\x9cx": "x",
    "\x1b[6n\x1bcx": "x",
    "\x1bPq#0\x1b\\x": "x",
    "\x9b31mx\x9d0;t\x07y": "xy",
    "\x1b]unterminated\nnext": "\nnext",
    "\x1b]a\x1b[1mb": "b",
    "a\rb\r\nc\bd\x00e\x7f": "a\nb\ncde",
    "abc\u202edef\u2066g\u200f": "abcdefg",
    "👩\u200d👧 ok\tyes\n": "👩\u200d👧 ok\tyes\n",
    "\x1b(Bx\x1b#8y": "xy",
}


@pytest.mark.parametrize("raw", ESCAPES, ids=ascii)
def test_escapes_and_direction_controls_never_reach_the_screen_however_the_stream_is_cut(
    bare: Page, probe: Any, raw: str
) -> None:
    """D-10, example 135: also split between two tokens, and unterminated."""
    assert set(probe(bare, "cleaned", raw)) == {ESCAPES[raw]}


def test_an_escape_that_never_ends_hides_a_line_at_most_and_its_search_is_linear(bare: Page, probe: Any) -> None:
    """A search that is not linear takes minutes here; the bound is far from both."""
    seen, took = probe(bare, "endless")
    assert seen.endswith("\nvisible")
    assert took < 10_000


def test_the_state_is_bounded_whatever_a_build_writes(bare: Page, probe: Any) -> None:
    """Long texts keep their end and say what was left out; never inside a code point."""
    answer = probe(bare, "bounds")
    held, limits = answer["held"], answer["limits"]
    assert answer["wellFormed"] is True
    assert answer["seen"] == 1_000_050
    assert (answer["newest"], answer["oldest"]) == (True, False)
    assert (held["runs"], held["files"]) == (limits["runs"], limits["files"])
    assert all(value <= limits[name] * 1.25 for name, value in held.items())
