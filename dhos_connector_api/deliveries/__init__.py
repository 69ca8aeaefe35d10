"""Deliveries to the hospital: observation sets as ORU, documents as CDA, and the queue they wait in."""
