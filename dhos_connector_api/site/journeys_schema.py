"""Reads the part `journeys` of a site's configuration: types of encounters, and whose numbers are whose."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from dhos_connector_api.site.model import JOURNEY_TYPES, Journeys

_NAME = validate.Length(min=1, max=100)
_TYPE = validate.OneOf(JOURNEY_TYPES)


def _named(values: fields.Field[Any]) -> fields.Dict:
    return fields.Dict(keys=fields.String(validate=_NAME), values=values)


class JourneysSchema(Schema):
    """The part `journeys`; loading gives a `site.Journeys`. What it says of PV1-2 adds to the known types."""

    encounter_types = _named(fields.String(validate=_TYPE))
    source_types = _named(fields.String(validate=_TYPE))
    namespaces = _named(fields.String(validate=_NAME))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Journeys:
        types = {name.strip().upper(): each for name, each in data.get("encounter_types", {}).items()}
        return Journeys(
            encounter_types={**Journeys().encounter_types, **types},
            source_types={name.strip().lower(): each for name, each in data.get("source_types", {}).items()},
            namespaces={
                name.strip().lower(): each.strip() for name, each in data.get("namespaces", {}).items()
            },
        )
