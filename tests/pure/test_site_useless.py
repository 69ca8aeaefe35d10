"""Entries of a site's configuration that have no effect: which they are, and that a start tells of them."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from dhos_connector_api.site.model import ALL_ADT_TRIGGERS, Site
from dhos_connector_api.site.schema import parse, parse_answer
from dhos_connector_api.site.settings import SiteSettings
from dhos_connector_api.site.source import TrustomerSource, source
from dhos_connector_api.site.useless import useless
from tests.builders.rows import settings
from tests.rigs.waiting import eventually
from tests.rigs.wire import Wire, says

EXAMPLE = Path(__file__).parents[2] / "docs" / "site-example.toml"


def _entries(**inbound: Any) -> list[str]:
    return [each.entry for each in useless(parse({"inbound": inbound}))]


def test_a_star_of_adt_adds_to_what_stands_beside_it() -> None:
    accepted = parse({"inbound": {"accepted": {"ADT": ["*", "Z99"]}}}).inbound.accepted
    assert accepted == {"ADT": ALL_ADT_TRIGGERS | {"Z99"}}


def test_a_star_of_another_type_stays_and_types_are_read_without_case() -> None:
    accepted = parse({"inbound": {"accepted": {"oru": ["*"], " Adt ": ["a01 "]}}}).inbound.accepted
    assert accepted == {"ORU": frozenset({"*"}), "ADT": frozenset({"A01"})}


def test_one_type_in_two_spellings_has_the_triggers_of_both() -> None:
    accepted = parse({"inbound": {"accepted": {"ADT": ["A01"], "adt": ["A02"]}}}).inbound.accepted
    assert accepted == {"ADT": frozenset({"A01", "A02"})}


@pytest.mark.parametrize(
    ("inbound", "entry"),
    [
        ({"accepted": {}}, "inbound.accepted"),
        ({"accepted": {"ADT^A01": ["*"]}}, "inbound.accepted.ADT^A01"),
        ({"accepted": {"*": ["*"]}}, "inbound.accepted.*"),
        ({"accepted": {"ORM": []}}, "inbound.accepted.ORM"),
        ({"accepted": {"ADT": ["*", "ADT_A01"]}}, "inbound.accepted.ADT: 'ADT_A01'"),
        ({"accepted": {"ADT": ["A01", "A0 2"]}}, "inbound.accepted.ADT: 'A0 2'"),
        ({"accepted": {"ORU": ["R*"]}}, "inbound.accepted.ORU: 'R*'"),
        ({"versions": ["2.5^GBR"]}, "inbound.versions: '2.5^GBR'"),
        ({"processing_ids": ["P^T"]}, "inbound.processing_ids: 'P^T'"),
        ({"ignored_encounter_classes": ["P^X"]}, "inbound.ignored_encounter_classes: 'P^X'"),
        ({"identifiers": {"mrn_types": ["MR", " "]}}, "inbound.identifiers.mrn_types: ''"),
        ({"identifiers": {"nhs_authorities": ["NHS&1.2&ISO"]}}, "inbound.identifiers.nhs_authorities"),
        (
            {"claims": [{"listener": "lab", "senders": [{"application": "LAB "}]}]},
            "inbound.claims.0.senders.0",
        ),
    ],
)
def test_what_can_never_match_is_named(inbound: dict[str, Any], entry: str) -> None:
    (found,) = _entries(**inbound)
    assert found.startswith(entry)


def test_what_can_match_is_not_named() -> None:
    assert useless(Site()) == []
    accepted = {"ADT": ["*", "Z99"], "ORU": ["*"], "ZZZZ": ["Z01"]}
    empty = {"processing_ids": [""], "versions": [""], "ignored_encounter_classes": [""]}  # an empty field
    assert _entries(accepted=accepted, **empty) == []


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Any:
    def entries() -> list[tuple[str, str, str]]:
        return [
            (each.levelname, vars(each)["entry"], vars(each)["cause"])
            for each in caplog.records
            if "has no effect" in each.message
        ]

    caplog.set_level(logging.INFO)
    return entries


def test_a_file_is_told_of_at_the_start(tmp_path: Path, warned: Any) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[inbound]\naccepted = { ADT = ["*"], ORM = [] }\n')
    source(settings(SITE_CONFIG=str(file)).of(SiteSettings))
    ((level, entry, cause),) = warned()
    assert (level, entry) == ("WARNING", "inbound.accepted.ORM")
    assert "no trigger event" in cause


def test_nothing_is_told_of_the_example_nor_of_no_file(warned: Any) -> None:
    source(settings(SITE_CONFIG=str(EXAMPLE)).of(SiteSettings))
    source(settings().of(SiteSettings))
    assert warned() == []


ANSWER = {
    "name": "much that concerns others",
    "hl7_config": {"outgoing_processing_id": "T", "unknown_to_us": 1},
    "send_config": {"oxygen_masks": [{"code": "RA", "id": "1", "name": "Air", "colour": "blue"}]},
    "inbound": {"identifiers": {"mrn_tipes": ["MR"]}},
    "his": {"rate_limits": {"his": {"per_day": 1}}},
}
UNKNOWN = [
    "hl7_config.unknown_to_us",
    "send_config.oxygen_masks.0.colour",
    "inbound.identifiers.mrn_tipes",
    "his.rate_limits.his.per_day",
]


def test_an_answer_may_hold_what_is_not_known_at_any_depth() -> None:
    site, unknown = parse_answer(ANSWER)
    assert site.hl7_config.outgoing_processing_id == "T"
    assert site.send_config.oxygen_masks[0].name == "Air"
    assert unknown == UNKNOWN


def test_an_answer_is_told_of_once_as_long_as_it_says_the_same(warned: Any) -> None:
    content = json.dumps(ANSWER).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    times = [0.0]
    with Wire(says(answer)) as server:
        site = TrustomerSource(server.url, "ABC", "key", 3600, monotonic=lambda: times[0])
        first = site()
        assert [entry for _, entry, _ in warned()] == UNKNOWN
        times[0] = 3600.0
        eventually(lambda: site() is not first)
    assert len(warned()) == len(UNKNOWN)
