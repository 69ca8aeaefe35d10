"""The status of an event: the words of the specification are those of the code."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from dhos_connector_api.events.states import EventStatus

OPENAPI = Path(__file__).parents[2] / "openapi"


def _enums(value: Any) -> list[set[str]]:
    """Every list of allowed words in a part of the specification."""
    if isinstance(value, list):
        return [found for each in value for found in _enums(each)]
    if not isinstance(value, dict):
        return []
    own = [set(value["enum"])] if isinstance(value.get("enum"), list) else []
    return own + [found for each in value.values() for found in _enums(each)]


@pytest.mark.parametrize("part", ["schemas/events.yaml", "paths/events.yaml"])
def test_the_specification_knows_every_status(part: str) -> None:
    assert {str(each) for each in EventStatus} in _enums(yaml.safe_load((OPENAPI / part).read_text()))
