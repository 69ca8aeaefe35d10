"""Occurrences in an invented hospital as HL7 v2.5.1 ADT messages in UTF-8 (pure; HL7 v2 chapter 3)."""

from datetime import datetime

from dhos_connector_api.hl7v2.build import header, numbered, utf8_component
from dhos_connector_api.simulate.hospital.lives import Encounter, Occurrence
from dhos_connector_api.simulate.hospital.people import Person
from dhos_connector_api.simulate.hospital.wards import FACILITY, Place

SENDER = "PAS"
#: Message structures (table 0354) of the triggers.
_STRUCTURES = {
    "A04": "ADT_A01",
    "A08": "ADT_A01",
    "A11": "ADT_A09",
    "A13": "ADT_A01",
    "A28": "ADT_A05",
    "A31": "ADT_A05",
    "A40": "ADT_A39",
}


def message(occurrence: Occurrence, *, control_id: str, processing_id: str) -> bytes:
    """The message that tells of it; each segment ends in CR."""
    trigger, at = occurrence.trigger, occurrence.at
    kind = f"ADT^{trigger}^{_STRUCTURES.get(trigger, f'ADT_{trigger}')}"
    stamp = _time(at)
    segments = [
        header(
            *(SENDER, FACILITY, "TIE", "DHOS", stamp, "", kind, control_id, processing_id, "2.5.1"),
            *("", "", "", "", "GBR", "UNICODE UTF-8"),
        ),
        numbered("EVN", {1: trigger, 2: stamp, 6: stamp}),
        _pid(occurrence.person),
    ]
    if occurrence.merged is not None:
        segments.append(numbered("MRG", {1: _identifiers(occurrence.merged), 7: _name(occurrence.merged)}))
    elif occurrence.encounter is not None:
        segments.append(_pv1(occurrence.encounter))
    else:
        segments.append(numbered("PV1", {1: "1", 2: "N"}))  # about the person, in no visit
    return "".join(segment + "\r" for segment in segments).encode()


def _pid(person: Person) -> str:
    contact = "~".join(
        part
        for part in (
            f"{person.phone}^PRN^PH" if person.phone else "",
            f"^NET^Internet^{utf8_component(person.email)}" if person.email else "",
        )
        if part
    )
    address = (person.street, "", person.town, "", person.postcode, "GBR" if person.street else "")
    return numbered(
        "PID",
        {
            1: "1",
            3: _identifiers(person),
            5: _name(person),
            7: f"{person.born:%Y%m%d}" if person.born else "",
            8: person.sex,
            11: "^".join(map(utf8_component, address)).rstrip("^"),
            13: contact,
            15: person.language,
            29: _time(person.died) if person.died else "",
            30: "Y" if person.died else "",
        },
    )


def _pv1(encounter: Encounter) -> str:
    return numbered(
        "PV1",
        {
            1: "1",
            2: encounter.kind,
            3: _place(encounter.place),
            6: _place(encounter.previous) if encounter.previous else "",
            7: "^".join(map(utf8_component, encounter.doctor)),
            19: encounter.number,
            44: _time(encounter.admitted),
            45: _time(encounter.discharged) if encounter.discharged else "",
        },
    )


def _identifiers(person: Person) -> str:
    nhs = f"~{person.nhs_number}^^^NHS^NHSNBR" if person.nhs_number else ""
    return f"{person.mrn}^^^{FACILITY}-MRN^MRN{nhs}"


def _name(person: Person) -> str:
    return "^".join(map(utf8_component, (person.family, person.given, "", "", person.title))).rstrip("^")


def _place(place: Place) -> str:
    return "^".join(map(utf8_component, (*place, FACILITY)))


def _time(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S%z}"
