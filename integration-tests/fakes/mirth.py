"""A Mirth Connect that takes documents by SOAP, as its web service listener does, and can misbehave.

Run `python -m fakes.mirth`. MIRTH_LISTEN is `host:port`; MIRTH_USERNAME and MIRTH_PASSWORD are what the
Connector has to come with; the service is at `/services/Mirth`. Its WSDL and XSD name an address inside
the hospital, which is the tripwire. A document's key is the SHA-256 of its text. Besides what every
fake can (`control.py`): `accept` takes a document, `lost` takes it and resets, `ack AE` takes it and
returns a negative HL7 ACK, `client fault` and `server fault` are SOAP's, `not soap` is a page of HTML.
"""

import base64
import os
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from fakes.control import Fake, FakeHandler, listen_address

PATH = "/services/Mirth"
NAMESPACE = "http://ws.connectors.connect.mirth.com/"
#: What is returned for a document that was taken, and what a fault says.
RETURNED = "Message accepted"
NEGATIVE = "MSH|^~\\&|MIRTH|RBH|DHOS|DHOS|20260131||ACK|1|P|2.6\rMSA|AE|1|not on file\r"
REASON = "no such channel"

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
#: INSIDE stands for the address inside the hospital.
WSDL = f"""<?xml version='1.0' encoding='UTF-8'?>
<!-- Published by JAX-WS RI (http://jax-ws.java.net). RI's version is JAX-WS RI 2.3.1. -->
<definitions xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="{NAMESPACE}"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns="http://schemas.xmlsoap.org/wsdl/"
    targetNamespace="{NAMESPACE}" name="DefaultAcceptMessageService">
  <types><xsd:schema>
    <xsd:import namespace="{NAMESPACE}" schemaLocation="INSIDE{PATH}?xsd=1"/>
  </xsd:schema></types>
  <message name="acceptMessage"><part name="parameters" element="tns:acceptMessage"/></message>
  <message name="acceptMessageResponse">
    <part name="parameters" element="tns:acceptMessageResponse"/>
  </message>
  <portType name="DefaultAcceptMessage"><operation name="acceptMessage">
    <input wsam:Action="{NAMESPACE}DefaultAcceptMessage/acceptMessageRequest" message="tns:acceptMessage"/>
    <output wsam:Action="{NAMESPACE}DefaultAcceptMessage/acceptMessageResponse"
        message="tns:acceptMessageResponse"/>
  </operation></portType>
  <binding name="DefaultAcceptMessagePortBinding" type="tns:DefaultAcceptMessage">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>
    <operation name="acceptMessage">
      <soap:operation soapAction=""/>
      <input><soap:body use="literal"/></input>
      <output><soap:body use="literal"/></output>
    </operation>
  </binding>
  <service name="DefaultAcceptMessageService">
    <port name="DefaultAcceptMessagePort" binding="tns:DefaultAcceptMessagePortBinding">
      <soap:address location="INSIDE{PATH}"/>
    </port>
  </service>
</definitions>
"""
XSD = f"""<?xml version='1.0' encoding='UTF-8'?>
<xs:schema xmlns:tns="{NAMESPACE}" xmlns:xs="http://www.w3.org/2001/XMLSchema" version="1.0"
    targetNamespace="{NAMESPACE}">
  <xs:element name="acceptMessage" type="tns:acceptMessage"/>
  <xs:element name="acceptMessageResponse" type="tns:acceptMessageResponse"/>
  <xs:complexType name="acceptMessage"><xs:sequence>
    <xs:element name="arg0" type="xs:string" minOccurs="0"/>
  </xs:sequence></xs:complexType>
  <xs:complexType name="acceptMessageResponse"><xs:sequence>
    <xs:element name="return" type="xs:string" minOccurs="0"/>
  </xs:sequence></xs:complexType>
</xs:schema>
"""


def envelope(body: str) -> bytes:
    """A SOAP 1.1 envelope around a body."""
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><S:Envelope xmlns:S=\"{_SOAP}\">"
        f"<S:Body>{body}</S:Body></S:Envelope>"
    ).encode()


