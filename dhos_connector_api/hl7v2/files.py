"""Files that hold several messages, one after the other, framed for MLLP or not."""

import re

#: MSH and a mark: a line of text that begins so continues the segment before it (see `read`).
_MESSAGE_START = re.compile(rb"(?:^|(?<=[\r\n\x0b]))MSH(?![A-Za-z0-9 \t])")


def split_messages(content: bytes) -> list[bytes]:
    """Return the messages in `content`, each from its MSH to the next; the whole where there is no MSH."""
    starts = [match.start() for match in _MESSAGE_START.finditer(content)]
    if not starts:
        return [content]
    ends = [*starts[1:], len(content)]
    return [
        content[start:end].rstrip(b"\x0b\x1c\r\n") + b"\r" for start, end in zip(starts, ends, strict=True)
    ]
