"""The message every measurement sends: an ordinary admission, with a control id and a patient of its own."""

import base64
import json
from itertools import islice

from benchmarks.load import post
from dhos_connector_api.simulate.hospital.people import nhs_numbers

PATIENTS = 50_000
#: With right check digits: others are not kept.
NHS_NUMBERS = list(islice(nhs_numbers(1), PATIENTS))

_ADMISSION = """MSH|^~\\&|CERNER|NOC|DHOS|OXON|20240131120000||ADT^A01^ADT_A01|{control_id}|P|2.3||||||8859/1
EVN|A01|20240131120000||REG_INPAT|||20240131115900
PID|1|{mrn}|{mrn}^^^NOC-MRN^MRN~{nhs_number}^^^NHS^NHSNBR||BENCHMARK^PERSON^MIDDLE^^MR||19700131|M|||1 High Street^^Oxford^^OX1 1AA^GBR^HOME||01865 123456^HOME|||M|C22|{visit}
PD1|||JERICHO HEALTH CENTRE^^K84080|G8421952^PRACTICE^DOCTOR^A^^DR
NK1|1|BENCHMARK^RELATIVE^^^MRS|SPOUSE|1 High Street^^Oxford^^OX1 1AA^GBR|01865 123457
PV1|1|INPATIENT|NOC-WARD A^BAY 1^BED 2^NOC^^BED^MAIN|22|||C1524970^CONSULTANT^ATTENDING^A^^MR|C1524971^CONSULTANT^REFERRING^B^^MS||110|||||19|||INPATIENT|{visit}^^^ENC|||||||||||||||||19||||NOC||ACTIVE|||20240131115900
PV2|||HIP REPLACEMENT^HIP REPLACEMENT|||||20240204
AL1|1|DRUG|PENICILLIN^PENICILLIN|MODERATE|RASH
DG1|1||M16.1^OSTEOARTHRITIS OF HIP^ICD10|||ADMITTING
OBX|1|ST|HEIGHT^HEIGHT||181|cm|||||F|||20240131115900
OBX|2|ST|WEIGHT^WEIGHT||82|kg|||||F|||20240131115900
ROL|1|AD|ATTENDING|C1524970^CONSULTANT^ATTENDING^A^^MR|20240131115900||||HOSPITAL|1 Hospital Road^^Oxford^^OX3 7LD^GBR
GT1|1||BENCHMARK^PERSON^MIDDLE^^MR||1 High Street^^Oxford^^OX1 1AA^GBR|01865 123456||19700131|M||SELF
IN1|1|NHS^NATIONAL HEALTH SERVICE|NHS01|NATIONAL HEALTH SERVICE|1 Quarry House^^Leeds^^LS2 7UE^GBR||0113 2545000|||||20240101|20241231|||BENCHMARK^PERSON|SELF|19700131
ZBE|{visit}^ENC|20240131115900||INSERT|N|NOC-WARD A^BAY 1^BED 2^NOC
ZPI|1|NOC|ACTIVE||REGISTERED^PRACTICE^DOCTOR||N|Y||ENGLISH^ENGLISH|CHRISTIAN^CHRISTIAN
"""


def hl7(number: int, run: str = "") -> bytes:
    """Message `number`: an ADT^A01 in CR lines. `run` keeps control ids of several runs apart."""
    text = _ADMISSION.replace("\n", "\r").format(
        control_id=f"{run}{number}",
        mrn=f"{10_000_000 + number % PATIENTS}",
        nhs_number=NHS_NUMBERS[number % PATIENTS],
        visit=f"V{number}",
    )
    return text.encode("latin-1")


def body(number: int, run: str = "") -> bytes:
    """The JSON body that posts message `number`."""
    encoded = base64.b64encode(hl7(number, run)).decode()
    return json.dumps({"type": "HL7v2", "body": encoded}).encode()


def request(number: int, *, run: str, host: str, token: str, path: str = "/dhos/v1/message") -> bytes:
    """The whole HTTP/1.1 request; its X-Request-ID, `RUN-NUMBER`, comes back as AMQP correlation_id."""
    header = f"Authorization: Bearer {token}\r\nX-Request-ID: {run}-{number}"
    return post(host, path, header, body(number, run))