def response(returned: str) -> bytes:
    """What acceptMessage answers."""
    return envelope(
        f'<ns2:acceptMessageResponse xmlns:ns2="{NAMESPACE}"><return>{_text(returned)}</return>'
        "</ns2:acceptMessageResponse>"
    )


def fault(code: str, reason: str = REASON) -> bytes:
    """A SOAP 1.1 fault."""
    return envelope(
        f"<S:Fault><faultcode>S:{code}</faultcode><faultstring>{_text(reason)}</faultstring></S:Fault>"
    )


def _text(value: str) -> str:
    return escape(value, {"\r": "&#13;"})


class FakeMirth(Fake):
    """The engine; `taken` are the documents it has processed, in order, one taken twice twice.

    Without a user it is open to all, and takes nothing that comes with credentials.
    """

    def __init__(self, address: tuple[str, int], username: str | None, password: str | None) -> None:
        super().__init__(address, _Handler)
        credentials = f"{username}:{password}".encode()
        basic = f"Basic {base64.b64encode(credentials).decode()}"
        self.authorization = basic if username else None
        self.pages = {f"{PATH}?wsdl": WSDL, f"{PATH}?xsd=1": XSD}
        self.answers = {
            "accept": (200, response(RETURNED)),
            "ack AE": (200, response(NEGATIVE)),
            "client fault": (500, fault("Client")),
            "server fault": (500, fault("Server")),
            "not soap": (200, b"<html><body>Welcome to the hospital</body></html>"),
        }
        self.taken: list[str] = []
        self.described: list[str] = []  # WSDL and XSD, as they were asked for

    @property
    def base(self) -> str:
        """What MIRTH_HOST_URL_BASE has to be."""
        return self.url + PATH

    def shown(self) -> dict[str, Any]:
        """Also the documents that were taken, and the WSDL and XSD that were fetched."""
        return super().shown() | {"taken": list(self.taken), "described": list(self.described)}


def key_of(document: str) -> str:
    """The key that orders and attempts have for a document."""
    return sha256(document.encode()).hexdigest()


class _Handler(FakeHandler):
    """HTTP in front of the engine."""

    server: FakeMirth

    def do_GET(self) -> None:  # noqa: N802
        """Describe the service, to those who may know."""
        page = self.server.pages.get(self.path)
        if page is None:
            super().do_GET()
        elif self._is_known():
            self.server.described.append(self.path)
            inside = urlsplit(self.server.tripwire.url).netloc
            self.answer(200, page.replace("INSIDE", f"http://{inside}").encode(), "text/xml;charset=utf-8")

    def do_POST(self) -> None:  # noqa: N802
        """Take one document, or do with it what was ordered."""
        body = self.body()
        if self.path != PATH:
            self.answer(404)
        elif self._is_known():
            found = ElementTree.fromstring(body).find(f".//{{{NAMESPACE}}}acceptMessage/arg0")  # noqa: S314
            assert found is not None, "there is no arg0"
            self._behave(found.text or "")

    def _is_known(self) -> bool:
        """Whether name and password are right; whoever has others is sent away."""
        if self.headers.get("Authorization") == self.server.authorization:
            return True
        self.answer(401, headers={"WWW-Authenticate": 'Basic realm="Mirth"'})
        return False

    def _behave(self, document: str) -> None:
        request_id = self.headers.get("X-Request-ID", "")
        behaviour = self.server.behaviours.next_for(key_of(document), request_id)
        if behaviour in ("accept", "ack AE", "lost"):
            self.server.taken.append(document)
        if answer := self.server.answers.get(behaviour):
            self.answer(*answer, "text/xml")
        elif not self.fail("reset" if behaviour == "lost" else behaviour):
            raise ValueError(f"no such behaviour: {behaviour}")


def main() -> None:
    """Serve until the process is ended."""
    mirth = FakeMirth(
        listen_address("MIRTH_LISTEN"), os.environ["MIRTH_USERNAME"], os.environ["MIRTH_PASSWORD"]
    )
    mirth.serve_forever()


if __name__ == "__main__":
    main()
