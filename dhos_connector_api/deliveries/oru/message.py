"""An observation set as the HL7 v2.6 message ORU^R01 (HL7 chapter 7): MSH PID [PV1] OBR OBX...

What stands where is a contract with existing EPRs; `tests/samples/oru` shows whole messages. Pure: the
site, the zone and the time are handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from hashlib import md5
from typing import Any

from dhos_connector_api.deliveries.oru.input import Part
from dhos_connector_api.deliveries.oru.observations import Times, observation_lines
from dhos_connector_api.errors import BadInput
from dhos_connector_api.hl7v2.build import header, numbered, utf8_component, utf8_field
from dhos_connector_api.site.model import Hl7Config, Site

ACTION = "process_observation_set"
_PLACE = "body.actions[].data"
_PARTS = ("patient", "encounter", "observation_set")
_NEEDED = {"patient": ("uuid",), "observation_set": ("uuid", "record_time")}
_NEEDED_OF_EACH = ("observation_type", "measured_time")

#: SNOMED CT code of the sex -> PID-8 as these EPRs know it; 3 is unknown.
_SEXES = {"248153007": "1", "248152002": "2", "184115007": "3", "32570681000036106": "4"}
_UNKNOWN_SEX = "3"
_CONTROL_ID_LENGTH = 20  # MSH-10 had 20 characters before v2.7


@dataclass(frozen=True, slots=True)
class ObservationMessage:
    """A message ready to be sent: segments with CR between and none at the end, MSH-10, and whose it is.

    `text` is to be sent as UTF-8. Every message of one set has the same control id.
    """

    text: str
    control_id: str
    set_uuid: str


def observation_data(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the `data` of the body's first action named `process_observation_set`. Raises BadInput."""
    actions = body.get("actions")
    for action in actions if isinstance(actions, list) else ():
        if isinstance(action, Mapping) and action.get("name") == ACTION:
            data = action.get("data")
            if not isinstance(data, Mapping):
                raise BadInput(f"{_PLACE}: must be an object")
            return data
    raise BadInput(f"body.actions: none is named {ACTION}")


def build(data: Mapping[str, Any], *, site: Site, zone: tzinfo, now: datetime) -> ObservationMessage:
    """Return the message of one observation set.

    In: `data` of the action; the site, which says who is sender and receiver, how times are written
    and which oxygen masks there are; the zone that times are written in (and read in, where they have
    no offset); the aware time for MSH-7. Raises BadInput when something needed is missing (naming all
    of it) or cannot be read.
    """
    whole = Part(data, _PLACE)
    _check_complete(whole)
    observed = whole.part("observation_set")
    times = Times(zone, site.hl7_config.outgoing_timestamp_format)
    collector = _collector(whole.part("clinician"))
    set_uuid = observed.text("uuid")
    control_id = md5(set_uuid.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    control_id = control_id[:_CONTROL_ID_LENGTH]
    lines = observation_lines(observed, times=times, masks=site.send_config.oxygen_masks, collector=collector)
    segments = [
        _msh(site.hl7_config, control_id, times.written(now)),
        _pid(whole.part("patient")),
        *_pv1(whole.part("encounter"), times),
        _obr(observed, times, collector),
        *[line.segment(number) for number, line in enumerate(lines, 1)],
    ]
    return ObservationMessage("\r".join(segments), control_id, set_uuid)


def _check_complete(data: Part) -> None:
    """Raise BadInput naming everything that is needed and missing."""
    missing = [name for name in _PARTS if not isinstance(data.values.get(name), Mapping)]
    for name, needed in _NEEDED.items():
        if name not in missing:
            part = data.part(name)
            missing += [f"{name}.{inner}" for inner in needed if not part.given(inner)]
    if "observation_set" not in missing:
        each = data.part("observation_set").parts("observations")
        missing += [
            f"observation_set.observations[].{inner}"
            for inner in _NEEDED_OF_EACH
            if not all(observation.given(inner) for observation in each)
        ]
    if missing:
        raise BadInput(f"{_PLACE}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")


def _components(*texts: str) -> str:
    """The texts as the components of a field; an empty field when all of them are empty."""
    return "^".join([utf8_component(text) for text in texts]) if any(texts) else ""


def _collector(clinician: Part) -> str:
    """Return the one who took the observations, for OBR-10 and OBX-16; empty when that is not known."""
    return _components(*[clinician.text(n) for n in ("send_entry_identifier", "last_name", "first_name")])


def _msh(config: Hl7Config, control_id: str, sent: str) -> str:
    sides = (
        config.outgoing_sending_application,
        config.outgoing_sending_facility,
        config.outgoing_receiving_application,
        config.outgoing_receiving_facility,
    )
    processing_id = utf8_component(config.outgoing_processing_id)
    names = [utf8_component(side) for side in sides]
    return header(*names, sent, "", "ORU^R01^ORU_R01", control_id, processing_id, "2.6")


def _pid(patient: Part) -> str:
    identifiers = [
        f"{utf8_component(patient.text(name))}^^^^{kind}"
        for name, kind in (("hospital_number", "MRN"), ("nhs_number", "NHS"))
        if patient.given(name)
    ]
    born = patient.day("dob")
    fields = {
        1: "1",
        2: utf8_component(patient.text("uuid")),
        3: "~".join(identifiers),
        5: _components(patient.text("last_name"), patient.text("first_name")),
        7: born.isoformat().replace("-", "") if born else "",
        8: _SEXES.get(patient.text("sex"), _UNKNOWN_SEX),
    }
    return numbered("PID", fields)


def _pv1(encounter: Part, times: Times) -> list[str]:
    """The visit, or nothing when the EPR gave it no number."""
    if not encounter.given("epr_encounter_id"):
        return []
    fields = {
        1: "1",
        3: utf8_field(encounter.text("location_ods_code")),
        19: utf8_component(encounter.text("epr_encounter_id")),
        44: times.of(encounter, "admitted_at"),
    }
    return [numbered("PV1", fields)]


def _obr(observed: Part, times: Times, collector: str) -> str:
    fields = {
        1: "1",
        3: utf8_component(observed.text("uuid")),
        4: "EWS",
        7: times.of(observed, "record_time"),
        10: collector,
        25: "F",
    }
    return numbered("OBR", fields)
