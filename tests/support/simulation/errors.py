"""What a simulation can find."""


class Violation(AssertionError):
    """A property that must never break is broken."""
