"""The stored events of HIS payloads: their stays and visits, and what today's site says of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping

from dhos_connector_api.actions.envelope import Action
from dhos_connector_api.actions.his import events
from dhos_connector_api.actions.his.companions import with_discharge
from dhos_connector_api.actions.his.visits import VisitTypes
from dhos_connector_api.events import visits
from dhos_connector_api.events.meanings import LateDefault
from dhos_connector_api.events.store import NewEvent
from dhos_connector_api.events.visits import Encounter, StayFields
from dhos_connector_api.site.model import Site

FIELDS = StayFields(events.HOSPITAL, events.VISITED_AT, events.DISCHARGED_AT)


def late_default(site: Site, source_system: str, event_code: str) -> LateDefault | None:
    """Return what the site says of visits of that type, for those that came when it said nothing."""
    if source_system.strip().lower() != events.SOURCE:
        return None
    code = VisitTypes.with_additions(site.his.visit_types).code(event_code)
    return LateDefault(events.SENDER_BEGINS, events.VISITED_AT, code) if code else None


def encounters(rows: Iterable[RowMapping]) -> set[Encounter]:
    """Return the encounters of those of these events (`events.store.rows`) that come from HIS payloads."""
    return {
        events.encounter({events.HOSPITAL: each["hospital"]}, each["encounter_id"])
        for each in rows
        if each["has_companions"]
    }


def completed(
    connection: Connection, encounters: Sequence[Encounter]
) -> dict[Encounter, list[tuple[UUID, str]]]:
    """Return for each encounter the ids and types, as sent, of its visits, in the order they happened."""
    found: dict[Encounter, list[tuple[UUID, str]]] = {each: [] for each in encounters}
    ids = {number for _, number in found}
    for row in visits.of_encounters(connection, events.SOURCE, ids, FIELDS) if ids else ():
        encounter = events.encounter({events.HOSPITAL: row["hospital"]}, row["encounter_id"])
        if encounter in found:
            found[encounter].append((row["id"], row["event_code"]))
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """What the newest event of a stay told of it, and when that came in."""

    at: datetime
    companions: Sequence[Action]
    fields: Mapping[str, Any]


def told(connection: Connection, encounters: Iterable[Encounter]) -> dict[Encounter, Told]:
    """Return what was told last of those of the stays of which anything is known."""
    wanted = set(encounters)
    found: dict[Encounter, Told] = {}
    for row in visits.told(connection, events.SOURCE, {number for _, number in wanted}, FIELDS):
        encounter = events.encounter({events.HOSPITAL: row["hospital"]}, row["encounter_id"])
        known = found.get(encounter)  # of another spelling of the hospital
        if encounter in wanted and (known is None or known.at < row["received_at"]):
            found[encounter] = Told(row["received_at"], row["companions"], row["event_fields"] or {})
    return found


def discharges(connection: Connection, encounters: Iterable[Encounter]) -> Mapping[Encounter, str]:
    """Return when those of the stays ended that have: ISO 8601 in the hospital's zone."""
    asked = {events.discharge_of(each): each for each in encounters}
    known = visits.discharges(connection, asked, FIELDS) if asked else {}
    return {asked[identity]: at for identity, at in known.items()}


def as_known_now(connection: Connection, stored: Sequence[NewEvent]) -> list[NewEvent]:
    """Return these events with what is known by now and they do not say.

    That is who the patient is, where a newer event of the stay tells, and the end of the stay.
    """
    stays = {each.id: events.encounter(each.payload, each.encounter_id) for each in stored if each.companions}
    newest = told(connection, stays.values()) if stays else {}
    ended = discharges(connection, {stays[each.id] for each in stored if _open(each)})
    known = {id_: (newest.get(stay), ended.get(stay)) for id_, stay in stays.items()}
    return [_known(each, *known[each.id]) if each.id in known else each for each in stored]


def _open(event: NewEvent) -> bool:
    """Whether the event comes from a HIS payload that did not say when the stay ended."""
    return bool(event.companions) and not event.event_fields.get("discharged_at")


def _known(event: NewEvent, newest: Told | None, ended: str | None) -> NewEvent:
    if newest is not None and newest.at > event.received_at:
        companions = [newest.companions[0], *event.companions[1:]]
        told_anew = {"contact": newest.fields.get("contact", {})}
        told_anew["date_of_birth"] = newest.fields.get("date_of_birth")
        fields = {**event.event_fields, **told_anew}
        event = replace(event, companions=companions, event_fields=fields)
    return _ended(event, ended if _open(event) else None)


def _ended(event: NewEvent, at: str | None) -> NewEvent:
    if at is None:
        return event
    companions, fields = with_discharge(event.companions, event.event_fields, at)
    return replace(event, companions=companions, event_fields=fields)
