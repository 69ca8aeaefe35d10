"""What the specification takes for an observation set is made into a message, or what is wrong is named."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from connexion.json_schema import Draft4RequestValidator
from connexion.spec import Specification
from hypothesis import given, settings
from hypothesis import strategies as st

from dhos_connector_api.deliveries.oru.message import observation_data
from dhos_connector_api.errors import BadInput
from dhos_connector_api.spec import document as specification
from dhos_connector_api.spec.bodies import JsonBody
from tests.builders.oru import built, data, message, seen

SAMPLES = Path(__file__).parent.parent / "samples" / "oru"
RESOLVED: dict[str, Any] = dict(Specification.load(specification.load()))
CONTENT = RESOLVED["paths"]["/dhos/v1/oru_message"]["post"]["requestBody"]["content"]["application/json"]
BODY = JsonBody(CONTENT["schema"])
SCHEMAS = RESOLVED["components"]["schemas"]


def posted(given: Any) -> Any:
    """The body with that action, as it passes the specification."""
    action = {"name": "process_observation_set", "data": given}
    return BODY.value(json.dumps({"actions": [{"name": "process_patient", "data": 1}, action]}).encode())


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_passes_it(path: Path) -> None:
    sample = json.loads(path.read_text(encoding="utf-8").replace("\\u0000", ""))
    if "data" in sample:
        assert observation_data(posted(sample["data"])) == sample["data"]


def test_its_examples_make_messages() -> None:
    full = observation_data(CONTENT["example"])
    changed = {**full, "observation_set": SCHEMAS["ObservationSet"]["example"]}
    refused = data(SCHEMAS["Observation"]["example"])
    assert len(message(full).all("OBX")) == 25
    assert len(message(observation_data(posted(changed))).all("OBX")) == 2
    assert message(observation_data(posted(refused))).all("OBX")[0].value(5) == "patient_refused"


@pytest.mark.parametrize("name", [name for name in SCHEMAS if "example" in SCHEMAS[name]])
def test_the_example_of_a_schema_fits_it(name: str) -> None:
    Draft4RequestValidator(SCHEMAS[name]).validate(SCHEMAS[name]["example"])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "body.actions[].data: patient, encounter, observation_set are missing"),
        (
            data(uuid=5) | {"encounter": None},
            "body.actions[].data.encounter: must be an object",
        ),
        (
            data(seen("heart_rate", observation_value="72")),
            "body.actions[].data.observation_set.observations[].observation_value: must be a number",
        ),
        (
            data(clinician={"send_entry_identifier": ["7"]}),
            "body.actions[].data.clinician.send_entry_identifier: must be a number or a text",
        ),
        (
            data({"observation_type": "heart_rate"}),
            "body.actions[].data.observation_set.observations[]: measured_time is missing",
        ),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput) as error:
        posted(given)
    assert error.value.text == text


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    | st.sampled_from(["2024-01-02T03:04:05Z", "news2", "", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["mask", "uuid"]), inner),
    max_leaves=4,
)
FULL: dict[str, Any] = json.loads((SAMPLES / "full_news2.json").read_text(encoding="utf-8"))["data"]


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in it, as paths."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path] * bool(path) + [found for name, each in inner for found in places(each, (*path, name))]


@settings(max_examples=1_000)
@given(st.lists(st.tuples(st.sampled_from(places(FULL)), JSON), min_size=1, max_size=4))
def test_whatever_stands_in_its_places_is_sent_or_refused(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    given = copy.deepcopy(FULL)
    for (*path, last), value in changes:
        node: Any = given
        for step in path:
            node = node[step] if isinstance(node, dict) and step in node else {}
        if isinstance(node, dict):
            node[last] = value
    try:
        lines = built(given).text.split("\r")
    except BadInput:
        return
    assert [line[:3] for line in lines[:2]] == ["MSH", "PID"]
    assert all(line[:4] in {"PV1|", "OBR|", "OBX|"} for line in lines[2:])
