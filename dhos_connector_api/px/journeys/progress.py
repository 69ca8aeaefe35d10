"""How far a journey is, from its row and its stages (pure)."""

from collections.abc import Mapping
from typing import Any

from dhos_connector_api.px.journeys.folded import JourneyStatus


def completion_percentage(row: Mapping[Any, Any]) -> int:
    """Return how many of a journey's stages in a hundred are completed, rounded down; without stages 0."""
    stages: int = row["stage_count"]
    done: int = row["completed_count"]
    return 100 * done // stages if stages else 0


def is_complete(row: Mapping[Any, Any]) -> bool:
    """Return whether a journey is closed: nothing more is waited for, and it was not cancelled."""
    return bool(row["status"] == JourneyStatus.COMPLETED)
