"""Stand-ins for a hospital in demos, tests and load: generators of invented data, clients, fakes."""
