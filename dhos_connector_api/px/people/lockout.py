"""How long a user waits after wrong passwords (pure): nothing at first, then longer each time."""

#: Seconds after the first, second, ... wrong password in a row; after more, the last one.
PAUSES = (0, 0, 0, 0, 60, 120, 240, 480, 900)
