"""The MLLP door: hospitals' interface engines send HL7 v2 over TCP, and are answered there."""
