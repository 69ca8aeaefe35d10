"""Rules for what is watched: one list of metrics there are makes rules and board, and alarms ring in time."""

import ast
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import monitoring
from dhos_connector_api.app import rooms

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dhos_connector_api"
SCENARIOS = yaml.safe_load((ROOT / "tests/samples/alarms.yaml").read_text(encoding="utf-8"))
ALARMS = monitoring.listed()["alarms"]
#: What a histogram is shown as beside its name.
_PARTS = ("_bucket", "_count", "_sum")
_METRIC = re.compile(r"connector_[a-z_]+")


def _exported() -> set[str]:
    """The names of all metrics that the rooms declare, as they are shown."""
    found = set()
    for kind in ("metrics", "gauges"):
        for module in rooms.import_all(kind):
            tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    name = str(node.args[0].value)
                    is_histogram = ast.unparse(node.func).endswith("Histogram")
                    found |= {name + part for part in _PARTS} if is_histogram else {name}
    return {name for name in found if _METRIC.fullmatch(name)}


def _queries() -> Iterator[str]:
    """Yield every query of the rules and of the board."""
    yield from (each["expr"] for each in ALARMS)
    for row in monitoring.listed()["board"]:
        for panel in row["panels"]:
            yield from (each["expr"] for each in panel["queries"])


def test_every_metric_that_is_asked_for_is_shown_by_the_code() -> None:
    exported = _exported()
    assert {
        "connector_relay_active",
        "connector_outbox_dead",
        "connector_mllp_ack_seconds_bucket",
    } <= exported
    assert {name for query in _queries() for name in _METRIC.findall(query)} - exported == set()


@pytest.mark.parametrize("path", monitoring.made(), ids=lambda path: path.name)
def test_what_is_made_from_the_list_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == monitoring.made()[path], "make monitoring"


def test_the_panels_of_the_board_stand_beside_each_other() -> None:
    panels = json.loads(monitoring.BOARD.read_text(encoding="utf-8"))["panels"]
    assert len({each["id"] for each in panels}) == len(panels) > 25
    taken = [
        (across, down)
        for each in panels
        for across in range(each["gridPos"]["x"], each["gridPos"]["x"] + each["gridPos"]["w"])
        for down in range(each["gridPos"]["y"], each["gridPos"]["y"] + each["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(across for across, _ in taken) < 24


def test_every_alarm_has_a_section_in_the_runbook_and_the_other_way_round() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    sections = re.findall(r"(?m)^### (Connector\w+)\n\n(\S.*)$", text)
    assert [name for name, _ in sections] == [each["name"] for each in ALARMS]
    assert all(len(first) > 40 for _, first in sections)


def test_every_scenario_is_about_series_that_are_shown_and_every_alarm_rings_in_one() -> None:
    series = [
        *SCENARIOS["healthy"],
        *(name for each in SCENARIOS["scenarios"] for name in each.get("otherwise", {})),
    ]
    assert {name.partition("{")[0] for name in series} - _exported() == set()
    ringing = {name for each in SCENARIOS["scenarios"] for name in each["rings"]}
    assert ringing == {each["name"] for each in ALARMS}


def _test_of(scenario: dict[str, Any]) -> dict[str, Any]:
    """The scenario as promtool takes it; all that ring are asked for at once, so that no other may."""
    series = SCENARIOS["healthy"] | scenario.get("otherwise", {})
    ringing = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in scenario["rings"]]
    asked = {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{scenario['at']}m",
        "exp_samples": ringing,
    }
    return {
        "name": scenario["name"],
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [asked],
    }


@pytest.mark.slow
def test_alarms_ring_in_each_scenario_as_they_should_and_no_others(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here (Debian's package prometheus): ALARMS ARE NOT TESTED")
    file = tmp_path / "scenarios.yaml"
    tests = [_test_of(each) for each in SCENARIOS["scenarios"]]
    content = {
        "rule_files": [os.path.relpath(monitoring.RULES, tmp_path)],
        "evaluation_interval": "1m",
        "tests": tests,
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    run = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
