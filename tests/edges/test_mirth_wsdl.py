"""WSDLs as other installations of Mirth have them, and such as cannot be used."""

from collections.abc import Callable, Iterator

import pytest

from dhos_connector_api import clock
from dhos_connector_api.deliveries.rules.outcome import DeliveryFailed, Kind
from dhos_connector_api.deliveries.transports.wsdl import MOST_FILES, MOST_GROUPS, OneHost
from fakes.mirth import NAMESPACE, PATH, WSDL, XSD, FakeMirth
from tests.builders.mirth import PASSWORD, failure, outgoing, running_mirth, transport

Pages = dict[str, str]
_SCHEMA = XSD.partition("?>")[2]
_IMPORT = f'<xsd:import namespace="{NAMESPACE}" schemaLocation="INSIDE{PATH}?xsd=1"/>'
_ADDRESS = f'location="INSIDE{PATH}"/>\n    </port>'
_ELEMENT = "<xs:element"
assert _IMPORT in WSDL
assert _ADDRESS in WSDL


@pytest.fixture
def mirth() -> Iterator[FakeMirth]:
    with running_mirth() as fake:
        yield fake


def wsdl(old: str, new: str) -> Pages:
    """The usual pages, with something else in the WSDL."""
    assert old in WSDL
    return {f"{PATH}?wsdl": WSDL.replace(old, new), f"{PATH}?xsd=1": XSD}


def xsd(content: str) -> Pages:
    return {f"{PATH}?wsdl": WSDL, f"{PATH}?xsd=1": content}


def imported() -> Pages:
    """Messages and binding in a WSDL of their own, which has the XSD, which includes another."""
    head, rest = WSDL.split("<service", 1)
    outer = f'{head[: head.index("<types>")]}<import namespace="{NAMESPACE}" location="INSIDE{PATH}?wsdl=1"/>'
    chameleon = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="more" type="xs:int"/>'
    )
    return {
        f"{PATH}?wsdl": f"{outer}<service{rest}",
        f"{PATH}?wsdl=1": f"{head}</definitions>",
        f"{PATH}?xsd=1": XSD.replace(_ELEMENT, '<xs:include schemaLocation="more.xsd"/><xs:element', 1),
        "/services/more.xsd": f"{chameleon}</xs:schema>",
    }


_OTHER_PORT = """<port name="HttpPort" binding="tns:HttpBinding"><http:address
    xmlns:http="http://schemas.xmlsoap.org/wsdl/http/" location="INSIDE/get"/></port><port"""
_HTTP_BINDING = """<binding name="HttpBinding" type="tns:DefaultAcceptMessage"><http:binding verb="GET"
    xmlns:http="http://schemas.xmlsoap.org/wsdl/http/"/></binding><service"""

