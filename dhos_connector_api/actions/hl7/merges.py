"""The identifiers a merge message gives up, and those they become (HL7 v2 chapter 3, MRG segment)."""

from typing import NamedTuple

from dhos_connector_api.actions.hl7.facts import indexable
from dhos_connector_api.hl7v2.groups import PATIENT_MERGES, patient_groups
from dhos_connector_api.hl7v2.pairing import Pair, pairing
from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.site.model import Site


class Merge(NamedTuple):
    """An identifier `old` that is given up for `surviving`, both of one type."""

    identifier_type: str
    old: str
    surviving: str


def merges(message: Message, site: Site) -> list[Merge]:
    """Return the merges an accepted message tells of, each once; none unless it is one of `PATIENT_MERGES`.

    They are the pairs its envelopes tell of. Decision: one that has no survivor of its own type is in
    the envelope alone, for the index knows an identifier under others of its type.
    """
    if message.trigger not in PATIENT_MERGES or message.message_code != "ADT":
        return []
    table = site.inbound.identifiers
    found: dict[Merge, None] = {}
    for group in patient_groups(message):
        if group.mrg is not None:
            pairs = pairing(group.pid, group.mrg, table, message.sent_on).pairs
            found.update(dict.fromkeys([_merge(pair) for pair in pairs if _in_index(pair)]))
    return list(found)


def _merge(pair: Pair) -> Merge:
    return Merge(pair.prior.type, pair.prior.value, pair.surviving.value)


def _in_index(pair: Pair) -> bool:
    prior, surviving = pair
    return prior.type == surviving.type and indexable(prior.value) and indexable(surviving.value)
