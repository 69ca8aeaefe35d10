"""The HTTP machine: everything between the socket and a handler, the same for every operation."""
