"""The bill of materials and the audit of the image's libraries, by the scripts that make them."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dhos_connector_api import __version__
from tests.rigs.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("supply chain")]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script as make does."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = ROOT / "scripts/supply_chain.sh"
    environ = {**os.environ, "PATH": path}
    return subprocess.run([script, *arguments], env=environ, capture_output=True, text=True, check=False)


def locked() -> dict[str, str]:
    """The libraries of the image on this platform, with their versions."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^([\w.\[\]-]+==[^\\\n]+)", text)
    pinned = [Requirement(line.strip()) for line in lines]
    here = [each for each in pinned if each.marker is None or each.marker.evaluate()]
    return {str(canonicalize_name(each.name)): str(each.specifier).removeprefix("==") for each in here}


def test_the_bill_of_materials_holds_what_the_image_has_and_nothing_else() -> None:
    done = run("sbom")
    assert done.returncode == 0, done.stderr
    bill = json.loads((ROOT / "build/sbom.json").read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    listed = {str(canonicalize_name(each["name"])): each["version"] for each in bill["components"]}
    assert listed == locked()
    assert listed["flask"] == version("flask")
    assert len(bill["dependencies"]) > len(listed) / 2


def test_the_audit_is_of_every_library_of_the_image() -> None:
    """What is known against them is not asked for: that needs a service beyond this machine."""
    done = run("audit", "--dry-run")
    assert done.returncode == 0, done.stderr
    found = re.search(r"would have audited (\d+) packages", done.stdout + done.stderr)
    assert found, done.stdout + done.stderr
    assert int(found[1]) == len(locked())
