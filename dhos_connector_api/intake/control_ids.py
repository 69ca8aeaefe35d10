"""By what an HL7 message is known again (pure): the key of its sender and MSH-10, the hash of its content.

And how logs show MSH-10: where it may hold a patient's identifier, as a keyed hash, which nobody without the
key finds by trying all identifiers there are.
"""

import hashlib
import hmac
from datetime import UTC
from uuid import UUID

from dhos_connector_api.hl7v2.datetimes import Precision, parse
from dhos_connector_api.hl7v2.read import Message

#: Where MSH-7 stands when MSH is split at its separator, which is MSH-1 itself.
_MSH_7 = 6


_LOGGED_CHARACTERS = 64
_LOGGED_DIGITS = 16


def ack_control_id(uuid: UUID) -> str:
    """Return MSH-10 of our acknowledgement: a counter and 48 random bits in 20 characters, for v2.2."""
    return uuid.hex[12:]


def duplicate_key(message: Message) -> bytes | None:
    """Return SHA-256 of sender (MSH-3, MSH-4) and MSH-10: who may use a control id once.

    None where MSH-10 is empty, which is never a duplicate.
    """
    if not message.control_id:
        return None
    header = message.msh
    return _digest("\0".join((header.raw(3), header.raw(4), header.raw(10))))


def duplicate_keys(message: Message, *, restart_daily: bool) -> tuple[bytes, ...]:
    """Return the key a message claims, then those under which the same content is known too.

    `restart_daily`: a control id is another one on another day of MSH-7 (as it stands, whatever its offset).
    The same content is known then without the day, from before the site said so, and under the day before,
    as a resend after midnight has another MSH-7. () where MSH-10 is empty, which is never a duplicate.
    """
    key = duplicate_key(message)
    if key is None:
        return ()
    stamp = parse(message.msh.value(7), UTC) if restart_daily else None
    if stamp is None or stamp.precision < Precision.DAY:
        return (key,)
    day = stamp.value.toordinal()
    return _of_day(key, day), key, _of_day(key, day - 1)


def _of_day(key: bytes, day: int) -> bytes:
    return hashlib.sha256(b"day\0%d\0" % day + key).digest()


def own_key(message: Message) -> bytes:
    """Return the key of a message whose control id is another's: the same for whatever says the same."""
    return hashlib.sha256(b"own\0" + (duplicate_key(message) or b"") + content_hash(message)).digest()


def content_hash(message: Message) -> bytes:
    """Return SHA-256 of the content with line ends normalised and MSH-7 left out (a resend stamps anew)."""
    header = message.msh
    separator = header.raw(1)
    fields = header.line.split(separator)
    if len(fields) > _MSH_7:
        fields[_MSH_7] = ""
    rest = [line for line in message.lines if line is not header.line]
    return _digest("\r".join([separator.join(fields), *rest]).replace("\n", "\r"))


def log_key(secret: str) -> bytes:
    """Return the key of the hashes in logs that follows from a secret of the installation."""
    return hmac.digest(secret.encode(), b"control ids in logs", "sha256")


def logged(control_id: str | None, key: bytes | None) -> str:
    """Return MSH-10 as logs show it: the first 64 characters, or with a key 64 bits of a hash."""
    if key is None or not control_id:
        return (control_id or "")[:_LOGGED_CHARACTERS]
    digest = hmac.digest(key, control_id.encode("utf-8", "surrogatepass"), "sha256")
    return f"hash:{digest.hex()[:_LOGGED_DIGITS]}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
