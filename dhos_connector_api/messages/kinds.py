"""The kinds of message: by which rules one is read, now and when it is replayed."""

from enum import StrEnum


class Kind(StrEnum):
    """The kind of a message. The first four come in, the others go out."""

    HL7 = "hl7"  # an HL7 v2 message, over HTTPS or MLLP
    HIS = "his"  # a HIS's patient data in JSON
    WEBHOOK = "webhook"  # a signed webhook; its source is the message's `src_description`
    EVENT = "event"  # an integration event in JSON
    ORU = "oru"  # an observation set as an HL7 message
    CDA = "cda"  # a document
    ACKNOWLEDGEMENT = "acknowledgement"  # an application acknowledgement that travels by itself
