"""Reads the part `inbound.claims` of a site's configuration: which door each sender comes through."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from dhos_connector_api.site.model import Claim, ClaimedSender

_NAME = validate.Length(min=1, max=255)
#: The names of issuers, as `auth.jwt.Issuer` has them.
ISSUERS = ("internal", "epr_adapter")


class _SenderSchema(Schema):
    application = fields.String(validate=validate.Length(max=255))
    facility = fields.String(validate=validate.Length(max=255))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ClaimedSender:
        if not data:
            raise ValidationError("must name an application, a facility, or both")
        return ClaimedSender(**data)


class ClaimSchema(Schema):
    """One entry of `inbound.claims`; loading gives a `site.model.Claim`."""

    listener = fields.String(validate=_NAME)
    issuer = fields.String(validate=validate.OneOf(ISSUERS))
    system_id = fields.String(validate=_NAME)
    senders = fields.List(fields.Nested(_SenderSchema), required=True, validate=validate.Length(min=1))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Claim:
        if ("listener" in data) is ("issuer" in data):
            raise ValidationError("must name either a listener or an issuer", "listener")
        if "system_id" in data and "issuer" not in data:
            raise ValidationError("goes with an issuer", "system_id")
        return Claim(senders=tuple(data.pop("senders")), **data)
