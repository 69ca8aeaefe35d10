"""What a listener refuses by itself."""

from typing import Any

import pytest

from dhos_connector_api.mllp.admission import objections
from dhos_connector_api.mllp.terms import Listener, Sender
from dhos_connector_api.mllp.tls import names
from tests.builders.hl7 import adt_message

_ADT = {"ADT": frozenset({"A01", "A08"})}


@pytest.mark.parametrize(
    ("senders", "certificate", "message", "expected"),
    [
        ((), (), {}, None),
        ((Sender("CERNER", "OXON"),), (), {}, None),
        ((Sender("CERNER"),), (), {}, None),
        ((Sender(facility="OXON"),), (), {"MSH_4": "OXON^1.2.3^ISO"}, None),
        ((Sender("EPIC", "OXON"),), (), {}, "207 MSH^1^3"),
        ((Sender("CERNER", "RBH"),), (), {}, "207 MSH^1^3"),
        ((Sender("EPIC"), Sender("CERNER")), (), {}, None),
        ((Sender("CERNER", accepted=_ADT),), (), {}, None),
        ((Sender("CERNER", accepted=_ADT),), (), {"MSH_9": "ADT^A03"}, "201 MSH^1^9^1^2"),
        ((Sender("CERNER", accepted=_ADT),), (), {"MSH_9": "ORU^R01"}, "200 MSH^1^9^1^1"),
        ((Sender(accepted={"ADT": frozenset("*")}),), (), {"MSH_9": "ADT^A03"}, None),
        (
            (Sender(accepted=_ADT), Sender(accepted={"ORU": frozenset({"R01"})})),
            (),
            {"MSH_9": "ORU^R01"},
            None,
        ),
        ((Sender("CERNER", certificate="EPR.test"),), ("epr.test", "other"), {}, None),
        ((Sender("CERNER", certificate="epr.test"),), (), {}, "207 MSH^1^3"),
        ((Sender("CERNER", certificate="epr.test"),), ("lab.test",), {}, "207 MSH^1^3"),
        ((Sender("CERNER", certificate="a"), Sender("LAB", certificate="b")), ("b",), {}, "207 MSH^1^3"),
    ],
)
def test_who_may_send_what(
    senders: tuple[Sender, ...], certificate: tuple[str, ...], message: dict[str, Any], expected: str | None
) -> None:
    listener = Listener(name="epr", port=0, senders=senders)
    objection = objections(listener, frozenset(certificate))(adt_message(**message))
    assert (f"{objection.error} {objection.location}" if objection else None) == expected
    if objection and "certificate" not in (objection.text or ""):
        assert "(MLLP_LISTENERS, sender" in (objection.text or "")


def test_utf_16_is_refused() -> None:
    objection = objections(Listener(name="epr", port=0), frozenset())(adt_message(codec="utf-16"))
    assert objection is not None
    assert (objection.code, objection.location) == ("AR", "MSH^1^18")


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        (None, set()),
        ({}, set()),
        (
            {
                "subject": ((("organizationName", "RBH"),), (("commonName", "EPR.test"),)),
                "subjectAltName": (("DNS", "a.test"), ("URI", "urn:EPR"), ("DirName", ((("x", "y"),),))),
            },
            {"epr.test", "a.test", "urn:epr"},
        ),
    ],
)
def test_the_names_of_a_certificate(certificate: dict[str, Any] | None, expected: set[str]) -> None:
    assert names(certificate) == expected
