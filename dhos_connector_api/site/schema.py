"""The schema of a site's configuration, and how it becomes a `Site`.

The same structure comes from a file and from the trustomer service.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from dhos_connector_api.config.values import misfits, seconds
from dhos_connector_api.errors import BadSite
from dhos_connector_api.site.claims_schema import ClaimSchema
from dhos_connector_api.site.his_schema import HisSchema, check_zone
from dhos_connector_api.site.journeys_schema import JourneysSchema
from dhos_connector_api.site.model import (
    ALL,
    ALL_ADT_TRIGGERS,
    ENCOUNTER_IDS,
    Deliveries,
    DeliveryPolicy,
    Hl7Config,
    IdentifierTable,
    Inbound,
    OxygenMask,
    SendConfig,
    Site,
)
from dhos_connector_api.site.unknown import without_unknown

#: Seconds of the longest duration in a site: a year.
_LONGEST = 365 * 86400
#: The entries of the structure that are ours.
_OURS = ("hl7_config", "send_config", "inbound", "deliveries", "his", "journeys")


class _Set(fields.Field[frozenset[str]]):
    """A list of texts that becomes a frozenset of upper-case texts without blanks around them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> frozenset[str]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValidationError("must be a list of texts")
        return frozenset(each.strip().upper() for each in value)


class _Duration(fields.Field[float]):
    """Seconds as a number, or a text such as `30s`, `2m`, `10h`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST:
            return float(value)
        try:
            return float(seconds(value))
        except (ValueError, TypeError):
            raise ValidationError("must be a duration") from None


class _Hl7ConfigSchema(Schema):
    outgoing_processing_id = fields.String()
    outgoing_receiving_application = fields.String()
    outgoing_receiving_facility = fields.String()
    outgoing_sending_application = fields.String()
    outgoing_sending_facility = fields.String()
    outgoing_timestamp_format = fields.String()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Hl7Config:
        return Hl7Config(**data)


class _MaskSchema(Schema):
    code = fields.String(required=True)
    id = fields.String(required=True)
    name = fields.String(required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> OxygenMask:
        return OxygenMask(**data)


class _SendConfigSchema(Schema):
    generate_oru_messages = fields.Boolean()
    oxygen_masks = fields.List(fields.Nested(_MaskSchema))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> SendConfig:
        masks = tuple(data.pop("oxygen_masks", ()))
        return SendConfig(oxygen_masks=masks, **data)


class _IdentifierTableSchema(Schema):
    nhs_authorities = _Set()
    nhs_types = _Set()
    mrn_authorities = _Set()
    mrn_types = _Set()
    mrn_first_repetition = fields.Boolean()
    untyped_is_mrn = fields.Boolean()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> IdentifierTable:
        return IdentifierTable(**data)


def _each_once(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValidationError("must not name a field twice")


class _InboundSchema(Schema):
    accepted = fields.Dict(keys=fields.String(), values=_Set())
    processing_ids = _Set()
    versions = _Set()
    ignored_encounter_classes = _Set()
    default_charset = fields.String()
    identifiers = fields.Nested(_IdentifierTableSchema)
    time_zone = fields.String(allow_none=True, validate=check_zone)
    duplicate_policy = fields.String(allow_none=True, validate=validate.OneOf(["replay", "reject"]))
    duplicate_window = _Duration(allow_none=True, validate=validate.Range(0, _LONGEST))
    control_ids_restart_daily = fields.Boolean()
    claims = fields.List(fields.Nested(ClaimSchema))
    control_ids_hold_identifiers = fields.Boolean()
    encounter_ids = fields.List(
        fields.String(validate=validate.OneOf(ENCOUNTER_IDS)), validate=[validate.Length(min=1), _each_once]
    )
    bad_dates = fields.String(validate=validate.OneOf(["refuse", "leave_out"]))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Inbound:
        if "accepted" in data:
            data["accepted"] = _accepted(data["accepted"])
        if "encounter_ids" in data:
            data["encounter_ids"] = tuple(data["encounter_ids"])
        return Inbound(claims=tuple(data.pop("claims", ())), **data)


def _accepted(given: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The triggers by message type in capitals; the star of ADT becomes those that concern a patient."""
    accepted: dict[str, frozenset[str]] = {}
    for code, triggers in given.items():
        kind = code.strip().upper()
        accepted[kind] = accepted.get(kind, frozenset()) | triggers
    adt = accepted.get("ADT", frozenset())
    if ALL in adt:
        accepted["ADT"] = adt - {ALL} | ALL_ADT_TRIGGERS
    return accepted


class _DeliveryPolicySchema(Schema):
    schedule = fields.List(_Duration(), validate=validate.Length(max=100))
    jitter = fields.Float(validate=validate.Range(0, 1))
    timeout = _Duration(validate=validate.Range(1, 300))
    grace = _Duration(validate=validate.Range(1, 3600))
    at_once = fields.Integer(validate=validate.Range(1, 64), strict=True)
    refused_is_final = fields.Boolean()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> DeliveryPolicy:
        if "schedule" in data:
            data["schedule"] = tuple(data["schedule"])
        return DeliveryPolicy(**data)


class _MllpPolicySchema(_DeliveryPolicySchema):
    at_once = fields.Integer(validate=validate.Equal(1), strict=True, load_default=1)


class _DeliveriesSchema(Schema):
    oru_destination = fields.String(validate=validate.OneOf(["epr", "mllp"]))
    epr = fields.Nested(_DeliveryPolicySchema)
    mllp = fields.Nested(_MllpPolicySchema)
    mirth = fields.Nested(_DeliveryPolicySchema)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Deliveries:
        return Deliveries(**data)


class _SiteSchema(Schema):
    hl7_config = fields.Nested(_Hl7ConfigSchema)
    send_config = fields.Nested(_SendConfigSchema)
    inbound = fields.Nested(_InboundSchema)
    deliveries = fields.Nested(_DeliveriesSchema)
    his = fields.Nested(HisSchema)
    journeys = fields.Nested(JourneysSchema)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Site:
        return Site(**data)


def parse(data: Mapping[str, Any]) -> Site:
    """Return the site of the structure of a file: a typing error in it should be seen.

    Raises BadSite naming the entries that do not fit, or that are not known.
    """
    try:
        site: Site = _SiteSchema(unknown=RAISE).load(data)
    except ValidationError as error:
        raise BadSite(f"site configuration does not fit: {misfits(error.messages)}") from None
    return site


def parse_answer(data: Mapping[str, Any]) -> tuple[Site, list[str]]:
    """Return the site of an answer of the trustomer service, and the unknown entries in our parts of it.

    It answers much that concerns others, and may say more than this version knows: both are left out.
    Raises BadSite as `parse` does.
    """
    ours = {name: data[name] for name in _OURS if name in data}
    known, unknown = without_unknown(_SiteSchema(), ours)
    return parse(known), unknown
