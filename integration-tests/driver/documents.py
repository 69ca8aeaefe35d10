"""Builders of CDA documents: harmless ones, and ones that nobody should take."""

from dataclasses import dataclass, field
from hashlib import sha256
from uuid import uuid4

from driver.messages import Patient

#: OIDs of the NHS Interoperability Toolkit: a number that a hospital gives out, the NHS number.
_LOCAL, _NHS = "2.16.840.1.113883.2.1.3.2.4.18.24", "2.16.840.1.113883.2.1.4.1"


@dataclass(frozen=True)
class Document:
    """A discharge summary, with line ends and characters that a careless carrier changes."""

    patient: Patient
    root: str = field(default_factory=lambda: str(uuid4()).upper())
    prologue: str = ""  # between the XML declaration and the root element
    body: str = "<text>  Fit to go home: caf\u00e9, 50 \u00b5g &lt;daily&gt;,\r\n\ttwo\u00a0spaces  </text>"

    destination = "mirth"

    @property
    def control_id(self) -> str:
        """The document's id, by which it is found."""
        return self.root

    @property
    def key(self) -> str:
        """What fakes/mirth.py knows it by."""
        return sha256(self.content.encode()).hexdigest()

    def is_in(self, text: str) -> bool:
        """Whether that is this document, changed or not."""
        return self.root in text

    @property
    def content(self) -> str:
        """The document as text."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\r\n{self.prologue}<!-- kept as it is -->\r\n'
            '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xi="http://www.w3.org/2001/XInclude">\r\n'
            f'  <id root="{self.root}"/>\r\n  <title>Discharge summary</title>\r\n'
            '  <effectiveTime value="20260131120000+0000"/>\r\n  <recordTarget><patientRole>\r\n'
            f'    <id root="{_LOCAL}" extension="{self.patient.mrn}"/>\r\n'
            f'    <id root="{_NHS}" extension="{self.patient.nhs_number}"/>\r\n'
            f"  </patientRole></recordTarget>\r\n  <component>{self.body}</component>\r\n</ClinicalDocument>"
        )


def hostile(kind: str, patient: Patient) -> Document:
    """A document that must not be taken, by what is wrong with it."""
    doctypes = {
        "a document type": "<!DOCTYPE ClinicalDocument>",
        "an external document type": '<!DOCTYPE ClinicalDocument SYSTEM "http://elsewhere.example/cda.dtd">',
        "an entity of a file": '<!DOCTYPE ClinicalDocument [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        "an entity of its own": '<!DOCTYPE ClinicalDocument [<!ENTITY e "a">]>',
        "a parameter entity": '<!DOCTYPE ClinicalDocument [<!ENTITY % e SYSTEM "http://e.example/"> %e;]>',
    }
    bodies = {
        "an entity of a file": "<text>&e;</text>",
        "an entity of its own": "<text>&e;</text>",
        "an inclusion": '<xi:include href="file:///etc/hostname" parse="text"/>',
        "an element that is not closed": "<text>",
    }
    return Document(patient, prologue=doctypes.get(kind, ""), body=bodies.get(kind, "<text/>"))
