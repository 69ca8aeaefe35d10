"""HL7 messages with a canary wherever a patient could be: none may be seen where it does not belong."""

CANARY = "CANARY"


def message(trigger: str, number: int, **replaced: str) -> bytes:
    """Return a message with a canary in every field of PID, PV1, MRG, EVN and in the header's people."""
    pid = [f"{CANARY}-PID-{field}" for field in range(1, 40)]
    pid[2] = f"{CANARY}-MRN^^^A^MRN~{CANARY}-NHS^^^NHS^NHS"
    pid[6], pid[28] = "19820305", ""
    visit = [f"{CANARY}-PV1-{field}" for field in range(1, 52)]
    visit[43], visit[44] = "20260131", ""
    header = f"MSH|^~\\&|EPR|RBH|TIE|DHOS|20260131093000|{CANARY}-SECURITY|ADT^{trigger}|ID{number}|P|2.3"
    lines = [
        header,
        f"EVN|{trigger}|20260131093000||{CANARY}-EVN",
        "PID|" + "|".join(pid),
        f"MRG|{CANARY}-OLD^^^A^MRN",
        "PV1|" + "|".join(visit),
        f"ZZZ|{CANARY}-Z",
    ]
    text = "\r".join(lines) + "\r"
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text.encode()


#: Accepted, repeated, changed, refused, several at once, and no message at all.
MESSAGES = [
    message("A01", 1),
    message("A01", 1),
    message("A01", 1, EVN="EVX"),
    message("A40", 2),
    message("A99", 3),
    message("A02", 4, PV1=f"{CANARY}X"),
    message("A08", 5, **{"19820305": f"{CANARY}-BIRTH"}),
    message("A08", 6) + message("A08", 7),
    message("A08", 8) + b"NTE|\x00\xff",
    f"{CANARY} without any segment".encode(),
]
