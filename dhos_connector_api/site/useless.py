"""The entries of a site's configuration that fit, and can never match anything (pure)."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from dhos_connector_api.site.model import ALL, ClaimedSender, Inbound, Site

#: MSH-9.1 and MSH-9.2 are codes of tables 0076 and 0003: the one word they are compared with.
_CODE = re.compile(r"[A-Z0-9]+")
#: Whatever a field is compared with is one component of it.
_MARKS = frozenset("|^~&")
#: Why a name of a sender can never match.
NOT_SENT = "has blanks around it, or delimiters"


class Useless(NamedTuple):
    """An entry by its place in the structure, and why it has no effect."""

    entry: str
    cause: str


def useless(site: Site) -> list[Useless]:
    """Return the entries of `inbound` that can never match a message."""
    inbound = site.inbound
    return [*of_accepted("inbound.accepted", inbound.accepted), *_codes(inbound), *_claims(inbound)]


def of_accepted(name: str, accepted: Mapping[str, Collection[str]]) -> Iterator[Useless]:
    """Return those of an entry of that name, with message types and their trigger events."""
    if not accepted:
        yield Useless(name, "names no message type: every message is refused")
    for code, triggers in sorted(accepted.items()):
        entry = f"{name}.{code}"
        if not _CODE.fullmatch(code):
            yield Useless(entry, "is no message type (MSH-9.1) such as ADT")
        elif not triggers:
            yield Useless(entry, "names no trigger event: every message of this type is refused")
        for trigger in sorted({*triggers} - {ALL}):
            if not _CODE.fullmatch(trigger):
                yield Useless(f"{entry}: {trigger!r}", "is no trigger event (MSH-9.2) such as A01")


def _codes(inbound: Inbound) -> Iterator[Useless]:
    table = inbound.identifiers
    given: dict[str, Collection[str]] = {
        "processing_ids": inbound.processing_ids,
        "versions": inbound.versions,
        "ignored_encounter_classes": inbound.ignored_encounter_classes,
        "identifiers.nhs_authorities": table.nhs_authorities,
        "identifiers.nhs_types": table.nhs_types,
        "identifiers.mrn_authorities": table.mrn_authorities,
        "identifiers.mrn_types": table.mrn_types,
    }
    for name, codes in given.items():
        for code in sorted(codes):
            if not code and name.startswith("identifiers."):
                yield Useless(f"inbound.{name}: ''", "is empty, and an empty component names nothing")
            elif not _MARKS.isdisjoint(code):
                yield Useless(f"inbound.{name}: {code!r}", "is more than one component")


def _claims(inbound: Inbound) -> Iterator[Useless]:
    for place, claim in enumerate(inbound.claims):
        for number, sender in enumerate(claim.senders):
            if not all(map(may_be_sent, _names(sender))):
                yield Useless(f"inbound.claims.{place}.senders.{number}", NOT_SENT)


def _names(sender: ClaimedSender) -> list[str]:
    return [name for name in (sender.application, sender.facility) if name is not None]


def may_be_sent(name: str) -> bool:
    """Return whether a field that is compared as it was sent, but for blanks around it, can be this."""
    return name == name.strip() and _MARKS.isdisjoint(name)
