"""What a test may put in place of the parts of a web process."""

from dataclasses import fields
from typing import Any

import pytest

from dhos_connector_api.api.services import Services
from dhos_connector_api.app.web import Parts, create_app
from tests.builders.rows import settings


def test_an_override_that_is_no_part_is_refused() -> None:
    misspelt: dict[str, Any] = {"databse": None, "metrics": None}
    with pytest.raises(TypeError, match="databse"):
        create_app(settings(), **misspelt)


def test_whatever_the_handlers_work_with_can_be_overridden() -> None:
    assert {each.name for each in fields(Services)} < set(Parts.__annotations__)
