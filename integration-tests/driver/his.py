"""A HIS: patients told in JSON, again and again, and signed webhooks. No two of a run are alike."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

_number = count(1)
_RUN = secrets.token_hex(3).upper()
_START = datetime(2025, 6, 5, 8, 0)  # noqa: DTZ001  the HIS tells local times
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PATIENT_DATA = "/api/integrations/his-patient-data/"
JSON = {"Content-Type": "application/json"}


def _fresh(prefix: str) -> str:
    return f"{prefix}{_RUN}{next(_number):04}"


def _moment() -> str:
    """A local time as the HIS writes it, later than any before."""
    at = _START + timedelta(minutes=next(_number))
    return f"{at.day:02}-{_MONTHS[at.month - 1]}-{at.year} {at:%H:%M}"


@dataclass
class Stay:
    """One patient and one stay, as the HIS tells them now."""

    patient_id: str = field(default_factory=lambda: _fresh("P"))
    admission_id: str = field(default_factory=lambda: _fresh("A"))
    hospital: str = "ALH-main"
    admitted: str = field(default_factory=_moment)
    discharged: str = ""
    visits: list[dict[str, str]] = field(default_factory=list)

    def see(self, type_: str) -> None:
        """Add a visit."""
        self.visits.append({"Type": type_, "BillDate": _moment()})

    def send_home(self) -> None:
        """End the stay."""
        self.discharged = _moment()

    def payload(self) -> bytes:
        """The whole patient."""
        entry = {
            "Type": "IP",
            "PatientID": self.patient_id,
            "AdmissionID": self.admission_id,
            "HospitalID": self.hospital,
            "HospitalName": self.hospital,
            "AdmitDate": self.admitted,
            "DischargeDate": self.discharged,
            "PatientName": "سارة مثال",
            "Gender": "Female",
            "DOB": "1985-06-05",
        }
        value = {
            "FetchPatientDataTimeStampList": [entry],
            "FetchPatientDataTimeStampVisitDataList": self.visits,
            "Code": 200,
            "Status": "Success",
        }
        return json.dumps(value, ensure_ascii=False).encode()


def webhook(event: str, stay: Stay) -> bytes:
    """A webhook about that stay, with an id of its own."""
    value: dict[str, Any] = {
        "event_id": _fresh("E"),
        "event": event,
        "occurred_at": "2025-06-05T11:06:00+03:00",
        "patient_code": stay.patient_id,
        "visit_id": stay.admission_id,
        "data": {},
    }
    return json.dumps(value).encode()


def own_header(raw: bytes, secret: str, prefix: str = "") -> dict[str, str]:
    """The HIS's own form: hex HMAC-SHA256 over the raw body."""
    digest = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return {**JSON, "X-HIS-Signature": f"{prefix}{digest}"}


def standard_headers(raw: bytes, *keys: str, age: int = 0) -> dict[str, str]:
    """The Standard Webhooks form, by each of the keys, made `age` seconds ago."""
    id_, timestamp = _fresh("msg_"), str(int(time.time()) - age)
    content = f"{id_}.{timestamp}.".encode() + raw
    digests = (hmac.new(key.encode(), content, hashlib.sha256).digest() for key in keys)
    signatures = " ".join(f"v1,{base64.b64encode(each).decode()}" for each in digests)
    return {**JSON, "webhook-id": id_, "webhook-timestamp": timestamp, "webhook-signature": signatures}
