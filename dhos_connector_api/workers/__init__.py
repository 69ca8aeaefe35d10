"""The workers beside the web processes: the relay and housekeeping, and the loop they run in."""
