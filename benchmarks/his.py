"""HIS payloads and webhooks: new, grown and known ones, next to bare inserts in the same run."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator

from benchmarks import load, yardsticks
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile

PART = "his"
_PATIENT_DATA, _WEBHOOK = "/api/integrations/his-patient-data/", "/api/v1/webhooks/his/events"
_CONNECTIONS, _MOST_A_SECOND, _WARM_UP = 8, 3000, 300
_SITE = """
[[his.hospitals]]
code = "BENCH"
name = "Bench"
time_zone = "Asia/Riyadh"
ids = ["1"]

[his.rate_limits.'*']
events_per_hour = 100000000
requests_per_minute = 100000000
"""
_VISITS = ("Consultation", "ChiefComplaint", "Clinical Condtion", "Doctor Visited", "Prescribed Drugs")


def measure(bench: Bench) -> list[Row]:
    """Payloads a second and CPU each: new patients, one visit more, known bytes, webhooks; bare inserts."""
    site, secret = str(bench.write("his.toml", _SITE)), secrets.token_hex(32)
    token = bench.command("token", "--scope", "write:his", "--seconds", "86400")
    rows, run, header = [_bare(bench)], secrets.token_hex(3), f"Authorization: Bearer {token}"
    most = int(bench.options.seconds * _MOST_A_SECOND)
    with bench.settings(SITE_CONFIG=site, HIS_WEBHOOK_SECRET=secret), bench.web() as web:
        for name, visits in (("new patient, 2 visits", 2), ("the same with 1 visit more", 3)):
            bodies = (_payload(number, run, visits) for number in range(most))
            requests = [load.post(bench.host, _PATIENT_DATA, header, each) for each in bodies]
            rows += _measured(bench, web, name, requests)
        known = [load.post(bench.host, _PATIENT_DATA, header, _payload(0, run, 2))] * most
        rows += _measured(bench, web, "known bytes", known)
        rows += _measured(bench, web, "webhook", list(_webhooks(bench, secret, run, most)))
    rows.append(_queued(bench))
    return rows


def _payload(number: int, run: str, visits: int) -> bytes:
    entry = {
        "Type": "IP",
        "PatientID": f"{run}{number % 50_000}",
        "AdmissionID": f"{run}{number}",
        "HospitalID": "1",
        "HospitalName": "Bench",
        "AdmitDate": "05-Jun-2025 11:06",
        "DischargeDate": "",
        "SSN": "1000000001",
        "PatientName": "Mr. Bench Mark Example",
        "MobileNo": "0500000001",
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
    seen = [
        {"Type": type_, "BillDate": f"05-Jun-2025 12:{minute:02}"}
        for minute, type_ in enumerate(_VISITS[:visits])
    ]
    value = {
        "FetchPatientDataTimeStampList": [entry],
        "FetchPatientDataTimeStampVisitDataList": seen,
        "Code": 200,
        "Status": "Success",
    }
    return json.dumps(value).encode()


def _webhooks(bench: Bench, secret: str, run: str, count: int) -> Iterator[bytes]:
    for number in range(count):
        value = {
            "event_id": f"{run}-{number}",
            "event": "VISIT_STARTED",
            "occurred_at": "2025-06-05T11:06:00+03:00",
            "patient_code": f"{run}{number % 50_000}",
            "visit_id": f"{run}{number}",
            "data": {"clinic": "CARDIOLOGY", "doctor": "1407"},
        }
        body = json.dumps(value).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        yield load.post(bench.host, _WEBHOOK, f"X-HIS-Signature: {signature}", body)


def _measured(bench: Bench, web: int, name: str, requests: list[bytes]) -> list[Row]:
    meter = bench.meter(web=web)
    load.send(bench.port, iter(requests[:_WARM_UP]), connections=_CONNECTIONS)
    meter.start()
    answers = load.send(
        bench.port, iter(requests[_WARM_UP:]), connections=_CONNECTIONS, seconds=bench.options.seconds
    )
    spent, count = meter.stop(), len(answers.times)
    return [
        Row(PART, f"{name}, {_CONNECTIONS} connections: rate", answers.rate, "requests/s"),
        Row(PART, f"{name}: p99", quantile(answers.milliseconds, 0.99), "ms"),
        *(
            Row(PART, f"{name}: CPU {group}", spent[group] * 1000 / count, "ms/request")
            for group in ("web", "PostgreSQL")
        ),
    ]


def _bare(bench: Bench) -> Row:
    """Rows with a key and some bytes, one by one, each committed."""
    rate = yardsticks.bare_rate(bench, yardsticks.insert, _CONNECTIONS)
    return Row(PART, f"bare insert + commit, {_CONNECTIONS} connections", rate, "rows/s")


def _queued(bench: Bench) -> Row:
    """Every answer was good; this says that every event that means something is also queued."""
    missing = bench.count(
        "SELECT count(*) FROM integration_event e WHERE e.state = 'accepted' AND NOT EXISTS"
        " (SELECT FROM outbox o WHERE o.id = e.envelope_id)"
    )
    return Row(PART, "events not queued", missing, "events", most=0)
