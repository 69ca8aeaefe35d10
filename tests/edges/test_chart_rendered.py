"""The chart as helm itself renders and lints it."""

import json
from typing import Any

import pytest
import yaml

from deploy import monitoring
from tests.rigs import charts, npm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("helm")]
EVERYTHING = charts.values_of("everything")


@pytest.fixture(autouse=True)
def helm() -> None:
    """helm, or one loud line."""
    try:
        charts.helm()
    except npm.NoNpm:
        pytest.skip("npm is not here: THE CHART IS NOT RENDERED")


def by_name(text: str) -> dict[tuple[str, str], Any]:
    """The manifests of a rendering by their kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in charts.manifests(text)}


@pytest.mark.parametrize("name", charts.KEPT)
def test_what_is_kept_is_what_helm_renders(name: str) -> None:
    kept = charts.kept(name).read_text(encoding="utf-8")
    assert by_name(charts.rendered(charts.values_of(name))) == by_name(kept), "make chart"


@pytest.mark.parametrize("name", charts.KEPT)
def test_helm_finds_nothing_to_mend(name: str) -> None:
    result = charts.run("lint", "--strict", charts.CHART, "--values", charts.values_of(name))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[WARNING]" not in result.stdout


def test_rules_and_board_are_those_that_are_made_from_the_list() -> None:
    chosen = ("--set", "monitoring.rules=true", "--set", "monitoring.board=true")
    found = by_name(charts.rendered(EVERYTHING, *chosen))
    rules = yaml.safe_load(monitoring.RULES.read_text(encoding="utf-8"))
    assert found["PrometheusRule", "hospital"]["spec"] == rules
    board = found["ConfigMap", "hospital-board"]["data"]["connector.json"]
    assert json.loads(board) == json.loads(monitoring.BOARD.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("web.replicas=0", "at '/web/replicas': minimum"),
        ("settings.database_host=postgres", "invalid propertyName 'database_host'"),
        ("relay.settings.RELAY_METRICS_PORT=1", "invalid propertyName 'RELAY_METRICS_PORT'"),
        ("settings.DATABASE_PASSWORD=x", "invalid propertyName 'DATABASE_PASSWORD'"),
        ("mllp.enabled=true", "at '/mllp/"),
        ("replicas=3", "additional properties 'replicas' not allowed"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(wrong: str, said: str) -> None:
    result = charts.run("template", "hospital", charts.CHART, "--set", wrong)
    assert result.returncode != 0
    assert said in result.stderr


def test_migrations_run_before_an_install_and_an_upgrade_and_need_nothing_of_the_release() -> None:
    found = by_name(charts.rendered(charts.values_of("smallest")))
    job = found["Job", "hospital-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    named = {name for _, name in found}
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert [each["secretRef"]["name"] for each in container["envFrom"]] == ["connector"]
    assert not [each for each in pod["volumes"] if {"configMap", "secret"} & set(each)]
    assert "connector" not in named
