"""Observation sets with a hostile text in every field, for the property tests and `benchmarks.fuzz`.

`check` holds each against the same set with harmless texts: no segment, field or component more or less,
and every text read back as it was, by our own reader and by a few lines of regular expression.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import Any

from dhos_connector_api.hl7v2.read import Message, read_text
from dhos_connector_api.site.model import OxygenMask, SendConfig, Site
from tests.builders.oru import SITE, built, data, seen

#: Every text of an observation set and of the site that is sent: a slot, and the field it is read from
#: as segment (an OBX by its code), field, component and repetition. None is not read back by itself.
SLOTS: dict[str, tuple[str, int, int, int] | None] = {
    "sending_application": ("MSH", 3, 1, 1),
    "sending_facility": ("MSH", 4, 1, 1),
    "receiving_application": ("MSH", 5, 1, 1),
    "receiving_facility": ("MSH", 6, 1, 1),
    "processing_id": ("MSH", 11, 1, 1),
    "patient": ("PID", 2, 1, 1),
    "hospital_number": ("PID", 3, 1, 1),
    "nhs_number": ("PID", 3, 1, 2),
    "last_name": ("PID", 5, 1, 1),
    "first_name": ("PID", 5, 2, 1),
    "sex": None,
    "visit": ("PV1", 19, 1, 1),
    "location": None,
    "set": ("OBR", 3, 1, 1),
    "clinician": ("OBR", 10, 1, 1),
    "clinician_last": ("OBR", 10, 2, 1),
    "clinician_first": ("OBR", 10, 3, 1),
    "reference_range": ("TotalScore", 7, 1, 1),
    "flags": ("TotalScore", 8, 1, 1),
    "severity": ("Severity", 5, 1, 1),
    "position": ("BPPOS", 5, 1, 1),
    "mask": None,
    "mask_percent": None,
    "mask_code": None,
    "acvpu": ("ACVPU", 5, 2, 1),
    "eyes": ("GCS-Eyes", 5, 1, 1),
    "eyes_description": ("GCS-Eyes", 5, 2, 1),
    "verbal": ("GCS-Verbal", 5, 1, 1),
    "verbal_description": ("GCS-Verbal", 5, 2, 1),
    "motor": ("GCS-Motor", 5, 1, 1),
    "motor_description": ("GCS-Motor", 5, 2, 1),
    "concerns": None,
    "ignored": None,
} | {f"{code} unit": (code, 6, 2, 1) for code in ("HR", "RR", "DBP", "SBP", "SPO2", "O2Rate", "TEMP", "GCS")}

_PIECES = (
    *(chr(number) for number in (*range(1, 32), *range(127, 161))),
    *("|", "^", "~", "\\", "&", "#", '"', '""', "&^~|", "|" * 70, "~" * 120),
    *("\r", "\n", "\r\n", "\r\r", "\x1c\r", "\x0b", "\u2028", "\u2029", "\ufeff", "\u00a0", "\u3000"),
    *("\\F\\", "\\S\\", "\\T\\", "\\R\\", "\\E\\", "\\.br\\", "\\H\\", "\\Z1\\", "\\C2842\\", "\\M24\\"),
    *("\\X0D\\", "\\X0D0A\\", "\\X7C\\", "\\X00\\", "\\Xzz\\", "\\X", "X0D", "0D\\", "F\\", "\\F", "\\\\"),
    *("\rOBX|99|ST|EVIL||x", "\nMSH|^~\\&|EVIL", "MSH|^~\\&|", "\rPID|2", "BTS|1"),
    *("plain", "O'Hara", "7", "é", "ß", "北京", "שלום", "👩‍⚕️", "a\u0301", "\u200f", "\U0010ffff"),
    *(" ", "  ", "\t", ",", "{mask_percent}", "%", "%Y%L", "9" * 40, "x" * 300),
)
_CONTROLS = re.compile("[\x00-\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_WELL_ESCAPED = re.compile(r"(?:[^\\]|\\(?:[FSTRE]|X(?:[0-9A-F]{2})+)\\)*+")
_ESCAPED = re.compile(r"\\(?:([FSTRE])|X([0-9A-F]+))\\")
_MEANT = dict(zip("FSTRE", "|^&~\\", strict=True))

Texts = Mapping[str, str]


def cases(seed: int, number: int) -> Iterator[dict[str, str]]:
    """That many sets of texts, one for each slot; the same ones for the same seed."""
    random = Random(seed)
    for _ in range(number):
        pieces = random.choice((1, 1, 2, 3, 6))
        case = {slot: "".join(random.choices(_PIECES, k=random.randint(1, pieces))) for slot in SLOTS}
        if random.random() < 0.01:
            case[random.choice(list(SLOTS))] *= 500
        yield case


def check(texts: Texts) -> Message:
    """Build the set and check what must hold for any texts that are not empty; the message as read."""
    text = built(_data(texts), site=_site(texts)).text
    assert not _CONTROLS.search(text), "a control character"
    assert text.splitlines() == text.split("\r"), "a line end that is none of ours"
    assert skeleton(text) == _harmless_skeleton(_only(texts["location"], "^&~"), texts["concerns"].count(","))
    assert _WELL_ESCAPED.fullmatch(text, len("MSH|^~\\&")), "an escape that does not end"
    message = read_text(text, charset="utf-8")
    assert not message.defects
    assert "\r".join(message.lines) == text
    _check_texts(message, texts)
    return message


def skeleton(text: str) -> str:
    """Nothing but the delimiters: how many segments, fields, repetitions, components, subcomponents."""
    return _only(text, "|^~&\r")


def _only(text: str, kept: str) -> str:
    return re.sub(f"[^{re.escape(kept)}]+", "", text)


@lru_cache(maxsize=10_000)
def _harmless_skeleton(location: str, commas: int) -> str:
    """That of the same set with harmless texts; what may be in a location or divide concerns stays."""
    texts = dict.fromkeys(SLOTS, "x") | {"location": f"x{location}", "concerns": "x" + ",x" * commas}
    return skeleton(built(_data(texts), site=_site(texts)).text)


def _check_texts(message: Message, texts: Texts) -> None:
    segments = {each.raw(3) if each.name == "OBX" else each.name: each for each in message.segments()}
    for slot, (name, field, component, repetition) in _READ.items():
        assert segments[name].value(field, component, 1, repetition) == texts[slot], slot
        raw = segments[name].raw(field).split("~")[repetition - 1].split("^")[component - 1]
        assert _meaning(raw) == texts[slot], slot
    assert segments["PV1"].text(3) == _meaning(segments["PV1"].raw(3)) == texts["location"]
    assert _only(segments["PV1"].raw(3), "^&~") == _only(texts["location"], "^&~")
    percent = texts["mask_percent"]
    assert segments["O2Delivery"].value(5) == texts["mask_code"].replace("{mask_percent}", percent)
    assert segments["O2Delivery"].value(5, 2) == f"{texts['mask']} {percent}%"
    assert segments["ACVPU"].value(5) == texts["acvpu"][0]
    concerns = [each.value(5) for each in message.all("OBX") if each.raw(3) == "NC"]
    assert concerns == [concern.strip() for concern in texts["concerns"].split(",")]
    collectors = {each.raw(16) for each in message.all("OBX")} - {""}
    assert collectors == {segments["OBR"].raw(10)}


_READ = {slot: place for slot, place in SLOTS.items() if place is not None}


def _meaning(raw: str) -> str:
    """What escaped text means, in other words than those of our own reader."""
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1]) or bytes.fromhex(found[2]).decode(), raw)


def _site(texts: Texts) -> Site:
    names = ("sending_application", "sending_facility", "receiving_application", "receiving_facility")
    config = {f"outgoing_{name}": texts[name] for name in (*names, "processing_id")}
    masks = (OxygenMask(texts["mask_code"], "1", texts["mask"]),)
    return replace(SITE, hl7_config=replace(SITE.hl7_config, **config), send_config=SendConfig(True, masks))


def _data(texts: Texts) -> dict[str, Any]:
    return data(
        *_observations(texts),
        patient={
            "uuid": texts["patient"],
            "first_name": texts["first_name"],
            "last_name": texts["last_name"],
            "sex": texts["sex"],
            "hospital_number": texts["hospital_number"],
            "nhs_number": texts["nhs_number"],
            texts["ignored"]: texts["ignored"],
        },
        encounter={
            "epr_encounter_id": texts["visit"],
            "location_ods_code": texts["location"],
            "admitted_at": "2024-01-02T03:04:05Z",
        },
        clinician={
            "send_entry_identifier": texts["clinician"],
            "first_name": texts["clinician_first"],
            "last_name": texts["clinician_last"],
        },
        uuid=texts["set"],
        score_system="news2",
        score_value=3,
        score_string=texts["ignored"],
        score_severity=texts["severity"],
        obx_reference_range=texts["reference_range"],
        obx_abnormal_flags=texts["flags"],
    )


def _observations(texts: Texts) -> list[dict[str, Any]]:
    coma_scale = {f"gcs_{part}": texts[part] for part in ("eyes", "verbal", "motor")}
    coma_scale |= {f"{name}_description": texts[f"{name[4:]}_description"] for name in list(coma_scale)}
    oxygen = {"mask": texts["mask"], "mask_percent": texts["mask_percent"]}
    position = {"patient_position": texts["position"]}
    kinds: tuple[tuple[str, str, dict[str, str] | None], ...] = (
        ("heart_rate", "HR", None),
        ("respiratory_rate", "RR", None),
        ("diastolic_blood_pressure", "DBP", None),
        ("systolic_blood_pressure", "SBP", position),
        ("spo2", "SPO2", None),
        ("o2_therapy_status", "O2Rate", oxygen),
        ("temperature", "TEMP", None),
        ("consciousness_gcs", "GCS", coma_scale),
    )
    return [
        seen(f"not {texts['ignored']}", 1, observation_unit=texts["ignored"]),
        seen("nurse_concern", observation_string=texts["concerns"]),
        seen("consciousness_acvpu", observation_string=texts["acvpu"]),
        *[
            seen(kind, 5, observation_unit=texts[f"{code} unit"], observation_metadata=about)
            for kind, code, about in kinds
        ],
    ]
