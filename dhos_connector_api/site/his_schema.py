"""Reads the part `his` of a site's configuration: hospitals, visit types, rate limits, webhooks."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marshmallow import Schema, ValidationError, fields, post_load, validate

from dhos_connector_api.site.model import WEBHOOK_SOURCES, His, Hospital, RateLimits, WebhookOptions

_SOME_TEXT = validate.Length(min=1, max=255)


def check_zone(name: str | None) -> None:
    """Raises ValidationError for what is no IANA time zone; None is one."""
    if name is None:
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError("must be an IANA time zone") from None


class _HospitalSchema(Schema):
    code = fields.String(required=True, validate=_SOME_TEXT)
    name = fields.String(required=True, validate=_SOME_TEXT)
    time_zone = fields.String(allow_none=True, validate=check_zone)
    ids = fields.List(fields.String(validate=_SOME_TEXT))
    names = fields.List(fields.String(validate=_SOME_TEXT))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Hospital:
        ids, names = frozenset(data.pop("ids", ())), frozenset(data.pop("names", ()))
        return Hospital(ids=ids, names=names, **data)


class _RateLimitsSchema(Schema):
    events_per_hour = fields.Integer(strict=True, validate=validate.Range(1, 100_000_000))
    requests_per_minute = fields.Integer(strict=True, validate=validate.Range(1, 100_000_000))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RateLimits:
        return RateLimits(**data)


def _a_source(name: str) -> None:
    """A requirement under a name that nobody has would never be in force."""
    if name.lower() not in WEBHOOK_SOURCES:
        raise ValidationError(f"must be one of {', '.join(WEBHOOK_SOURCES)}")


class _WebhookSchema(Schema):
    form = fields.String(validate=validate.OneOf(["any", "standard"]))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> WebhookOptions:
        return WebhookOptions(**data)


class HisSchema(Schema):
    """The part `his`; loading gives a `site.His`."""

    hospitals = fields.List(fields.Nested(_HospitalSchema))
    visit_types = fields.Dict(
        keys=fields.String(validate=_SOME_TEXT), values=fields.String(validate=_SOME_TEXT)
    )
    rate_limits = fields.Dict(keys=fields.String(), values=fields.Nested(_RateLimitsSchema))
    webhooks = fields.Dict(keys=fields.String(validate=_a_source), values=fields.Nested(_WebhookSchema))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> His:
        hospitals = tuple(data.get("hospitals", ()))
        _refuse_ambiguous(hospitals)
        return His(
            hospitals=hospitals,
            visit_types=data.get("visit_types", {}),
            rate_limits={source.lower(): each for source, each in data.get("rate_limits", {}).items()},
            webhooks={source.lower(): each for source, each in data.get("webhooks", {}).items()},
        )


def _refuse_ambiguous(hospitals: tuple[Hospital, ...]) -> None:
    """Two hospitals under one code or id could not be told apart."""
    known: set[str] = set()
    for hospital in hospitals:
        own = {each.strip().casefold() for each in (hospital.code, *hospital.ids)}
        if own & known:
            raise ValidationError("two hospitals have the same code or id", "hospitals")
        known |= own
