"""Writes Prometheus' rules and Grafana's board from one list of alarms and panels, `monitoring.yaml`."""

import json
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
LIST = FOLDER / "monitoring.yaml"
RULES, BOARD = FOLDER / "chart/files/rules.yaml", FOLDER / "chart/files/board.json"
_RUNBOOK = "docs/operations.md"
#: Grafana's grid is 24 wide; three panels stand side by side.
_WIDTH, _HEIGHT, _GRID = 8, 8, 24
_MADE = "# Made by `make monitoring` from deploy/monitoring.yaml; change that."


def listed() -> dict[str, Any]:
    """Return the list: `alarms` and `board`."""
    found: dict[str, Any] = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return found


def rules(alarms: list[dict[str, str]]) -> str:
    """Return Prometheus' file of rules, which is also what a PrometheusRule holds."""
    found = [
        {
            "alert": each["name"],
            "expr": each["expr"],
            "for": each["for"],
            "labels": {"severity": each["severity"]},
            "annotations": {"summary": each["summary"], "runbook": f"{_RUNBOOK}#{each['name'].lower()}"},
        }
        for each in alarms
    ]
    groups = {"groups": [{"name": "connector", "rules": found}]}
    return f"{_MADE}\n{yaml.safe_dump(groups, sort_keys=False, width=1000)}"


def board(rows: list[dict[str, Any]]) -> str:
    """Return Grafana's board: a row of panels for each row of the list. Its source is chosen in Grafana."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        panels.append(_placed(len(panels), "row", row["title"], 0, top, _GRID, 1))
        for number, panel in enumerate(row["panels"]):
            down, across = divmod(number * _WIDTH, _GRID)
            placed = _placed(
                len(panels), "timeseries", panel["title"], across, top + 1 + down * _HEIGHT, _WIDTH, _HEIGHT
            )
            panels.append(placed | _shown(panel))
        top += 1 + _HEIGHT * -(-len(row["panels"]) * _WIDTH // _GRID)
    source = {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}
    made: dict[str, Any] = {
        "title": "Connector",
        "uid": "connector",
        "tags": ["connector"],
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [source]},
        "panels": panels,
    }
    return json.dumps(made, indent=2) + "\n"


def _placed(
    number: int, kind: str, title: str, across: int, down: int, width: int, height: int
) -> dict[str, Any]:
    place = {"x": across, "y": down, "w": width, "h": height}
    return {"id": number + 1, "type": kind, "title": title, "gridPos": place}


def _shown(panel: dict[str, Any]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    targets = [
        {"refId": chr(ord("A") + number), "expr": each["expr"], "legendFormat": each["legend"]}
        for number, each in enumerate(panel["queries"])
    ]
    defaults = {"unit": panel["unit"], "min": 0}
    return {
        "datasource": source,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }


def made() -> dict[Path, str]:
    """Return each file that is made from the list, with its text."""
    found = listed()
    return {RULES: rules(found["alarms"]), BOARD: board(found["board"])}


def main() -> None:
    """Write the files."""
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
