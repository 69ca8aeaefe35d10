"""The specification, compiled: operations, and the checks of their bodies and parameters."""
