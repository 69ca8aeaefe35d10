"""Where the header of a message or batch (MSH, FHS, BHS) or a trailer (BTS, FTS) begins, in text and bytes.

HL7 v2 chapter 2. A header stands at the beginning of a line, indented or behind a byte order mark or not.
Whatever mark follows its name but a letter, a digit or a blank: no second message may pass for text. Alone
on its line it is a header too.
"""

import re

#: What may stand between the beginning of a line and a header: blanks, MLLP start blocks, byte order marks.
INDENT = rb"(?:[ \t\f\x0b]|\xef\xbb\xbf)*+"
#: What follows the name of a header.
BEHIND = rb"(?![A-Za-z0-9]|[ \t\f\x0b]++[^ \t\f\x0b\r\n\x1c])"
#: The same where no more than one byte behind the name can be seen: one that has come, and tells.
MARK = rb"[^A-Za-z0-9 \t\f\x0b\x1c]"
#: What begins a line, also the end block of a frame.
LINE_BEGINS = rb"(?:\A|[\r\n\x1c])"

_BEGINS = re.compile(r"(?:FHS|BHS|MSH|BTS|FTS)" + BEHIND.decode())


def is_header(line: str) -> bool:
    """Return whether a line without its indentation begins a message or batch, or ends a batch."""
    return _BEGINS.match(line) is not None
