"""What each writing operation leaves in the audit trail when a PX Admin's request for it succeeds.

Whoever adds an operation that writes adds its sample here. Objects and bodies of the wing's operations are
those of the rights matrix (`rights_samples.py`); of the Connector's own they stand here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from dhos_connector_api import clock
from dhos_connector_api.access import store as keys
from dhos_connector_api.auth import api_keys
from dhos_connector_api.events import mappings
from dhos_connector_api.events import store as events
from dhos_connector_api.messages import store as messages
from tests.builders import delivery
from tests.builders.canaries import CANARY
from tests.builders.event import new_event
from tests.builders.rows import WINDOW, effects, new_message

#: Fields of bodies in which a person's or place's own words stand, and what is sent there.
WORDS = {
    **{name: f"{CANARY} {name}" for name in ("first_name", "last_name", "first_name_ar", "last_name_ar")},
    **{name: f"{CANARY} {name}" for name in ("name", "name_ar", "address", "city", "location", "job_title")},
    "specialization": f"{CANARY} specialization",
    "phone": "+966501239876",
}
_number = count(1)


@dataclass(frozen=True, slots=True)
class Sample:
    """The entries an operation leaves: of each its action; all are of one type.

    `make` makes what the path names, where the matrix has no line for the tag. `kept_by`: no entry, as what
    comes in is kept with the name of its sender; such a row is never another's.
    """

    actions: tuple[str, ...]
    type: str
    make: Callable[[Connection], UUID] | None = None
    kept_by: str | None = None


def _message(connection: Connection) -> UUID:
    row = new_message()
    messages.insert(connection, row, effects(row), window=WINDOW)
    return row.uuid


def _delivery(connection: Connection) -> UUID:
    return delivery.put(connection, at=clock.now())


def _mapping(connection: Connection) -> UUID:
    now, code = clock.now(), f"CODE_{next(_number)}"
    values = {"source_system": "his", "event_code": code, "canonical_code": "VISIT_STARTED"}
    found: UUID = mappings.put(connection, clock.new_uuid(now), **values, at=now, by="test")["id"]
    return found


def _misread(connection: Connection) -> UUID:
    """An event that would mean something else by now: that of the example."""
    now, event = clock.now(), new_event(event_code="OPD_CHECKIN", default_code=None, canonical_code=None)
    values = {"source_system": "his", "event_code": "OPD_CHECKIN", "canonical_code": "VISIT_STARTED"}
    mappings.put(connection, clock.new_uuid(now), **values, at=now, by="test")
    events.insert(connection, [event])
    return event.id


def _event(connection: Connection) -> UUID:
    event = new_event()
    events.insert(connection, [event])
    return event.id


def _key(connection: Connection) -> UUID:
    now, made = clock.now(), api_keys.make(clock.random_bytes(api_keys.KEY_BYTES))
    found: UUID = keys.add(connection, clock.new_uuid(now), made, source="his", at=now, by="test")["id"]
    return found


def _organization(name: str) -> dict[str, Sample]:
    return {
        f"create_{name}": Sample(("create",), name),
        f"replace_{name}": Sample(("change",), name),
        f"change_{name}": Sample(("change",), name),
        f"delete_{name}": Sample(("deactivate",), name),
    }


#: By operationId. Of an operation that only asks, or hands out what its holder had, nothing is left.
SAMPLES: Mapping[str, Sample] = {
    "obtain_token": Sample(("log_in",), "user"),
    "refresh_token": Sample((), "user"),
    "create_user": Sample(("create",), "user"),
    "replace_user": Sample(("change",), "user"),
    "change_user": Sample(("change",), "user"),
    "deactivate_user": Sample(("deactivate",), "user"),
    "update_profile": Sample(("change",), "user"),
    "change_password": Sample(("change_password",), "user"),
    "set_user_password": Sample(("set_password",), "user"),
    "assign_role": Sample(("assign_role",), "user"),
    "remove_role": Sample(("remove_role",), "user"),
    **_organization("hospital"),
    "create_hospital_identifier": Sample(("change",), "hospital"),
    "delete_hospital_identifier": Sample(("change",), "hospital"),
    **_organization("department"),
    **_organization("physician"),
    **_organization("employee"),
    **_organization("patient"),
    **_organization("journey_template"),
    **_organization("stage_template"),
    "unmerge_patient": Sample(("unmerge",), "patient"),
    "create_journey": Sample(("create",), "journey"),
    "replace_journey": Sample(("change",), "journey"),
    "change_journey": Sample(("change",), "journey"),
    "delete_journey": Sample(("cancel",), "journey"),
    "close_journey": Sample(("close",), "journey"),
    "cancel_journey": Sample(("cancel",), "journey"),
    "complete_journey_stage": Sample(("complete",), "journey_stage"),
    "skip_journey_stage": Sample(("skip",), "journey_stage"),
    "reopen_journey_stage": Sample(("reopen",), "journey_stage"),
    "post_message": Sample((), "message", kept_by="created_by"),
    "mark_message_processed": Sample(("mark_processed",), "message", _message),
    "retry_delivery": Sample(("retry",), "delivery", _delivery),
    "cancel_delivery": Sample(("cancel",), "delivery", _delivery),
    "post_event": Sample((), "event", kept_by="created_by"),
    "post_events": Sample((), "event", kept_by="created_by"),
    "post_simulated_event": Sample((), "event", kept_by="created_by"),
    "reprocess_event": Sample(("reprocess",), "event", _event),
    "set_mapping": Sample(("set",), "mapping"),
    "preview_mapping": Sample((), "mapping"),
    "apply_mapping": Sample(("apply",), "mapping", _misread),
    "delete_mapping": Sample(("delete",), "mapping", _mapping),
    "create_api_key": Sample(("create",), "api_key"),
    "revoke_api_key": Sample(("revoke",), "api_key", _key),
    "rotate_api_key": Sample(("rotate", "create"), "api_key", _key),
}


def with_canaries(body: Any, fields: Mapping[str, Any]) -> Any:
    """Return a body with a canary in each field of words that its schema has, passwords included."""
    if not isinstance(body, dict):
        return body
    more = {name: text for name, text in WORDS.items() if name in fields}
    if "email" in fields:
        more["email"] = f"{CANARY.lower()}{next(_number)}@hospital.example.com"
    if {"source", "value"} <= fields.keys():
        more["value"] = f"{CANARY} value {next(_number)}"
    for name in {"password", "new_password"} & body.keys():
        more |= {name: f"{CANARY} staple battery", f"{name}_confirm": f"{CANARY} staple battery"}
    return body | more
