"""HL7 v2 in and out (pure): reading, judging, acknowledging, building. No I/O, no clock, no framework."""
