"""Claimed senders: which door their messages come through, the same rule at every door (pure).

Whoever may send could else use up another sender's control ids: a repeat is known by sender and MSH-10 alone.
"""

from collections.abc import Sequence

from dhos_connector_api.hl7v2.read import Message
from dhos_connector_api.hl7v2.rules import Verdict
from dhos_connector_api.hl7v2.senders import SenderName, is_named, possible_senders, refusal
from dhos_connector_api.intake.door_names import DoorName, Way
from dhos_connector_api.site.model import Claim

#: The answer to a message of a sender that other doors have claimed.
CLAIMED = refusal("Messages of this sender (MSH-3, MSH-4) do not come this way.")


def objection(claims: Sequence[Claim], door: DoorName | None, message: Message) -> Verdict | None:
    """Return CLAIMED for a message whose sender is claimed, and by none for this door; else None.

    Without a door there is no objection: it was kept before doors were noted, and is being replayed.
    """
    if not claims or door is None:
        return None
    for sender in possible_senders(message):
        found = [claim for claim in claims if _names(claim, sender)]
        if found and not any(_is_for(claim, door) for claim in found):
            return CLAIMED
    return None


def _names(claim: Claim, sender: SenderName) -> bool:
    return any(is_named(sender, each.application, each.facility) for each in claim.senders)


def _is_for(claim: Claim, door: DoorName) -> bool:
    if door.way is Way.MLLP:
        return claim.listener == door.name
    if door.way is Way.TOKEN:
        return claim.issuer == door.name and claim.system_id in {None, door.system}
    return False