USABLE: dict[str, Callable[[], Pages]] = {
    "as JAX-WS makes it": lambda: wsdl("", ""),
    "everything in one file": lambda: wsdl(f"<xsd:schema>\n    {_IMPORT}\n  </xsd:schema>", _SCHEMA),
    "a relative import": lambda: wsdl(f"INSIDE{PATH}?xsd=1", "Mirth?xsd=1"),
    "an import with a user": lambda: wsdl("INSIDE/services/Mirth?xsd", "http://me@mirth.invalid/services/Mirth?xsd"),
    "an import over https": lambda: wsdl("INSIDE/services/Mirth?xsd", "https://mirth.invalid:8443/services/Mirth?xsd"),
    "an address over https": lambda: wsdl(_ADDRESS, _ADDRESS.replace("INSIDE", "https://mirth.invalid")),
    "a relative address": lambda: wsdl(_ADDRESS, _ADDRESS.replace(f"INSIDE{PATH}", "Mirth")),
    "an empty address": lambda: wsdl(_ADDRESS, _ADDRESS.replace(f"INSIDE{PATH}", "")),
    "no address": lambda: wsdl(f'<soap:address {_ADDRESS.partition("/>")[0]}/>', ""),
    "no WS-Addressing": lambda: wsdl("wsam:Action", "name"),
    "SOAP 1.2": lambda: wsdl("wsdl/soap/", "wsdl/soap12/"),
    "another port first": lambda: {
        **wsdl("<service", _HTTP_BINDING),
        f"{PATH}?wsdl": WSDL.replace("<service", _HTTP_BINDING).replace("<port", _OTHER_PORT),
    },
    "a WSDL that imports another": imported,
    "a BOM": lambda: {path: "\ufeff" + page for path, page in wsdl("", "").items()},
    "types it does not need": lambda: xsd(XSD.replace(_ELEMENT, f"<xs:complexType name='t'/>{_ELEMENT}", 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", USABLE)
def test_a_wsdl_that_has_the_operation_is_used(mirth: FakeMirth, name: str) -> None:
    mirth.pages = USABLE[name]()
    assert transport(mirth)(outgoing("<a>ü</a>")).http_status == 200
    assert mirth.taken == ["<a>ü</a>"]


def many_files() -> Pages:
    """Each XSD includes one more, without end."""
    pages = xsd(XSD.replace(_ELEMENT, '<xs:include schemaLocation="/0.xsd"/><xs:element', 1))
    head = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
    for number in range(2 * MOST_FILES):
        pages[f"/{number}.xsd"] = f'{head}<xs:include schemaLocation="/{number + 1}.xsd"/></xs:schema>'
    return pages


def doubling(kind: str) -> Pages:
    """Groups that each refer to the next one twice: as billion laughs, but in a schema."""
    refs = [f'<xs:{kind} ref="tns:g{n + 1}"/>' * 2 for n in range(40)]
    inner = [f"<xs:sequence>{ref}</xs:sequence>" if kind == "group" else ref for ref in refs]
    groups = "".join(f'<xs:{kind} name="g{n}">{ref}</xs:{kind}>' for n, ref in enumerate(inner))
    assert groups.count("ref=") > MOST_GROUPS
    return xsd(XSD.replace(_ELEMENT, f"{groups}<xs:element", 1))


UNUSABLE: dict[str, Callable[[], Pages]] = {
    "nothing": lambda: {f"{PATH}?wsdl": ""},
    "a page of HTML": lambda: {f"{PATH}?wsdl": "<html><body><br></body></html>"},
    "JSON": lambda: {f"{PATH}?wsdl": '{"wsdl": 1}'},
    "a WSDL of nothing": lambda: {f"{PATH}?wsdl": '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>'},
    "other XML": lambda: {f"{PATH}?wsdl": "<a><b/></a>"},
    "no such operation": lambda: wsdl('operation name="acceptMessage"', 'operation name="other"'),
    "no argument arg0": lambda: xsd(XSD.replace("arg0", "arg1")),
    "more arguments": lambda: xsd(XSD.replace('nOccurs="0"/>', 'nOccurs="0"/><xs:element name="b"/>', 1)),
    "a type that is not there": lambda: xsd(XSD.replace('type="tns:acceptMessage"', 'type="tns:other"')),
    "a type of itself": lambda: xsd(XSD.replace("xs:string", "tns:acceptMessage")),
    "a transport that is not HTTP": lambda: wsdl("soap/http", "soap/smtp"),
    "no service": lambda: wsdl(WSDL[WSDL.index("<service"):WSDL.index("</definitions>")], ""),
    "an XSD that is not there": lambda: {f"{PATH}?wsdl": WSDL},
    "a file": lambda: wsdl(f"INSIDE{PATH}?xsd=1", "file:///etc/passwd"),
    "a Windows path": lambda: wsdl(f"INSIDE{PATH}?xsd=1", "C:\\mirth\\x.xsd"),
    "FTP": lambda: wsdl(f"INSIDE{PATH}?xsd=1", "ftp://mirth.invalid/x.xsd"),
    "no address at all": lambda: wsdl(f"INSIDE{PATH}?xsd=1", "http://["),
    "an address that is a script": lambda: wsdl(_ADDRESS, _ADDRESS.replace(f"INSIDE{PATH}", "javascript:x")),
    "a SOAP action with a line end": lambda: wsdl('soapAction=""', 'soapAction="a&#10;X-Evil: b"'),
    "a SOAP action that fits no header": lambda: wsdl('soapAction=""', 'soapAction="&#x20AC;"'),
    "XML's own schema": lambda: xsd(
        XSD.replace(_ELEMENT, f'<xs:import namespace="http://www.w3.org/XML/1998/namespace"/>{_ELEMENT}', 1)
    ),
    "SOAP's own encoding": lambda: xsd(
        XSD.replace("xs:string", "e:string").replace(
            "<xs:schema", '<xs:schema xmlns:e="http://schemas.xmlsoap.org/soap/encoding/"'
        )
    ),
    "files without end": many_files,
    "a file too long": lambda: xsd(f"{XSD}<!--{'x' * 990_000}--><!--{'x' * 20_000}-->"),
    "a file too long to be fetched": lambda: xsd(f"{XSD}{' ' * 1_100_000}"),
    "groups that double": lambda: doubling("group"),
    "attribute groups that double": lambda: doubling("attributeGroup"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_wsdl_that_cannot_be_used_may_be_mended(mirth: FakeMirth, name: str) -> None:
    good, mirth.pages = mirth.pages, UNUSABLE[name]()
    send = transport(mirth)
    failed = failure(send)
    assert (failed.kind, failed.detail) == (Kind.TRANSIENT, None)
    assert "WSDL" in failed.text
    assert mirth.behaviours.attempts() == []
    assert len(mirth.described) <= MOST_FILES + 1
    mirth.pages = good
    assert transport(mirth)(outgoing()).http_status == 200


def one_host() -> OneHost:
    until = clock.monotonic() + 5
    return OneHost("https://mirth.test:8443/services/Mirth", "<a/>", {}, until=until, now=clock.now)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://inside:8081/services/Mirth?xsd=1", "https://mirth.test:8443/services/Mirth?xsd=1"),
        ("https://me:secret@inside/a%20b", "https://mirth.test:8443/a%20b"),
        ("http://inside", "https://mirth.test:8443/"),
        ("HTTP://inside/a b/ü?q=a b&c=ü#part", "https://mirth.test:8443/a%20b/%C3%BC?q=a%20b&c=%C3%BC"),
        ("http://inside//evil.test/x", "https://mirth.test:8443//evil.test/x"),
        ("http://inside/..//@evil.test/", "https://mirth.test:8443/..//@evil.test/"),
        ("http://inside\\@evil.test/x", "https://mirth.test:8443/x"),
        ("http://inside/a\r\nX: y", "https://mirth.test:8443/aX:%20y"),
    ],
)
def test_only_path_and_query_of_an_address_are_kept(url: str, found: str) -> None:
    assert one_host().here(url) == found


@pytest.mark.parametrize("url", ["", "/x", "file:///x", "ftp://h/", "mailto:a@b", "http:x:y@[", "data:,x"])
def test_what_is_not_http_is_nowhere(url: str) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        one_host().load(url)
    assert caught.value.kind is Kind.TRANSIENT


def test_zeep_has_no_other_way_out() -> None:
    assert not hasattr(one_host(), "session")
    with pytest.raises(DeliveryFailed):
        one_host().get("https://mirth.test:8443/", None, None)


def test_a_document_that_zeep_would_not_send_whole_is_not_sent(mirth: FakeMirth) -> None:
    mirth.pages = xsd(XSD.replace("xs:string", "xs:boolean"))
    assert failure(transport(mirth)).text == "its WSDL cannot be used (ValueError)"


def test_the_password_goes_with_every_request(mirth: FakeMirth) -> None:
    failed = failure(transport(mirth, password=PASSWORD + "x"))
    assert (failed.kind, failed.http_status, mirth.described) == (Kind.PERMANENT, 401, [])
