"""A Mirth that answers every document with hostile XML: as its WSDL, as its XSD, or in SOAP."""

from fakes.mirth import PATH, WSDL, XSD, FakeMirth, key_of, response
from tests.builders.hostile_xml import Hostile, Shape, hostile


def _shape(name: str, page: str, root: str, place: str) -> Shape:
    """A page that is good as it is, with the place for text after `place`."""
    begin = page.index(f"<{root}")
    split = page.index(place) + len(place)
    return Shape(name, root, page[begin:split], page[split:])


_DESCRIBED = WSDL.replace("<types>", "<documentation></documentation><types>")
_ANNOTATED = XSD.replace(
    "<xs:element", "<xs:annotation><xs:documentation></xs:documentation></xs:annotation><xs:element", 1
)
#: What is sent, and the ways in which Mirth may answer.
CDA = Shape(
    "CDA",
    "ClinicalDocument",
    "<ClinicalDocument xmlns='urn:hl7-org:v3'><id root='1.2.3'/><title>",
    "</title><recordTarget><patientRole><id extension='1'/></patientRole></recordTarget></ClinicalDocument>",
)
WAYS = {
    "wsdl": _shape("WSDL", _DESCRIBED, "definitions", "<documentation>"),
    "xsd": _shape("XSD", _ANNOTATED, "xs:schema", "<xs:documentation>"),
    "soap": _shape("SOAP", response("").decode(), "S:Envelope", "<return>"),
}


def address(url: str, way: str, number: int) -> str:
    """The base address of the Mirth that answers in that way with the hostile document of that number."""
    return f"{url}{PATH}" if way == "soap" else f"{url}/{way}/{number}"


def document(way: str, number: int) -> str:
    """What has to be sent to get that answer."""
    return f"<document way='{way}' number='{number}'/>"


def answer_with(mirth: FakeMirth, way: str, *, trap: str, tripwire: str) -> list[Hostile]:
    """Make a Mirth answer in that way; the list of what it answers with."""
    every = hostile(WAYS[way], trap=trap, tripwire=tripwire)
    for number, each in enumerate(every):
        if way == "soap":
            mirth.answers[each.name] = (200, each.content.encode(errors="replace"))
            mirth.behaviours.give([each.name], key=key_of(document(way, number)))
        elif way == "wsdl":
            mirth.pages[f"/wsdl/{number}?wsdl"] = each.content
        else:
            mirth.pages[f"/xsd/{number}?wsdl"] = WSDL.replace(f"{PATH}?xsd=1", f"/xsd/{number}.xsd")
            mirth.pages[f"/xsd/{number}.xsd"] = each.content
    return every
