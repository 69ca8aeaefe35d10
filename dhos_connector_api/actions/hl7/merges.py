"""The identifiers a merge message gives up, and those they become (HL7 v2 chapter 3, MRG segment)."""

from collections.abc import Iterator
from typing import NamedTuple

from dhos_connector_api.actions.hl7.facts import PATIENT_TYPES, indexable
from dhos_connector_api.hl7v2.groups import patient_groups
from dhos_connector_api.hl7v2.identifiers import Identifier, Identifiers, patient_identifiers
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.site.model import Site

#: The triggers that make one patient of two. A35, A41 and A42 merge accounts and visits instead.
PATIENT_MERGES = frozenset({"A18", "A30", "A34", "A36", "A39", "A40", "A47"})


Survivors = dict[tuple[str, str | None], str]


class Merge(NamedTuple):
    """An identifier `old` that is given up for `surviving`, both of one type."""

    identifier_type: str
    old: str
    surviving: str


def merges(message: Message, site: Site) -> list[Merge]:
    """Return the merges an accepted message tells of, each once; none unless it is one of `PATIENT_MERGES`.

    Old identifiers are MRG-1's, surviving ones PID-3's of the same group and type. Decision: where
    a patient has several of a type, the one of the old one's assigning authority survives it, else
    the best. Values are spelt as in `facts`; an old one that equals the surviving one is no merge.
    """
    if message.trigger not in PATIENT_MERGES or message.message_code != "ADT":
        return []
    table = site.inbound.identifiers
    found: dict[Merge, None] = {}
    read: Identifiers | None = None
    survivors: Survivors = {}
    for group in patient_groups(message):
        patient = patient_identifiers(group.pid, table, message.sent_on)
        if patient is not read:  # groups may share a patient
            read, survivors = patient, _survivors(patient)
        if group.mrg is not None:
            given_up = patient_identifiers(group.mrg, table, message.sent_on)
            found.update(dict.fromkeys(_into(survivors, given_up)))
    return list(found)


def _survivors(patient: Identifiers) -> Survivors:
    """The best surviving identifiers by type and authority, and by type alone (authority None)."""
    survivors: Survivors = {}
    for each in patient.all:  # the best come first
        survivors.setdefault((each.type, _authority(each)), each.value)
        survivors.setdefault((each.type, None), each.value)
    return survivors


def _into(survivors: Survivors, given_up: Identifiers) -> Iterator[Merge]:
    for old in given_up.all:
        surviving = survivors.get((old.type, _authority(old))) or survivors.get((old.type, None))
        if surviving is None or old.type not in PATIENT_TYPES or old.value == surviving:
            continue
        if indexable(old.value) and indexable(surviving):
            yield Merge(old.type, old.value, surviving)


def _authority(identifier: Identifier) -> str:
    return identifier.authority.strip().upper()
