"""Rules for the chart, held on its kept renderings: Kubernetes takes them, and pods are bounded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator

from dhos_connector_api import __version__
from dhos_connector_api.app.configuration import describe
from dhos_connector_api.cli.main import main as commands
from dhos_connector_api.config.settings import SHUTDOWN_DELAY
from dhos_connector_api.http import serving
from dhos_connector_api.mllp import server as mllp
from dhos_connector_api.processes.supervisor import LONGER_THAN_A_CHILD

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/chart"
RENDERED = sorted((ROOT / "tests/samples/chart").glob("*.rendered.yaml"))
#: Of the Prometheus operator, which Kubernetes' own schemas do not hold.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SETTINGS = {each.name: each for each in describe()}


def manifests() -> list[dict[str, Any]]:
    """Every manifest of every rendering."""
    return [
        each for path in RENDERED for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each
    ]


MANIFESTS = manifests()


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the component, the pod and the one container of each Deployment and Job."""
    for each in MANIFESTS:
        if each["kind"] in ("Deployment", "Job"):
            pod = each["spec"]["template"]["spec"]
            [container] = pod["containers"]
            yield each["metadata"]["labels"]["app.kubernetes.io/component"], pod, container


def told(container: dict[str, Any]) -> dict[str, str]:
    """The settings a container is given."""
    return {each["name"]: each["value"] for each in container.get("env", [])}


def test_the_renderings_hold_every_process() -> None:
    assert {component for component, _, _ in pods()} == {
        *("web", "mllp", "relay", "deliver", "consume", "migrate")
    }


@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_kubernetes_takes_every_manifest(version: str) -> None:
    """By its strict schemas, of the oldest version that the chart takes and of a new one."""
    own = [each for each in MANIFESTS if each["kind"] not in FOREIGN]
    assert len(own) > 25
    for each in own:
        kubernetes_validate.validate(each, version, strict=True)
    wrong = json.loads(json.dumps(own[0]))
    wrong["spec"]["misspelt"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_a_pod_is_a_plain_user_that_writes_to_tmp_alone() -> None:
    for component, pod, container in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        writable = [each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")]
        assert writable == ["/tmp"], component  # noqa: S108  a folder of the pod


def test_every_process_is_started_by_a_command_of_ours_and_told_settings_that_there_are() -> None:
    for _, _, container in pods():
        assert container["args"][0] in commands.commands
        assert told(container).keys() - SETTINGS.keys() == set()


def test_no_secret_stands_in_the_chart() -> None:
    for _, _, container in pods():
        assert not [name for name in told(container) if SETTINGS[name].secret]
        assert [each.keys() for each in container["envFrom"]] == [{"secretRef"}]
    assert not [each for each in MANIFESTS if each["kind"] == "Secret"]


def test_pods_are_given_the_time_that_processes_take_to_leave() -> None:
    """As docs/operations.md has it under "Restarting"."""
    slowest = max(serving.GRACE, mllp.GRACE) + LONGER_THAN_A_CHILD
    found = {}
    for component, pod, container in pods():
        if component != "migrate":
            delay = int(told(container)["SHUTDOWN_DELAY"])
            assert pod["terminationGracePeriodSeconds"] >= delay + slowest
            found[delay] = pod["terminationGracePeriodSeconds"]
    assert found[SHUTDOWN_DELAY] == 35
    assert VALUES["shutdownDelay"] == SHUTDOWN_DELAY


def test_a_pod_that_leaves_is_out_of_its_service_before_its_doors_close() -> None:
    for component, _, container in pods():
        if component == "migrate":
            continue
        ports = {each["name"] for each in container["ports"]}
        ready, alive = container["readinessProbe"], container["livenessProbe"]
        assert ready["httpGet"]["path"] == "/ready"
        assert {alive["httpGet"]["path"], container["startupProbe"]["httpGet"]["path"]} == {"/running"}
        assert {ready["httpGet"]["port"], alive["httpGet"]["port"]} <= ports
        assert ready["periodSeconds"] * ready["failureThreshold"] < int(told(container)["SHUTDOWN_DELAY"])


def test_each_pod_listens_where_it_is_asked() -> None:
    settings = {
        "web": ("METRICS_PORT", "SERVER_PORT"),
        "mllp": ("MLLP_METRICS_PORT",),
        "relay": ("RELAY_METRICS_PORT",),
        "deliver": ("DELIVER_METRICS_PORT",),
        "consume": ("CONSUME_METRICS_PORT",),
    }
    for component, _, container in pods():
        ports = {each["containerPort"] for each in container.get("ports", [])}
        assert {int(told(container)[name]) for name in settings.get(component, ())} <= ports


def test_memory_is_bounded_and_cpu_is_asked_for() -> None:
    for component, _, container in pods():
        resources = container["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}, component
        assert "memory" in resources["limits"]


def test_every_kind_of_pod_has_a_budget_and_a_second_one() -> None:
    kinds = {component for component, _, _ in pods()} - {"migrate"}
    budgets = [each for each in MANIFESTS if each["kind"] == "PodDisruptionBudget"]
    assert {each["metadata"]["labels"]["app.kubernetes.io/component"] for each in budgets} == kinds
    assert all(VALUES[kind]["replicas"] >= 2 for kind in kinds)


def test_the_values_fit_their_schema_and_the_schema_holds_all_of_them() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    assert [error.message for error in Draft7Validator(schema).iter_errors(VALUES)] == []
    assert schema["properties"].keys() - {"global"} == VALUES.keys()
    parts = ("web", "mllp", "relay", "deliver", "consume", "migrate", "image", "networkPolicy", "monitoring")
    for part in parts:
        assert schema["properties"][part]["properties"].keys() == VALUES[part].keys()


def test_the_schema_takes_no_secret_among_the_settings() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    names = Draft7Validator(schema["$defs"]["settings"]["propertyNames"])
    assert [name for name, each in SETTINGS.items() if each.secret and names.is_valid(name)] == []
    assert names.is_valid("DATABASE_HOST")


def test_the_chart_is_of_the_version_of_the_code() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == chart["version"] == __version__
