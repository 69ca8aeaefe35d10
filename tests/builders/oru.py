"""Invented observation sets for tests: every call gives a fresh set, patient and visit, and a later time.

data()                                     a set without observations, as `data` of the action
data(seen("heart_rate", 72))               with observations
data(score_value=3, mins_late=5)           fields of the set
data(patient={"dob": None}, clinician=None, encounter={"epr_encounter_id": "V1"})
message(data(...))                         built and read back by our own reader
obx(data(...), "HR")                       the first OBX with that code, as text; None when there is none
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from typing import Any
from uuid import UUID

from dhos_connector_api.deliveries.oru.message import ObservationMessage, build
from dhos_connector_api.hl7v2.read import Message, read_text
from dhos_connector_api.site.model import Hl7Config, OxygenMask, SendConfig, Site
from tests.builders.hl7 import NOW
from tests.builders.numbers import NhsNumbers

_BEGINNING = datetime(2024, 1, 15, 8, 0, tzinfo=UTC)
_numbers = count(1)
_nhs_numbers = NhsNumbers()

SITE = Site(
    hl7_config=Hl7Config(
        outgoing_sending_facility="PLATFORM",
        outgoing_receiving_application="TIE",
        outgoing_receiving_facility="ANYTRUST",
        outgoing_timestamp_format="%Y%m%d%H%M%S",
    ),
    send_config=SendConfig(
        generate_oru_messages=True,
        oxygen_masks=(OxygenMask("RA", "1", "Room Air"), OxygenMask("V{mask_percent}", "2", "Venturi")),
    ),
)


def site(**hl7_config: str) -> Site:
    """The site with other entries of `hl7_config`, without their `outgoing_`."""
    changes: dict[str, Any] = {f"outgoing_{name}": value for name, value in hl7_config.items()}
    return replace(SITE, hl7_config=replace(SITE.hl7_config, **changes))


def seen(kind: str, value: float | None = None, **fields: Any) -> dict[str, Any]:
    """One observation of that type."""
    measured = _BEGINNING + timedelta(seconds=next(_numbers))
    usual = {
        "observation_type": kind,
        "measured_time": measured.isoformat(),
        "observation_value": value,
        "observation_string": None,
        "observation_unit": "unit",
        "observation_metadata": None,
        "score_value": 1,
        "patient_refused": False,
    }
    return usual | fields


def data(
    *observations: Any,
    patient: Mapping[str, Any] | None = None,
    encounter: Mapping[str, Any] | None = None,
    clinician: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """`data` of the action; what is given for a part is laid over what is usual there."""
    number = next(_numbers)
    recorded = _BEGINNING + timedelta(minutes=number)
    usual_patient = {
        "uuid": str(UUID(int=number)),
        "first_name": "Ann",
        "last_name": "Example",
        "dob": "1970-01-31",
        "sex": "248152002",
        "hospital_number": f"{1_000_000 + number}",
        "nhs_number": next(_nhs_numbers),
    }
    usual_set = {
        "uuid": str(UUID(int=number << 64)),
        "record_time": recorded.isoformat(),
        "observations": list(observations),
    }
    return {
        "patient": {**usual_patient, **(patient or {})},
        "encounter": {"epr_encounter_id": f"V{number}", "location_ods_code": "W^B", **(encounter or {})},
        "observation_set": usual_set | fields,
        "clinician": clinician,
    }


def built(data: Mapping[str, Any], *, site: Site = SITE, zone: tzinfo = UTC) -> ObservationMessage:
    """The message made of it."""
    return build(data, site=site, zone=zone, now=NOW)


def message(data: Mapping[str, Any], *, site: Site = SITE, zone: tzinfo = UTC) -> Message:
    """The message made of it, read back."""
    return read_text(built(data, site=site, zone=zone).text, charset="utf-8")


def obx(data: Mapping[str, Any], code: str) -> str | None:
    """The first OBX with that code as it stands, without its number; None when there is none."""
    for segment in message(data).all("OBX"):
        if segment.raw(3) == code:
            return "|".join(segment.line.split("|")[2:])
    return None


def value(code: str, *observations: dict[str, Any]) -> str | None:
    """OBX-5 of the first OBX with that code, as it stands; None when there is none."""
    found = obx(data(*observations), code)
    return None if found is None else found.split("|")[3]


def codes(data: Mapping[str, Any]) -> list[str]:
    """OBX-3 of every OBX in order."""
    return [segment.raw(3) for segment in message(data).all("OBX")]
