"""HIS payloads and webhooks: new, grown and known ones, next to bare inserts in the same run."""

import secrets
from collections.abc import Iterator

from benchmarks import load, yardsticks
from benchmarks.harness import Bench
from benchmarks.table import Row, quantile
from tests.builders.his import SITE_FILE, payload, raw_of, signed_headers, stay, visit, webhook

PART = "his"
_PATIENT_DATA, _WEBHOOK = "/api/integrations/his-patient-data/", "/api/v1/webhooks/his/events"
_CONNECTIONS, _MOST_A_SECOND, _WARM_UP = 8, 3000, 300
_VISITS = ("Consultation", "ChiefComplaint", "Clinical Condtion", "Doctor Visited", "Prescribed Drugs")


def measure(bench: Bench) -> list[Row]:
    """Payloads a second and CPU each: new patients, one visit more, known bytes, webhooks; bare inserts."""
    site, secret = str(bench.write("his.toml", SITE_FILE)), secrets.token_hex(32)
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
    """The stay with that number, the same bytes whenever it has as many visits."""
    entry = stay(
        PatientID=f"{run}{number % 50_000}",
        AdmissionID=f"{run}{number}",
        AdmitDate="05-Jun-2025 11:06",
        SSN="1000000001",
        MobileNo="0500000001",
    )
    seen = [
        visit(type_, BillDate=f"05-Jun-2025 12:{minute:02}") for minute, type_ in enumerate(_VISITS[:visits])
    ]
    return raw_of(payload(entry, visits=seen))


def _webhooks(bench: Bench, secret: str, run: str, count: int) -> Iterator[bytes]:
    for number in range(count):
        body = raw_of(webhook(event_id=f"{run}-{number}"))
        signature = signed_headers(body, secret)["X-HIS-Signature"]
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
