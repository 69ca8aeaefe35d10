"""Logging: every line has the request's id, and an exception shows its type and place, not its text."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from dhos_connector_api import log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level


def _fail() -> None:
    raise ValueError("CANARY")


def test_json_lines_hold_what_was_added(stream: io.StringIO) -> None:
    log.set_up("INFO", "json", stream)
    token = log.correlation_id.set("request-1")
    logging.getLogger("x").info("kept", extra={"bytes": 12})
    log.correlation_id.reset(token)
    line = json.loads(stream.getvalue())
    assert (line["message"], line["request_id"], line["bytes"], line["level"]) == (
        "kept",
        "request-1",
        12,
        "INFO",
    )


@pytest.mark.parametrize("style", ["json", "plain", "colour"])
def test_an_exception_is_logged_without_its_text(stream: io.StringIO, style: str) -> None:
    log.set_up("INFO", style, stream)
    try:
        _fail()
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "CANARY" not in stream.getvalue()
    assert "ValueError at test_log.py" in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "plain", "colour"])
def test_no_message_makes_a_second_line(stream: io.StringIO, style: str) -> None:
    log.set_up("INFO", style, stream)
    logging.getLogger("x").info("one\r\ntwo %s", "a\nb")
    assert stream.getvalue().count("\n") == 1


def test_below_the_level_nothing_is_logged(stream: io.StringIO) -> None:
    log.set_up("WARN", "plain", stream)
    logging.getLogger("x").info("quiet")
    logging.getLogger("pika.connection").error("talkative")
    assert stream.getvalue() == ""
