"""One hospital's configuration: what it says, how it is read, where it comes from."""
