"""A PX Admin who keeps hospitals, departments, physicians, employees and patients."""

import secrets
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import requests

from driver.connector import Connector

_KEYS = {"physicians": "license_number", "employees": "employee_number", "patients": "mrn"}


class Admin:
    """A person with a token, and his requests."""

    def __init__(self, connector: Connector, token: str) -> None:
        self._connector, self._token = connector, token

    @classmethod
    def made(cls, connector: Connector, environ: Mapping[str, str]) -> "Admin":
        """Make one on the command line, with the Connector's environment, and log in."""
        name = f"admin{secrets.token_hex(4)}"
        command = (sys.executable, "-m", "dhos_connector_api", "people", "create-admin", "--username", name)
        done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=True)
        login = {"username": name, "password": done.stdout.strip()}
        response = connector.request("POST", "/api/auth/token/", json=login)
        assert response.status_code == 200, response.text
        return cls(connector, response.json()["access"])

    def ask(self, method: str, kind: str, id_: str | None = None, **options: Any) -> requests.Response:
        """One request about one kind, or about one of it."""
        return self.request(method, f"/api/organizations/{kind}/" + (f"{id_}/" if id_ else ""), **options)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request, whatever it is about."""
        return self._connector.request(method, path, token=self._token, **options)


def new_body(kind: str, hospital: str | None) -> dict[str, Any]:
    """Return the body of a new one; the word of its Arabic name is its own."""
    number = secrets.token_hex(4).upper()
    body: dict[str, Any] = {"phone": "+966112345678", "status": "active"}
    if kind in ("hospitals", "departments"):
        body |= {"name": f"Name {number}", "name_ar": f"أمة{number}", "code": f"C{number}"}
    else:
        key = _KEYS[kind]
        body |= {
            "first_name": "Ahmed",
            "last_name": f"L{number}",
            "last_name_ar": f"أمة{number}",
            key: number,
        }
    if kind != "hospitals":
        body["primary_hospital" if kind == "patients" else "hospital"] = hospital
    return body
