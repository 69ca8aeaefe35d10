"""The companions of a HIS patient's events: actions that tell of the patient and the encounter (pure).

None of it goes to the legacy routing key: existing consumers would make an upsert of it.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.his.dates import in_zone
from dhos_connector_api.actions.his.names import read_flag, read_gender, read_name
from dhos_connector_api.actions.his.payload import Stay
from dhos_connector_api.actions.readable import readable
from dhos_connector_api.hl7v2.identifier_values import plain
from dhos_connector_api.site.model import Hospital


def of_stay(stay: Stay, hospital: Hospital, zone: tzinfo) -> list[Action]:
    """Return the actions that stand before `process_event` in every envelope of the stay."""
    return [process_patient(stay), process_encounter(stay, hospital, zone)]


def process_patient(stay: Stay) -> Action:
    """Return who the patient is, as the HIS says now; what it does not say is left out, but for `sex_sct`."""
    name = read_name(stay.name)
    values = {
        "mrn": plain(stay.patient_id) or None,
        "first_name": name.first,
        "last_name": name.last,
        "full_name": name.full,
        "sex_sct": read_gender(stay.gender),
        "date_of_birth": stay.birth,
        "national_id": stay.national_id,
        "phone": stay.phone,
        "nationality": stay.nationality,
        "is_vip": read_flag(stay.vip),
    }
    return {"name": "process_patient", "data": _said(values)}


def process_encounter(stay: Stay, hospital: Hospital, zone: tzinfo) -> Action:
    """Return the stay, as the HIS says now; without `discharged_at` the patient is still in."""
    values = {
        "epr_encounter_id": stay.admission_id,
        "hospital_id": stay.hospital_id,
        "facility": hospital.code,
        "encounter_type": stay.type,
        "admitted_at": in_zone(stay.admitted, zone).iso(),
        "discharged_at": _discharged_at(stay, zone),
        "bill_type": stay.bill_type,
        "insurance_company": stay.insurer,
    }
    return {"name": "process_encounter", "data": _said(values)}


def event_fields(stay: Stay, hospital: Hospital, zone: tzinfo) -> dict[str, Any]:
    """Return what `process_event` says beyond the event itself."""
    doctor = read_name(stay.doctor)
    return {
        "facility": hospital.code,
        "discharged_at": _discharged_at(stay, zone),
        "physician": {"id": stay.consultant_id, "family_name": doctor.last, "given_name": doctor.first},
        "contact": {"phone": _shown(stay.phone)},
        "encounter_type": _shown(stay.type),
        "date_of_birth": _shown(stay.birth),
    }


def _discharged_at(stay: Stay, zone: tzinfo) -> str | None:
    return None if stay.discharged is None else in_zone(stay.discharged, zone).iso()


def with_discharge(
    companions: Sequence[Action], fields: Mapping[str, Any], discharged_at: str
) -> tuple[list[Action], dict[str, Any]]:
    """Return companions and event fields of a stay with its end, which its data do not tell."""
    who, where = companions
    ended = {**where, "data": {**where["data"], "discharged_at": discharged_at}}
    return [who, ended], {**fields, "discharged_at": discharged_at}


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: shown for name, value in values.items() if (shown := _shown(value)) is not None}


def _shown(value: Any) -> Any:
    """A text without what nobody can read; None where that leaves nothing."""
    return (readable(value) or None) if isinstance(value, str) else value
