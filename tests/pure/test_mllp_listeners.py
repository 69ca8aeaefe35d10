"""The file of listeners: read strictly, and a bad entry is named in one line."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from dhos_connector_api.errors import BadSetting
from dhos_connector_api.hl7v2.modes import Mode
from dhos_connector_api.mllp.listeners import read_file
from dhos_connector_api.mllp.terms import Listener, Sender, Tls


def _file(folder: Path, text: str) -> Path:
    path = folder / "listeners.toml"
    path.write_text(text)
    return path


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    path = _file(tmp_path, '[[listener]]\nname = "epr"\nport = 2575')
    assert read_file(path) == (Listener(name="epr", port=2575),)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    for name in ("own.pem", "own.key", "ca.pem"):
        (tmp_path / name).touch()
    path = _file(
        tmp_path,
        f"""
        [[listener]]
        name = "epr"
        host = "::"
        port = 2575
        mode = "enhanced"
        application_ack = "delivery"
        networks = ["10.1.0.0/16", "::1/128"]
        largest_message = 1_000_000
        frame_timeout = 1.5
        idle_timeout = 60
        write_timeout = 2
        connections = 100
        connections_per_peer = 10
        tls = {{ certificate = "{tmp_path}/own.pem", key = "{tmp_path}/own.key",
                 client_ca = "{tmp_path}/ca.pem", client_certificate = "optional" }}
        sender = [{{ application = "EPR", facility = "RBH", certificate = "epr.test",
                     accepted = {{ adt = ["a01"] }} }}]
        """.replace(",\n", ","),
    )  # fmt: skip
    tls = Tls(tmp_path / "own.pem", tmp_path / "own.key", tmp_path / "ca.pem", "optional")
    sender = Sender("EPR", "RBH", {"ADT": frozenset({"A01"})}, "epr.test")
    assert read_file(path) == (
        Listener(
            name="epr", host="::", port=2575, tls=tls, senders=(sender,), mode=Mode.ENHANCED,
            application_ack="delivery", networks=(ip_network("10.1.0.0/16"), ip_network("::1/128")),
            largest_message=1_000_000, frame_timeout=1.5, idle_timeout=60, write_timeout=2,
            connections=100, connections_per_peer=10,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "listener"),
        ("listener = []", "listener"),
        ('[[listener]]\nname = "a"', "listener.0.port"),
        ("[[listener]]\nport = 1", "listener.0.name"),
        ('[[listener]]\nport = 1\nname = "a b"', "listener.0.name"),
        ('[[listener]]\nport = "1"\nname = "a"', "listener.0.port"),
        ('[[listener]]\nport = 1\nname = "a"\ntimeout = 3', "listener.0.timeout"),
        ('[[listener]]\nport = 1\nname = "a"\nmode = "SECRET"', "listener.0.mode"),
        ('[[listener]]\nport = 1\nname = "a"\nnetworks = ["10.0.0.1/8"]',
         "listener.0.networks"),
        ('[[listener]]\nport = 1\nname = "a"\nframe_timeout = 0', "listener.0.frame_timeout"),
        ('[[listener]]\nport = 1\nname = "a"\ntls = { certificate = "/none", key = "/none" }',
         "listener.0.tls.certificate, listener.0.tls.key"),
        ('[[listener]]\nport = 1\nname = "a"\nsender = [{ certificate = "x" }]',
         "listener.0.sender.certificate"),
        ('[[listener]]\nport = 1\nname = "a"\nsender = [{ accepted = { ADT = "A01" } }]',
         "listener.0.sender.0.accepted"),
        ('[[listener]]\nport = 1\nname = "a"\n[[listener]]\nport = 2\nname = "a"',
         "two listeners have the same name"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_named_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read_file(_file(tmp_path, text))
    assert caught.value.text == f"MLLP_LISTENERS does not fit: {expected}"


def test_what_is_no_toml_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="MLLP_LISTENERS is not good TOML"):
        read_file(_file(tmp_path, "[[listener"))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="MLLP_LISTENERS cannot be read: No such file"):
        read_file(tmp_path / "none.toml")
