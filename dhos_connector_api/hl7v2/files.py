"""Files that hold several messages, one after the other, framed for MLLP or not."""

import re

_MESSAGE_START = re.compile(rb"(?:^|(?<=[\r\n\x0b]))MSH")


def split_messages(content: bytes) -> list[bytes]:
    """Return the messages in `content`, each from its MSH to the next; the whole where there is no MSH."""
    starts = [match.start() for match in _MESSAGE_START.finditer(content)]
    if not starts:
        return [content]
    ends = [*starts[1:], len(content)]
    return [
        content[start:end].rstrip(b"\x0b\x1c\r\n") + b"\r" for start, end in zip(starts, ends, strict=True)
    ]
