"""Damaged HL7 v2: deterministic mutations of good messages, for the fuzz test and `benchmarks.fuzz`."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from random import Random
from uuid import UUID

from dhos_connector_api.actions.envelope import Envelope
from dhos_connector_api.actions.hl7.extract import extract
from dhos_connector_api.actions.hl7.facts import MOST_IDENTIFIERS, facts
from dhos_connector_api.actions.hl7.merges import merges
from dhos_connector_api.errors import UnreadableMessage
from dhos_connector_api.hl7v2.acknowledge import acknowledge
from dhos_connector_api.hl7v2.read import Defect, Message, read
from dhos_connector_api.hl7v2.rules import Code, judge
from dhos_connector_api.site.model import Site
from tests.builders.hl7 import NOW

SAMPLES = tuple(path.read_bytes() for path in sorted((Path(__file__).parents[1] / "samples").glob("*.hl7")))
#: Bytes of all envelopes of one message.
MOST_PUBLISHED = 10_000_000
_SITE = Site()
_PIECES = (
    *(bytes([number]) for number in (*range(32), 0x7F, 0x80, 0x85, 0x8D, 0xA7, 0xC3, 0xE9, 0xFF)),
    *(b"|", b"^", b"~", b"\\", b"&", b"#", b'""', b"\r", b"\n", b"\r\n", b"\r\r", b"\x1c\r", b"\x0b"),
    *(b"\\F\\", b"\\S\\", b"\\E\\", b"\\.br\\", b"\\X0D\\", b"\\X00\\", b"\\X0A4D5348\\", b"\\Xzz\\", b"\\X"),
    *(
        b"\\Z",
        b"MSH|^~\\&|",
        b"\rMSH|^~\\&|",
        b"\nMSA|AA|X\r",
        b"\rFHS|^~\\&|",
        b"\rBTS|1",
        b"\rPID|1||9^^^^MRN",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        "\u2028".encode(),
        "\u212b".encode(),
    ),
    *(b"UNICODE UTF-8", b"UNICODE UTF-16", b"8859/1", b"8859/5", b"ASCII", b"2.1", b"2.5", b"A40", b"A99"),
    *(b"9" * 300, b"|" * 60, b"~" * 60, b"\\" * 61, b"20240230", b"00000000"),
)
_CODECS = ("utf-8", "utf-16", "utf-16-le", "latin-1", "iso8859_5", "cp1252", "cp500")


def cases(seed: int, number: int) -> Iterator[bytes]:
    """That many damaged messages; the same ones for the same seed and number or a smaller one."""
    random = Random(seed)
    for _ in range(number):
        case = random.choice(SAMPLES)
        for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
            case = random.choice(_MUTATIONS)(case, random)
        yield case


def check(case: bytes) -> str:
    """Read, judge, extract and acknowledge one case and check what must hold; AA, AE, AR or `unreadable`.

    Raises AssertionError when a promise of `hl7v2` or `actions` is broken.
    """
    try:
        message = read(case)
    except UnreadableMessage:
        return "unreadable"
    known = facts(message, _SITE, UTC)
    assert len(known.identifiers) <= MOST_IDENTIFIERS
    verdict = judge(message, _SITE.inbound)
    assert verdict.code in {Code.AA, Code.AE, Code.AR}
    if verdict.code is Code.AA:
        assert sum(len(envelope.body) for envelope in envelopes(message)) <= MOST_PUBLISHED
        merged = {(each.identifier_type, each.old) for each in merges(message, _SITE)}
        assert merged <= set(known.identifiers), "an identifier that is given up is not indexed"
    answer = acknowledge(message, verdict, control_id="ANSWER1", now=NOW)
    assert message.charset == "utf-16" or not any(byte in answer for byte in b"\x0b\x1c"), "MLLP framing"
    ack = read(answer)
    own = ack.defects - message.defects - {Defect.CHARSET_OVERRULED}  # what is echoed may look like UTF-8
    assert not own, "the answer has defects of its own"
    names = [segment.name for segment in ack.segments()]
    assert names == (["MSH", "MSA", "ERR"] if verdict.error else ["MSH", "MSA"])
    msa = ack.all("MSA")[0]
    assert msa.value(1) == verdict.code
    assert ack.control_id == "ANSWER1"
    sent = message.msh.text(10).encode(message.charset)
    assert msa.text(2).encode(ack.charset) == sent, "MSA-2 is not the sender's MSH-10"
    return verdict.code


def envelopes(message: Message) -> list[Envelope]:
    """What an accepted message publishes."""
    return extract(message, site=_SITE, zone=UTC, message_uuid=UUID(int=1), correlation_id="c")


def _insert(case: bytes, random: Random) -> bytes:
    at = random.randrange(len(case) + 1)
    return case[:at] + random.choice(_PIECES) + case[at:]


def _insert_in_header(case: bytes, random: Random) -> bytes:
    at = random.randrange(min(len(case), 110) + 1)
    return case[:at] + random.choice(_PIECES) + case[at:]


def _overwrite(case: bytes, random: Random) -> bytes:
    at = random.randrange(len(case) + 1)
    return case[:at] + random.choice(_PIECES) + case[at + random.randrange(4) :]


def _flip(case: bytes, random: Random) -> bytes:
    damaged = bytearray(case)
    for _ in range(random.randrange(1, 6)):
        if damaged:
            damaged[random.randrange(len(damaged))] = random.randrange(256)
    return bytes(damaged)


def _delimiter(case: bytes, random: Random) -> bytes:
    """Change one of the five delimiters in MSH, or everywhere."""
    at = random.randrange(3, 9)
    new = random.choice(
        (b"", b"|", b"^", b"~", b"\\", b"&", b"A", b"1", b" ", b"\t", b'"', b"\x01", b"\xa7", b"%")
    )
    if random.random() < 0.5:
        return case[:at] + new + case[at + 1 :]
    return case.replace(case[at : at + 1], new) if case[at : at + 1] else case


def _truncate(case: bytes, random: Random) -> bytes:
    return case[: random.randrange(len(case) + 1)]


def _lose(case: bytes, random: Random) -> bytes:
    """Lose some bytes in the middle."""
    at = random.randrange(len(case) + 1)
    return case[:at] + case[at + random.randrange(60) :]


def _repeat(case: bytes, random: Random) -> bytes:
    """Say a part of it several times."""
    at = random.randrange(len(case) + 1)
    part = case[at : at + random.randrange(120)]
    return case[:at] + part * random.randrange(2, 5) + case[at:]


def _shuffle(case: bytes, random: Random) -> bytes:
    """Swap or lose segments."""
    lines = case.split(b"\r")
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    lines[first], lines[second] = lines[second], random.choice((lines[first], b""))
    return b"\r".join(lines)


def _splice(case: bytes, random: Random) -> bytes:
    other = random.choice(SAMPLES)
    return case[: random.randrange(len(case) + 1)] + other[random.randrange(len(other)) :]


def _move_field(case: bytes, random: Random) -> bytes:
    """Put one field's text into another, as when a sender counts wrongly."""
    fields = case.split(b"|")
    fields[random.randrange(len(fields))] = random.choice(fields)
    return b"|".join(fields)


def _multiply(case: bytes, random: Random) -> bytes:
    """Many repetitions of one field, or many times the same segments."""
    separator, between = random.choice(((b"|", b"~"), (b"\r", b"\r"), (b"\r", b"\r")))
    parts = case.split(separator)
    first = random.randrange(len(parts))
    last = first + (1 if separator == b"|" else random.randrange(1, 4))
    parts[first:last] = [between.join(parts[first:last] * random.choice((3, 20, 99, 101)))]
    return separator.join(parts)


def _recode(case: bytes, random: Random) -> bytes:
    """Send it in another encoding than it says."""
    return case.decode("latin-1").encode(random.choice(_CODECS), "replace")


_MUTATIONS = (
    _insert,
    _insert,
    _insert_in_header,
    _insert_in_header,
    _overwrite,
    _flip,
    _delimiter,
    _truncate,
    _lose,
    _repeat,
    _shuffle,
    _splice,
    _move_field,
    _multiply,
    _recode,
)
