"""Entries of the listeners' file that can never match or act: a start tells of them, by name."""

import logging
from pathlib import Path

import pytest

from dhos_connector_api.mllp.listeners import read_file

HEAD = '[[listener]]\nname = "epr"\nport = 2575\n'


def told(caplog: pytest.LogCaptureFixture, folder: Path, text: str) -> list[str]:
    caplog.clear()
    caplog.set_level(logging.INFO)
    path = folder / "listeners.toml"
    path.write_text(HEAD + text)
    read_file(path)
    found = [each for each in caplog.records if "has no effect" in each.message]
    assert all((each.levelname, bool(vars(each)["cause"])) == ("WARNING", True) for each in found)
    return [vars(each)["entry"] for each in found]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ('sender = [{ accepted = { ADT = ["ADT^A01"] } }]', ["sender.0.accepted.ADT: 'ADT^A01'"]),
        ("sender = [{ accepted = { ORM = [] } }]", ["sender.0.accepted.ORM"]),
        ("sender = [{ accepted = {} }]", ["sender.0.accepted"]),
        ('sender = [{ accepted = { "ADT " = ["A01"] } }]', ["sender.0.accepted.ADT "]),
        (
            'sender = [{ application = "A" }, { application = "A|B", facility = " RTH" }]',
            ["sender.1.application", "sender.1.facility"],
        ),
        ('mode = "original"\napplication_ack = "delivery"', ["application_ack"]),
    ],
)
def test_what_has_no_effect_is_told(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, text: str, entries: list[str]
) -> None:
    assert told(caplog, tmp_path, text) == [f"listener epr: {each}" for each in entries]


def test_a_client_certificate_that_nobody_asks_for_is_told(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    for name in ("own.pem", "own.key"):
        (tmp_path / name).touch()
    client = 'client_certificate = "optional"'
    tls = f'tls = {{ certificate = "{tmp_path}/own.pem", key = "{tmp_path}/own.key", {client} }}'
    assert told(caplog, tmp_path, tls) == ["listener epr: tls.client_certificate"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        'sender = [{ application = "EPR", facility = "RBH", accepted = { adt = ["a01"], ORU = ["*"] } }]',
        'sender = [{ application = "" }]',  # a sender that leaves it empty
        'mode = "enhanced"\napplication_ack = "delivery"',
    ],
)
def test_of_what_acts_nothing_is_told(caplog: pytest.LogCaptureFixture, tmp_path: Path, text: str) -> None:
    assert told(caplog, tmp_path, text) == []
