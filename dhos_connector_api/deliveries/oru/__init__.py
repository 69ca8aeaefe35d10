"""ORU messages from observation sets (pure): the input checked, the OBX lines, the message."""
