"""What stands in the environment for our settings: values, secrets from files, and what is wrong with it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from dhos_connector_api.config.setting import Setting

#: What Kubernetes puts into variables named `..._PORT` for each service it knows.
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")
#: How near a name is to one of ours that is meant to be it.
_NEAR = 0.85
_OF_A_SERVICE = ("_SERVICE_HOST", "_SERVICE_PORT")


@dataclass(frozen=True, slots=True)
class Environment:
    """`values` by the name of the setting; `problems` stop the start, `remarks` are for the log."""

    values: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def is_service_link(value: str) -> bool:
    """Return whether Kubernetes has put this value into a variable that we read as a port."""
    return _SERVICE_LINK.match(value) is not None


def gather(environ: Mapping[str, str], settings: Iterable[Setting], known: Iterable[str]) -> Environment:
    """Return what is given for these settings, without white space around it; a secret may be in a file.

    `known` are the names of all settings: what is nearly one of them is remarked.
    """
    found = Environment()
    for each in settings:
        value = environ.get(each.name, "").strip()
        if each.name.endswith("_PORT") and is_service_link(value):
            found.remarks.append(f"{each.name} is ignored: a service link of Kubernetes, and no port")
            value = ""
        if each.secret and (file := environ.get(each.file_name, "").strip()):
            value = _from_file(each, file, value, found.problems)
        if value:
            found.values[each.name] = value
    found.remarks.extend(_misspelt(environ, frozenset(known)))
    return found


def _from_file(setting: Setting, file: str, value: str, problems: list[str]) -> str:
    """Return the secret that stands in that file; what is wrong with it goes to the `problems`."""
    if value:
        problems.append(f"{setting.name} and {setting.file_name} are both set: use one")
        return value
    try:
        content = Path(file).read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        problems.append(f"{setting.file_name} cannot be read: {error.strerror}")
    except ValueError:  # its text quotes the secret
        problems.append(f"{setting.file_name} is no UTF-8 text")
    else:
        if not content:
            problems.append(f"{setting.file_name} is empty")
        return content
    return ""


def _misspelt(environ: Mapping[str, str], known: frozenset[str]) -> list[str]:
    """Return a line for each variable that begins as ours do and is nearly one of them."""
    ours = {name.partition("_")[0] for name in known}
    found: list[str] = []
    for name in sorted(environ.keys() - known):
        is_link = name.endswith(_OF_A_SERVICE) or is_service_link(environ[name])
        if is_link or "_" not in name or name.partition("_")[0] not in ours:
            continue
        near = get_close_matches(name, known, n=1, cutoff=_NEAR)
        found.extend(f"{name} is no setting; is {one} meant?" for one in near)
    return found
