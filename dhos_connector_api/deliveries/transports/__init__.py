"""One module per destination: each sends one message and says what came of it."""
