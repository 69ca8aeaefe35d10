"""Files that hold several messages, one after the other, framed for MLLP or not."""

import re

from dhos_connector_api.hl7v2.headers import BEHIND, INDENT, LINE_BEGINS

_MESSAGE = re.compile(LINE_BEGINS + INDENT + rb"(MSH)" + BEHIND)


def split_messages(content: bytes) -> list[bytes]:
    """Return the messages in `content`, each from its MSH to the next; the whole where there is no MSH."""
    found = list(_MESSAGE.finditer(content))
    if not found:
        return [content]
    ends = [*(each.start() for each in found[1:]), len(content)]
    return [
        content[each.start(1) : end].rstrip(b"\x0b\x1c\r\n") + b"\r"
        for each, end in zip(found, ends, strict=True)
    ]
