"""CDA documents for tests, shaped like real ones: each call gives one with an id and a patient of its own."""

import itertools
from datetime import UTC, datetime, timedelta

from tests.builders.numbers import NhsNumbers

_numbers = itertools.count(1)
_nhs_numbers = NhsNumbers()
_BEGIN = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

NHS_ROOT = "2.16.840.1.113883.2.1.4.1"
HOSPITAL_ROOT = "2.16.840.1.113883.19.5"


def patient_id(extension: str | None, root: str = HOSPITAL_ROOT, authority: str | None = None) -> str:
    """One id of a patientRole; None leaves an attribute out."""
    given = {"root": root, "extension": extension, "assigningAuthorityName": authority}
    return f"<id {' '.join(f'{name}={value!r}' for name, value in given.items() if value is not None)}/>"


def cda(
    *patients: str,
    document_id: str | None = None,
    title: str = "<title>Discharge letter</title>",
    time: str | None = None,
    head: str = '<?xml version="1.0" encoding="UTF-8"?>\n',
    body: str = "",
) -> str:
    """A document about these patients (each the ids of one patientRole), by default about one of its own."""
    number = next(_numbers)
    if not patients:
        patients = (patient_id(next(_nhs_numbers), NHS_ROOT) + patient_id(f"MRN{number}"),)
    moment = time or (_BEGIN + timedelta(minutes=number)).strftime("%Y%m%d%H%M%S+0000")
    own_id = f"<id root='2.16.840.1.113883.19.4' extension='D{number}'/>"
    targets = "".join(
        f"<recordTarget><patientRole>{ids}<patient><name><given>Ada</given><family>Test</family></name>"
        "</patient></patientRole></recordTarget>"
        for ids in patients
    )
    return (
        f"{head}<?xml-stylesheet type='text/xsl' href='http://stylesheets.invalid/CDA.xsl'?>\n"
        "<ClinicalDocument xmlns='urn:hl7-org:v3' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
        " xsi:schemaLocation='urn:hl7-org:v3 http://schemas.invalid/CDA.xsd'>\n"
        "<typeId root='2.16.840.1.113883.1.3' extension='POCD_HD000040'/>"
        f"{own_id if document_id is None else document_id}"
        "<code code='373942005' codeSystem='2.16.840.1.113883.6.96' displayName='Discharge summary'/>"
        f"{title}<effectiveTime value='{moment}'/>"
        "<confidentialityCode code='N' codeSystem='2.16.840.1.113883.5.25'/>"
        f"{targets}<author><time value='{moment}'/><assignedAuthor><id root='1.2.3' extension='A1'/>"
        "</assignedAuthor></author><component><structuredBody><component><section>"
        f"<title>Plan</title><text>Rest &amp; <content>fluids</content></text>{body}"
        "</section></component></structuredBody></component></ClinicalDocument>"
    )
