"""Every target by name."""

from __future__ import annotations

import click

from support.fuzzing.decoders import DECODERS, FAMILY_TARGETS
from support.fuzzing.target import Target
from support.fuzzing.texts import TEXTS

TARGETS: list[Target] = [*DECODERS, *TEXTS, *FAMILY_TARGETS]


def target_named(name: str) -> Target:
    for target in TARGETS:
        if target.name == name:
            return target
    raise click.UsageError(f"no target {name!r}: see scripts/fuzz --list")
