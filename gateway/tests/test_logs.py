"""D-1, example 107: no credential in any log, whoever writes it and wherever in a line it stands."""

import json
import logging

import pytest
import structlog

from cofounder_gateway import logs

pytestmark = pytest.mark.unit


@pytest.fixture
def restored():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def test_a_token_is_taken_out_of_every_line_and_each_line_is_json(restored, capsys):
    logs.configure(level="INFO")
    ours = structlog.get_logger()
    ours.info("a hello", token="s3cret-part", user="ada")
    ours.info("said Bearer s3cret-part.and.more", headers={"authorization": "bearer s3cret-part"})
    ours.debug("too fine")
    logging.getLogger("uvicorn.error").warning('"GET /?token=%s" 400', "s3cret-part")
    logging.getLogger("a.library").info("not ours, and no warning")
    try:
        raise ValueError("eyJhbGciOi.s3cret-part")
    except ValueError:
        ours.exception("failed")
    written = capsys.readouterr().err
    assert "s3cret-part" not in written
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["level"] for line in lines] == ["info", "info", "warning", "error"]
    assert lines[0]["user"] == "ada"
    assert "ValueError" in lines[3]["exception"]
