"""Errors of the simulation."""


class Violation(AssertionError):
    """A safety or liveness property is violated."""
