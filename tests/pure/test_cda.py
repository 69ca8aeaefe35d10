"""Reading CDA documents: what a header says, and in how many ways it is written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from dhos_connector_api.deliveries.cda.document import LOCAL_NUMBER_ROOT, LONGEST_TITLE, Document, read
from dhos_connector_api.hl7v2.identifiers import MRN, NHS_NUMBER
from dhos_connector_api.site.model import IdentifierTable
from tests.builders.cda import NHS_ROOT, cda, patient_id

TABLE = IdentifierTable()
NHS = patient_id("9434765919", NHS_ROOT)


def header(content: str, table: IdentifierTable = TABLE) -> Document:
    return read(content, table=table, zone=UTC)


def identifiers(*patients: str, table: IdentifierTable = TABLE) -> list[tuple[str, str]]:
    return list(header(cda(*patients), table).identifiers)


def test_the_header_says_whose_document_it_is() -> None:
    found = header(
        cda(
            patient_id("943 476 5919", NHS_ROOT) + patient_id("K12345"),
            document_id="<id root='1.2.3' extension='D1'/>",
            title="<title>\n  Discharge <b>letter</b>  for\tGP </title>",
            time="20260131093000+0100",
        )
    )
    assert found == Document(
        identifiers=((NHS_NUMBER, "9434765919"), (MRN, "K12345")),
        document_id="1.2.3^D1",
        title="Discharge letter for GP",
        code="373942005",
        time=datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=1))),
    )


def _prefixed(text: str) -> str:
    return (
        text.replace("<", "<c:").replace("<c:/", "</c:").replace("<c:?", "<?").replace("xmlns=", "xmlns:c=")
    )


REWRITES: dict[str, Callable[[str], str]] = {
    "no namespace": lambda text: text.replace(" xmlns='urn:hl7-org:v3'", ""),
    "byte order mark": lambda text: "\ufeff" + text,
    "no XML declaration": lambda text: text.partition("?>\n")[2],
    "UTF-16 declared": lambda text: text.replace("UTF-8", "UTF-16"),
    "UTF-7 declared": lambda text: text.replace("UTF-8", "UTF-7"),
    "an unknown encoding declared": lambda text: text.replace("UTF-8", "nonsense"),
    "XML 1.1": lambda text: text.replace('version="1.0"', 'version="1.1"'),
    "prefixes": _prefixed,
    "CR LF": lambda text: text.replace("\n", "\r\n"),
    "comments and instructions": lambda text: text.replace("><", ">\n <!-- & --><?an instruction?><"),
}


@pytest.mark.parametrize("name", REWRITES)
def test_the_same_document_is_written_in_many_ways(name: str) -> None:
    text = cda()
    rewritten = REWRITES[name](text)
    assert rewritten != text
    assert header(rewritten) == header(text)
    assert len(header(text).identifiers) == 2


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (NHS, [(NHS_NUMBER, "9434765919")]),
        (NHS + patient_id("K1"), [(NHS_NUMBER, "9434765919"), (MRN, "K1")]),
        (patient_id("K1"), [(MRN, "K1")]),
        (patient_id("K1", authority="Royal Berkshire"), [(MRN, "K1")]),
        (patient_id(" K1 ", authority="mrn") + patient_id("X2"), [(MRN, "K1")]),
        (patient_id("X2") + patient_id("K1", LOCAL_NUMBER_ROOT), [(MRN, "K1")]),
        (patient_id("943 476 5919", authority="nhs"), [(NHS_NUMBER, "9434765919")]),
        (patient_id("9434765919", authority="NHSNBR"), [(NHS_NUMBER, "9434765919")]),
        (patient_id("9434765918", NHS_ROOT), []),
        (patient_id("9434765918", authority="NHS") + patient_id("K1"), [(MRN, "K1")]),
        (patient_id("943&#160;476-5919", NHS_ROOT), [(NHS_NUMBER, "9434765919")]),
        (patient_id("UNKNOWN"), []),
        (patient_id("K&#8203;1 2"), [(MRN, "K12")]),
        (patient_id("X1") + patient_id("X2"), []),
        (NHS + patient_id("X1") + patient_id("X2"), [(NHS_NUMBER, "9434765919")]),
        (NHS + NHS, [(NHS_NUMBER, "9434765919")]),
        (patient_id(None), []),
        (patient_id(""), []),
        (patient_id("  "), []),
        (patient_id('""'), []),
        (patient_id("K" * 256), []),
        (patient_id("K" * 255), [(MRN, "K" * 255)]),
        ("<id nullFlavor='NI' root='1.2.3' extension='K1'/>", []),
        ("<id/>", []),
        ("", []),
    ],
)  # fmt: skip
def test_ids_are_told_apart_by_who_gave_them_out(ids: str, found: list[tuple[str, str]]) -> None:
    assert identifiers(ids) == found


def test_the_sites_table_names_roots_and_authorities() -> None:
    table = IdentifierTable(
        mrn_authorities=frozenset({"1.2.826.0.1", "rbh"}), nhs_authorities=frozenset({"Spine"})
    )
    ids = patient_id("K1", "1.2.826.0.1") + patient_id("X1") + patient_id("X2")
    assert identifiers(ids, table=table) == [(MRN, "K1")]
    assert identifiers(patient_id("K1", authority="RBH") + patient_id("X1"), table=table) == [(MRN, "K1")]
    spine = patient_id("943 476 5919", authority="Spine")
    assert identifiers(spine, table=table) == [(NHS_NUMBER, "9434765919")]


def test_of_several_unknown_ids_the_first_is_taken_only_where_the_site_says_so() -> None:
    table = IdentifierTable(mrn_first_repetition=True)
    ids = NHS + patient_id("K1") + patient_id("K2")
    assert identifiers(ids, table=table) == [(NHS_NUMBER, "9434765919"), (MRN, "K1")]


def test_every_patient_of_a_document_is_found() -> None:
    assert identifiers(NHS, patient_id("K2"), patient_id("K3")) == [
        (NHS_NUMBER, "9434765919"),
        (MRN, "K2"),
        (MRN, "K3"),
    ]


def test_ids_elsewhere_are_no_patients() -> None:
    elsewhere = f"<patientRole>{NHS}</patientRole><recordTarget>{NHS}</recordTarget>"
    deeper = f"<recordTarget><patientRole><x>{NHS}</x></patientRole></recordTarget>"
    other = f"<recordTarget><patientRole xmlns='urn:other'>{NHS}</patientRole></recordTarget>"
    text = cda("", body=f"<recordTarget><patientRole>{NHS}</patientRole></recordTarget>")
    assert header(text.replace("<author>", f"{elsewhere}{deeper}{other}<author>")).identifiers == ()


@pytest.mark.parametrize(
    ("given_id", "found"),
    [
        ("<id root='1.2.3' extension='D 1'/>", "1.2.3^D 1"),
        ("<id root='db734647-fc99-424c-a864-7e3cda82e703'/>", "db734647-fc99-424c-a864-7e3cda82e703"),
        ("<id extension='D1'/>", "D1"),
        ("<id nullFlavor='UNK'/>", ""),
        ("", ""),
        (f"<id root='1.2.3' extension='{'D' * 255}'/>", ""),
        (f"<id root='1.2.3' extension='{'D' * 2000}'/>", "1.2.3"),
        ("<id extension='D1'/><id extension='D2'/>", "D1"),
    ],
)
def test_a_document_is_known_by_its_first_id(given_id: str, found: str) -> None:
    assert header(cda(document_id=given_id)).document_id == found


@pytest.mark.parametrize(
    ("time", "found"),
    [
        ("20260131", datetime(2026, 1, 31, tzinfo=ZoneInfo("Europe/London"))),
        ("20260701093000", datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
        ("20260701093000.123+0530", datetime(2026, 7, 1, 4, 0, 0, 123000, tzinfo=UTC)),
        ("202607", None),
        ("20261331", None),
        ("00010101", None),
        ("99991231235959-1200", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_effective_time_is_read_in_the_sites_zone(time: str, found: datetime | None) -> None:
    text = cda(time="#").replace("#", time)
    assert read(text, table=TABLE, zone=ZoneInfo("Europe/London")).time == found


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("", ""),
        ("<title/>", ""),
        ("<title nullFlavor='NI'> \n </title>", ""),
        ("<title>&lt;b&gt; &#x48;&amp;<![CDATA[<i>]]></title>", "<b> H&<i>"),
        ("<title/><title>second</title>", "second"),
        ("<title>first</title><title>second</title>", "first"),
        (f"<title>{'t' * (LONGEST_TITLE + 1)}</title>", "t" * LONGEST_TITLE),
        (f"<title>{' ' * 100_000}t</title>", ""),
    ],
)
def test_a_title_is_one_line(title: str, found: str) -> None:
    assert header(cda(title=title)).title == found


@pytest.mark.parametrize(
    "content",
    ["<x/>", "<PRPA_IN201301UV02 xmlns='urn:hl7-org:v3'/>", "<ClinicalDocument xmlns='urn:other'/>",
     "<clinicaldocument xmlns='urn:hl7-org:v3'/>", f"<wrapper>{cda(head='').partition('?>')[2]}</wrapper>"],
)  # fmt: skip
def test_any_other_root_passes_and_says_nothing(content: str) -> None:
    assert header(content) == Document()
