"""What an acknowledgement says of a message of ours: taken, refused and why, or left open."""

import pytest

from dhos_connector_api.deliveries.rules.acknowledgement import control_id_of, judge
from dhos_connector_api.deliveries.rules.outcome import DeliveryFailed, Kind


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\n"])
def test_line_ends_of_any_kind_are_read(end: str) -> None:
    ack = f"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6{end}MSA|AA|ORU1{end}".encode()
    assert judge(ack, "ORU1", 200).ack_code == "AA"


def test_padding_in_an_acknowledgement_is_not_minded() -> None:
    ack = b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA|AA |ORU1  \r"
    assert judge(ack, "ORU1", 200).ack_code == "AA"
    assert control_id_of(ack) == "ORU1"


def test_a_refusal_of_who_could_not_read_our_control_id_is_final() -> None:
    with pytest.raises(DeliveryFailed) as caught:
        judge(b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA|AR|\r", "ORU1", 200)
    assert (caught.value.kind, caught.value.ack_code) == (Kind.PERMANENT, "AR")


@pytest.mark.parametrize(
    "ack",
    [
        b"",
        b"MSA|AA|ORU1",
        b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\r",
        b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA|AA|\r",
        b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA|ZZ|ORU1\r",
        b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA||ORU1\r",
        b"\xff\xfe\x00",
    ],
)
def test_what_acknowledges_nothing_leaves_it_open(ack: bytes) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        judge(ack, "ORU1", 200)
    assert caught.value.kind is Kind.AMBIGUOUS


@pytest.mark.parametrize(
    ("segments", "detail"),
    [
        ("ERR|PID^1^3^204&Unknown key", "PID^1^3^204&Unknown key"),
        ("ERR||PID^1|207^Broken^HL70357|E", "Broken"),
        ("ERR||PID^1|207|E||||one\rERR||PV1|207|E||||two", "one; two"),
        ("NTE|1", None),
    ],
)
def test_the_reason_is_found_in_every_layout_of_err(segments: str, detail: str | None) -> None:
    ack = f"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA|AE|ORU1\r{segments}\r".encode()
    with pytest.raises(DeliveryFailed) as caught:
        judge(ack, "ORU1", 200)
    assert caught.value.detail == detail


@pytest.mark.parametrize(
    ("ack", "control_id"),
    [
        (b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA|AA|ORU1\r", "ORU1"),
        (b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\rMSA|AR\r", ""),
        (b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.6\r", ""),
        (b"MSA|AA|ORU1", ""),
    ],
)
def test_an_acknowledgement_names_a_message_or_none(ack: bytes, control_id: str) -> None:
    assert control_id_of(ack) == control_id
