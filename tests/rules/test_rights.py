"""The table of rights: the document shows it as it is, and every operation names a line of it."""

from pathlib import Path

import pytest

from dhos_connector_api.px.people.rights import LEVELS, RIGHTS, Reach
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.document import Operation

DOCUMENT = (Path(__file__).parents[2] / "docs/rights.md").read_text(encoding="utf-8")
OPERATIONS = list(specification.operations(specification.load()))
#: What is asked before anybody has a token.
BEFORE = {"obtain_token", "refresh_token"}


def test_the_document_shows_every_line_of_the_table() -> None:
    for right in RIGHTS.values():
        but = "".join(f"; {level}: {reach}" for level, reach in right.but.items())
        line = f"| `{right.name}` | {right.least} | {right.reach}{but} | {right.text} |"
        assert line in DOCUMENT
    assert DOCUMENT.count("| `") == len(RIGHTS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_an_operation_names_its_right_where_persons_may_ask_it(operation: Operation) -> None:
    persons = {"person": []} in operation.definition["security"]
    assert (operation.right in RIGHTS) is persons
    assert operation.takes_persons_alone is (operation.is_of_wing and operation.id not in BEFORE)


def test_no_level_reaches_further_than_a_higher_one_but_as_the_table_says() -> None:
    order = [None, Reach.OWN, Reach.DEPARTMENT, Reach.HOSPITAL, Reach.ALL]
    for right in RIGHTS.values():
        reaches = [order.index(right.reach_of(level)) for level in LEVELS if level not in right.but]
        assert reaches == sorted(reaches, reverse=True)
        assert right.reach_of(0) is None or right.reach is Reach.OWN
