"""Users, their roles and tokens, and the one function that says what a person may see."""
