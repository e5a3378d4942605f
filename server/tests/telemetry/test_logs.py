"""Logs: JSON, one object a line, no secret in any of them (D-1: no credential in any log)."""

import io
import json
import logging

import pytest
import structlog

from cofounder_server.telemetry import logs

SECRET = "sk-very-secret"


@pytest.fixture
def lines():
    """Configures logging for the test and gives what was written, decoded."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(level="info", scrub=lambda text: text.replace(SECRET, "[secret]"), stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_time_level_and_context(lines):
    with structlog.contextvars.bound_contextvars(correlation_id="c1"):
        structlog.get_logger("a.b").info("done", build_id="b1", count=3, nothing=None)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "done",
        "level": "info",
        "logger": "a.b",
        "correlation_id": "c1",
        "build_id": "b1",
        "count": 3,
        "nothing": None,
    }


def test_no_secret_is_written_wherever_it_stands(lines):
    class Thing:
        def __repr__(self) -> str:
            return f"<Thing {SECRET}>"

    def fail() -> None:
        raise RuntimeError(f"with {SECRET}")

    logger = structlog.get_logger("a")
    try:
        fail()
    except RuntimeError as fault:
        logger.error(f"x {SECRET}", key=SECRET, deep={"a": [(SECRET,)]}, thing=Thing(), exc_info=fault)
    logging.getLogger("foreign").warning("of %s", SECRET)
    written = json.dumps(lines())
    assert SECRET not in written
    assert written.count("[secret]") == 6
    assert "Traceback" in written
    assert "in fail" in written


def test_what_is_below_the_level_is_not_written(lines):
    structlog.get_logger("a").debug("unseen")
    logging.getLogger("a").debug("unseen")
    assert lines() == []


def test_the_standard_library_logs_alike(lines):
    logging.getLogger("grpc").warning("lost %s", "it")
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"]) == ("lost it", "grpc", "warning")
