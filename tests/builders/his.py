"""Invented HIS payloads and signed webhooks for tests: every call gives a fresh patient and later times.

payload()                                one patient with one visit
payload(stay(DischargeDate="..."), visits=[visit("Consultation")])
webhook(event="VISIT_STARTED")           a body of our own schema
signed_headers(raw, secret)              the hex form; standard_headers(raw, secret) the other one
"""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from dhos_connector_api.intake.arrival import Intake
from dhos_connector_api.site.model import His, Hospital, Site

_number = count(1)
_START = datetime(2025, 6, 1, 8, 0)  # noqa: DTZ001  the HIS tells local times
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Keys of this run only.
HIS_SECRET = secrets.token_hex(32)
HIS_SECRET_BEFORE = secrets.token_hex(32)
STANDARD_SECRET = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
MAIN = Hospital("ALH-MAIN", "ALH-main", "Asia/Riyadh", frozenset({"1"}), frozenset({"ALH main"}))
NORTH = Hospital("ALH-NORTH", "ALH-north", "Europe/London", frozenset({"2"}))
#: As a site file, for processes; nobody is limited.
SITE_FILE = """
[[his.hospitals]]
code = "ALH-MAIN"
name = "ALH-main"
time_zone = "Asia/Riyadh"
ids = ["1"]

[his.rate_limits."*"]
events_per_hour = 100000000
requests_per_minute = 100000000
"""
SITE = Site(his=His(hospitals=(MAIN, NORTH), visit_types={"Radiology": "RADIOLOGY"}))
INTAKE = Intake(
    site=SITE, zone=UTC, duplicate_policy="replay", duplicate_window=timedelta(days=7), transform=None
)
WRITE_HIS = "write:his"


def moment() -> str:
    """A local time as the HIS writes it, later than any before."""
    at = _START + timedelta(minutes=next(_number))
    return f"{at.day:02}-{_MONTHS[at.month - 1]}-{at.year} {at:%H:%M}"


def stay(**changes: Any) -> dict[str, Any]:
    """One entry of the patient list; a change to None is null, `del` what should be missing."""
    number = next(_number)
    values = {
        "Type": "IP",
        "PatientID": f"P{number}",
        "AdmissionID": f"A{number}",
        "HospitalID": "1",
        "HospitalName": "ALH-main",
        "AdmitDate": moment(),
        "DischargeDate": "",
        "SSN": f"10{number:08}",
        "PatientName": "Mr. Ahmed Ali Al Example",
        "MobileNo": f"05{number:08}",
        "Gender": "Male",
        "FullAge": "40 year(s)",
        "PatientNationality": "SAUDI",
        "DOB": "1985-06-05",
        "ConsultantID": "1407",
        "PrimaryDoctor": "Dr. Example Heron",
        "InsuranceCompanyName": "EXAMPLE INSURANCE",
        "BillType": "Credit",
        "IsVIP": "0",
    }
    return values | changes


def visit(type_: str = "Consultation", **changes: Any) -> dict[str, Any]:
    """One entry of the visit list."""
    return {"Type": type_, "BillDate": moment()} | changes


def payload(
    *stays: dict[str, Any], visits: list[dict[str, Any]] | None = None, **changes: Any
) -> dict[str, Any]:
    """A whole payload; without arguments one patient with one visit."""
    return {
        "FetchPatientDataTimeStampList": list(stays) or [stay()],
        "FetchPatientDataTimeStampVisitDataList": [visit()] if visits is None else visits,
        "Code": 200,
        "Status": "Success",
    } | changes


def raw_of(value: Any) -> bytes:
    """A value as the bytes of a request."""
    return json.dumps(value, ensure_ascii=False).encode()


def webhook(**changes: Any) -> dict[str, Any]:
    """A webhook's body; a change to None is null."""
    number = next(_number)
    values = {
        "event_id": f"event-{number}",
        "event": "VISIT_STARTED",
        "occurred_at": "2025-06-05T11:06:00+03:00",
        "patient_code": f"P{number}",
        "visit_id": f"A{number}",
        "data": {"clinic": "CARDIOLOGY"},
    }
    return values | changes


def signed_headers(raw: bytes, secret: str = HIS_SECRET, source: str = "HIS") -> dict[str, str]:
    """The hex form, made by hand, so that nothing of the code under test has a say in it."""
    digest = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", f"X-{source}-Signature": digest}


def standard_headers(
    raw: bytes, *secrets_: str, id_: str | None = None, at: float | None = None
) -> dict[str, str]:
    """The Standard Webhooks form, signed with each of the secrets; `at` is Unix seconds (now)."""
    id_ = id_ or f"msg_{next(_number)}"
    timestamp = str(int(datetime.now(UTC).timestamp() if at is None else at))
    signatures = []
    for secret in secrets_:
        key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
        digest = hmac.new(key, f"{id_}.{timestamp}.".encode() + raw, hashlib.sha256).digest()
        signatures.append(f"v1,{base64.b64encode(digest).decode()}")
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }
