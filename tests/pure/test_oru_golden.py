"""Whole ORU^R01 messages, written by hand from the contract, for what the platform sends.

In the files a line ends in LF; between the segments of a message stands CR.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.deliveries.oru.message import ObservationMessage, build
from dhos_connector_api.hl7v2.read import read_text
from dhos_connector_api.site.model import Site
from dhos_connector_api.site.schema import parse

SAMPLES = Path(__file__).parent.parent / "samples" / "oru"
MASKS = "oxygen_masks"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.hl7") if path.stem != MASKS)


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return read


def expected(name: str) -> list[str]:
    return (SAMPLES / f"{name}.hl7").read_text(encoding="utf-8").split("\n")[:-1]


def site(given: dict[str, Any]) -> Site:
    configuration = sample("site")
    configuration["hl7_config"].update(given.get("hl7_config", {}))
    return parse(configuration)


def made(given: dict[str, Any]) -> ObservationMessage:
    now = datetime.fromisoformat(given["now"])
    return build(given["data"], site=site(given), zone=ZoneInfo(given["zone"]), now=now)


@pytest.mark.parametrize("name", NAMES)
def test_a_message_is_what_the_contract_says(name: str) -> None:
    assert made(sample(name)).text.split("\r") == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_our_own_reader_finds_nothing_wrong_with_it(name: str) -> None:
    given = sample(name)
    message = read_text(made(given).text, charset="utf-8")
    assert not message.defects
    assert message.event_code == "ORU_R01"
    assert message.control_id == made(given).control_id
    assert made(given).set_uuid == given["data"]["observation_set"]["uuid"]


def test_every_oxygen_mask_has_its_code() -> None:
    given = sample(MASKS)
    (observation,) = given["data"]["observation_set"]["observations"]
    lines = []
    for about in given["masks"]:
        observation["observation_metadata"] = about
        lines.append(made(given).text.split("\r")[-2])
    assert lines == expected(MASKS)
    named = {about["mask"] for about in given["masks"]}
    assert {mask.name for mask in site(given).send_config.oxygen_masks} <= named
