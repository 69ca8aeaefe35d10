"""The MLLP listeners, read from a TOML file and checked: every entry of `terms`, and nothing else."""

import logging
import re
import tomllib
from collections import Counter
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from dhos_connector_api.config.values import misfits
from dhos_connector_api.errors import BadSetting
from dhos_connector_api.hl7v2.modes import Mode
from dhos_connector_api.mllp.terms import Listener, Network, Sender, Tls
from dhos_connector_api.mllp.useless import useless

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}\Z")
_MOST_BYTES = 100_000_000
_LONGEST = 86_400
_MOST_WARNINGS, _LONGEST_ENTRY = 50, 200


class _Accepted(fields.Field[dict[str, frozenset[str]]]):
    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> dict[str, frozenset[str]]:
        if not isinstance(value, dict) or not all(_texts(triggers) for triggers in value.values()):
            raise ValidationError("must be a table of lists of texts")
        return {code.upper(): frozenset(one.upper() for one in triggers) for code, triggers in value.items()}


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


class _Networks(fields.Field[tuple[Network, ...]]):
    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> tuple[Network, ...]:
        if not _texts(value):
            raise ValidationError("must be a list of networks")
        try:
            return tuple(ip_network(one) for one in value)
        except ValueError:
            raise ValidationError("must be networks such as 10.1.0.0/16") from None


class _File(fields.Field[Path]):
    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Path:
        if not isinstance(value, str) or not Path(value).is_file():
            raise ValidationError("must be a file")
        return Path(value)


def _whole(low: int, high: int) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(low, high))


def _seconds() -> fields.Float:
    return fields.Float(validate=validate.Range(0, _LONGEST, min_inclusive=False))


class _TlsSchema(Schema):
    certificate = _File(required=True)
    key = _File(required=True)
    client_ca = _File()
    client_certificate = fields.String(validate=validate.OneOf(["required", "optional"]))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Tls:
        return Tls(**data)


class _SenderSchema(Schema):
    application = fields.String()
    facility = fields.String()
    accepted = _Accepted()
    certificate = fields.String(validate=validate.Length(min=1))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Sender:
        return Sender(**data)


class _ListenerSchema(Schema):
    name = fields.String(required=True, validate=validate.Regexp(_NAME))
    port = fields.Integer(required=True, strict=True, validate=validate.Range(0, 65535))
    host = fields.String()
    tls = fields.Nested(_TlsSchema)
    sender = fields.List(fields.Nested(_SenderSchema))
    mode = fields.String(validate=validate.OneOf([each.value for each in Mode]))
    application_ack = fields.String(validate=validate.OneOf(["connection", "delivery"]))
    networks = _Networks()
    largest_message = _whole(100, _MOST_BYTES)
    frame_timeout = _seconds()
    idle_timeout = _seconds()
    write_timeout = _seconds()
    connections = _whole(1, 100_000)
    connections_per_peer = _whole(1, 100_000)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Listener:
        senders = tuple(data.pop("sender", ()))
        mode = Mode(data.pop("mode", Mode.AUTO))
        listener = Listener(**data, senders=senders, mode=mode)
        asks = listener.tls is not None and listener.tls.client_ca is not None
        if any(sender.certificate for sender in senders) and not asks:
            raise ValidationError("needs tls.client_ca", "sender.certificate")
        return listener


class _FileSchema(Schema):
    listener = fields.List(fields.Nested(_ListenerSchema), required=True, validate=validate.Length(min=1))


def read_file(path: Path) -> tuple[Listener, ...]:
    """Return listeners of a TOML file, and tell of entries that can never match or act.

    Raises BadSetting: one line that names the entry, not its value.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSetting(f"MLLP_LISTENERS cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadSetting("MLLP_LISTENERS is not good TOML") from None
    try:
        listeners: list[Listener] = _FileSchema(unknown=RAISE).load(data)["listener"]
    except ValidationError as error:
        raise BadSetting(f"MLLP_LISTENERS does not fit: {misfits(error.messages)}") from None
    names = Counter(each.name for each in listeners)
    if len(names) < len(listeners):
        raise BadSetting("MLLP_LISTENERS does not fit: two listeners have the same name")
    for each in useless(listeners)[:_MOST_WARNINGS]:
        extra = {"entry": each.entry[:_LONGEST_ENTRY], "cause": each.cause}
        _log.warning("an entry of MLLP_LISTENERS has no effect", extra=extra)
    return tuple(listeners)
