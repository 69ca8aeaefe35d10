"""CDA documents (HL7 CDA release 2): whether one may go out as it is, and what its header says.

Any harmless XML may: the predecessor forwarded whatever it was given, and the type HL7v3CDA also covers
wrappers around a document. Only a root that is a ClinicalDocument, in urn:hl7-org:v3 or in no
namespace, has a header to read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, datetime, tzinfo

from dhos_connector_api.actions.hl7.facts import indexable, storable
from dhos_connector_api.deliveries.cda.plain_xml import Path, read_plain
from dhos_connector_api.errors import BadInput
from dhos_connector_api.hl7v2.datetimes import Precision, parse
from dhos_connector_api.hl7v2.identifier_values import nhs_number, plain
from dhos_connector_api.hl7v2.identifiers import MRN, NHS_NUMBER, capitals, told
from dhos_connector_api.site.model import IdentifierTable

#: The NHS number's own OID, and that of a number a hospital gives out (NHS Interoperability Toolkit).
NHS_NUMBER_ROOT = "2.16.840.1.113883.2.1.4.1"
LOCAL_NUMBER_ROOT = "2.16.840.1.113883.2.1.3.2.4.18.24"

#: Characters; the rest of a longer one is left out.
LONGEST_TITLE = 1000
#: Of all patients of one document; real ones have some three.
MOST_IDENTIFIERS = 100

_NAMESPACE = "urn:hl7-org:v3 "
_ROOT = "ClinicalDocument"


@dataclass(frozen=True, slots=True)
class Document:
    """The facts of a header, fit to be stored and searched; '' where it says nothing.

    `identifiers` are (type, value), each once. `document_id` is `root^extension` of the id, or the
    one of them that is there; `code` is the document type's. `time` is
    effectiveTime, aware, or None when it is missing, impossible or only a year or month.
    """

    identifiers: tuple[tuple[str, str], ...] = ()
    document_id: str = ""
    title: str = ""
    code: str = ""
    time: datetime | None = None


def read(content: str, *, table: IdentifierTable, zone: tzinfo) -> Document:
    """Check a document and read its header; a time without an offset is in `zone`.

    The encoding an XML declaration names is that of bytes, and the content is text already. Raises
    BadInput, quoting nothing: not well-formed, or anything in it that could reach beyond it.
    """
    try:
        encoded = content.encode()
    except UnicodeEncodeError:
        raise BadInput("the XML has half of a surrogate pair") from None
    header = _Header(table, zone)
    read_plain(encoded, header, "utf-8")
    return header.document()


@dataclass(frozen=True, slots=True)
class _Id:
    """An id of a patient (data type II): the OID or UUID of who gave it out, the number, their name."""

    root: str
    extension: str
    authority: str


@dataclass(slots=True)
class _Header:
    """Collects what a header says while the document is read; the first of what may stand there once."""

    table: IdentifierTable
    zone: tzinfo
    deepest: int = 4  # ClinicalDocument/recordTarget/patientRole/id
    longest_text: int = 10 * LONGEST_TITLE  # white space included
    title: str = ""
    seen: dict[str, str] = field(default_factory=dict)
    patients: list[list[_Id]] = field(default_factory=list)
    count: int = 0
    places: Mapping[Path, Callable[[Mapping[str, str]], None]] = field(default_factory=dict)
    title_path: Path = ()

    def opened(self, path: Path, attributes: dict[str, str]) -> bool:
        """Note the attributes of the elements we know; True for the first title."""
        if len(path) == 1:
            self._begin(path[0])
        elif note := self.places.get(path):
            note(attributes)
        return path == self.title_path and not self.title

    def closed(self, path: Path, text: str) -> None:
        """Note the title, on one line."""
        self.title = storable(" ".join(text.split())[:LONGEST_TITLE])

    def document(self) -> Document:
        """Return everything the document said."""
        found = dict.fromkeys(pair for ids in self.patients for pair in _named(ids, self.table))
        said = self.seen.get
        whole_id = "^".join(part for part in (said("id root"), said("id extension")) if part)
        return Document(
            identifiers=tuple(found),
            document_id=whole_id if indexable(whole_id) else "",
            title=self.title,
            code=said("code code", ""),
            time=_time(said("effectiveTime value", ""), self.zone),
        )

    def _begin(self, root: str) -> None:
        """Know where to look, once the root says in which namespace."""
        if root not in (_ROOT, _NAMESPACE + _ROOT):
            return
        names = root.removesuffix(_ROOT)
        role = (root, f"{names}recordTarget", f"{names}patientRole")
        self.title_path = (root, f"{names}title")
        self.places = {
            (root, f"{names}id"): self._note("id", "root", "extension"),
            (root, f"{names}code"): self._note("code", "code"),
            (root, f"{names}effectiveTime"): self._note("effectiveTime", "value"),
            role: lambda _: self.patients.append([]),
            (*role, f"{names}id"): self._patient_id,
        }

    def _note(self, element: str, *names: str) -> Callable[[Mapping[str, str]], None]:
        """A function that keeps these attributes of the first such element."""

        def note(attributes: Mapping[str, str]) -> None:
            for name in names:
                self.seen.setdefault(f"{element} {name}", _usable(attributes.get(name, "")))

        return note

    def _patient_id(self, attributes: Mapping[str, str]) -> None:
        value = _usable(attributes.get("extension", ""))
        if value and "nullFlavor" not in attributes and self.count < MOST_IDENTIFIERS:
            self.count += 1
            root, authority = attributes.get("root", ""), attributes.get("assigningAuthorityName", "")
            self.patients[-1].append(_Id(_usable(root), value, _usable(authority)))


def _usable(value: str) -> str:
    """An attribute as it can be stored; '' for one that is too long to be searched for."""
    value = storable(value)
    return value if indexable(value) else ""


def _named(ids: list[_Id], table: IdentifierTable) -> list[tuple[str, str]]:
    """The MRNs and NHS numbers among one patient's ids, in the order they were sent.

    The table's authorities and types decide, as for PID-3. Where nothing is an MRN by them, the one
    id that is no NHS number is: a patientRole's id is by its definition the number by which the
    organisation knows the patient. Of several none is picked, unless the site says the first.
    """
    read = [_told(each, table) for each in ids]
    kinds = [kind for kind, _ in read]
    others = [index for index, (kind, value) in enumerate(read) if value and not kind]
    if MRN not in kinds and others and (len(others) == 1 or table.mrn_first_repetition):
        kinds[others[0]] = MRN
    return [(kind, value) for kind, (_, value) in zip(kinds, read, strict=True) if kind]


def _told(one: _Id, table: IdentifierTable) -> tuple[str, str]:
    """MRN, NHS_NUMBER, or '' where nothing tells; and the value, '' where it is no identifier.

    The root is what CX.4.2 is in PID-3; the authority's name stands for CX.4.1, and for the type code.
    """
    value, root, name = plain(one.extension), one.root.upper(), one.authority.upper()
    if root == NHS_NUMBER_ROOT or name in capitals(table.nhs_authorities | table.nhs_types):
        number = nhs_number(value)
        return (NHS_NUMBER, number) if number else ("", "")
    kind, value, _ = told(value, {root, name} - {""}, name, table)
    if not value:
        return "", ""
    return kind or (MRN if root == LOCAL_NUMBER_ROOT else ""), value


def _time(value: str, zone: tzinfo) -> datetime | None:
    """A time stamp (data type TS); None too in the first and last year, which other zones do not reach."""
    stamp = parse(value, zone)
    if stamp is None or stamp.precision < Precision.DAY or not MINYEAR < stamp.value.year < MAXYEAR:
        return None
    return stamp.value
