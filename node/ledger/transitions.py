"""Transition tables: in which statuses of a thing a transaction type may act, and the status that follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

S = TypeVar("S", bound=str)


class Transitions(Generic[S]):
    """Status to transaction type to following status. A status without types is final."""

    def __init__(self, steps: Mapping[S, Mapping[str, S]]) -> None:
        self.steps = steps
        assert all(after in steps for step in steps.values() for after in step.values()), "every status has a row"

    def before(self, tag: str) -> tuple[S, ...]:
        """The statuses in which a type may act."""
        return tuple(status for status, step in self.steps.items() if tag in step)

    def after(self, status: S, tag: str) -> S:
        """The status that follows."""
        return self.steps[status][tag]

    def edges(self) -> Iterator[tuple[S, str, S]]:
        """(status, type, following status)"""
        for status, step in self.steps.items():
            for tag, after in step.items():
                yield status, tag, after
