"""The stages of `scripts/bench --profile` name functions that exist, and a stack belongs to the right ones."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from benchmarks.stages import ACTIVITIES, OTHER, STEPS, Table, stage_of, unknown_places
from support.load import LoadChain
from support.memory_store import MemoryStore


def test_every_place_names_a_function_that_exists() -> None:
    assert unknown_places() == [], "moved or renamed: adapt scripts/benchmarks/stages.py"


def test_a_place_that_names_nothing_is_found() -> None:
    good = ("node.codec", "node.codec:encode", "node.codec:Decoder.__call__", "node.txtypes:*.guards")
    bad = (
        "node.no_such_module",
        "node.codec:no_such_function",
        "node.codec:Decoder.no_such_method",
        "node.txtypes:*.no_such_method",
        "node.execution.block_run:encode",  # imported there, defined in another module
    )

    assert Table({"stage": (*good, *bad)}).unknown() == list(bad)
    assert Table({"one": ("node.codec",), "other": ("node.codec",)}).unknown() == ["node.codec", "node.codec"]


def test_the_most_specific_place_counts() -> None:
    table = Table({
        "method": ("p.m:C.f",), "class": ("p.m:C",), "module": ("p.m",), "package": ("p",), "each": ("p:*.guards",),
    })  # fmt: skip

    assert table.of_function("p.m", "C.f") == "method"
    assert table.of_function("p.m", "C.f.<locals>.<genexpr>") == "method"
    assert table.of_function("p.m", "C.g") == "class"
    assert table.of_function("p.m", "f") == "module"
    assert table.of_function("p.m", "D.guards") == "each"
    assert table.of_function("p.other", "f") == "package"
    assert table.of_function("p.other.deep", "D.guards") == "each"
    assert table.of_function("p.other", "guards") == "package", "a function, and no class's method"
    assert table.of_function("pp", "f") == ""


class Looking(MemoryStore):
    """Notes the stages of the stacks that read from it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, str]] = set()

    def get(self, key: bytes) -> bytes | None:
        self.seen.add(stage_of(sys._getframe()))
        return super().get(key)


def test_a_stack_belongs_to_its_innermost_activity_and_the_step_in_it() -> None:
    store = Looking()

    LoadChain(store, depth=4).grow(20)

    assert store.seen == {(OTHER, ""), (OTHER, "read state"), ("commit", "write batch")}


def test_activities_and_steps_have_names_of_their_own() -> None:
    names = [*ACTIVITIES.stages, *STEPS.stages]
    assert len(names) == len(set(names))
    assert OTHER not in names
