"""How much goes into one batch, in rows and in bytes (pure).

Halved when PostgreSQL did not give it in time, doubled after each batch that it gave. After RabbitMQ had
refused what a queue would not take, it begins again with little: what does not fit goes to the other
queues once more.
"""

#: The most rows of one batch, and the most bytes of their bodies (a single larger body goes alone).
ROWS, BYTES = 500, 16_000_000
_LEAST_BYTES = 16_000
_CAREFUL = 2


class Window:
    """The size of the next batch: `rows`, `bytes`."""

    def __init__(self, rows: int = ROWS, most_bytes: int = BYTES) -> None:
        self._most = (rows, most_bytes)
        self.rows, self.bytes = rows, most_bytes

    def halve(self) -> None:
        """Note that a batch of this size could not be had in time."""
        self.rows, self.bytes = max(1, self.rows // 2), max(_LEAST_BYTES, self.bytes // 2)

    def grow(self) -> None:
        """Note that a batch was had in time."""
        rows, most_bytes = self._most
        self.rows, self.bytes = min(rows, self.rows * 2), min(most_bytes, self.bytes * 2)

    def begin_again(self) -> None:
        """Begin with few rows, which a queue that was full may have room for."""
        self.rows = min(self.rows, _CAREFUL)
