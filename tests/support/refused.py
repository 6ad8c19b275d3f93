"""The vectors of `refused.json`: transactions that no block may contain, each with what it is judged over.

States of a chain of its own (`bmw-test`, a tree of depth 6) are given whole: `genesis`, every other stage as its
difference from it, and every transaction's own difference from its stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.execution.block_run import BlockRun
from node.ledger.guards import GuardsUnmet
from node.txtypes.registry import FAMILIES
from support.chain import Chain
from support.refused_cases import MORE, enveloped, tabled, without_state
from support.refused_deals import REFUSED_DEALS
from support.stages import at

State = Mapping[str, str]


def state_of(chain: Chain) -> State:
    """Every state value in hex, by key."""
    found = ((key[1:].decode("ascii"), value.hex()) for key, value in chain.store.kv.scan(b"S", b"T"))
    return {key: value for key, value in found if key.split("/")[0] in FAMILIES}


def _window_of(chain: Chain) -> list[str]:
    """The txids in the replay window."""
    return sorted(value[:32].hex() for _, value in chain.store.kv.scan(b"W", b"X"))


def _difference(before: State, after: State) -> dict[str, str | None]:
    """Keys that are new or changed with their values, and keys that have gone with None."""
    changed: dict[str, str | None] = {key: value for key, value in after.items() if before.get(key) != value}
    return dict(sorted((changed | dict.fromkeys(before.keys() - after.keys())).items()))


class Noting:
    """The state of a chain, and the vehicle records that were read from it."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self.read: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def record(self, vin: str, sequence: int) -> bytes | None:
        raw: bytes | None = self._state.record(vin, sequence)
        if raw is not None:
            self.read[f"{vin}/{sequence}"] = raw.hex()
        return raw


def _vector(name: str, stage: str, stages: Mapping[str, State], chain: Chain, raw: bytes) -> dict[str, object]:
    store, head = chain.store, chain.store.head()
    state = Noting(store.state)
    try:
        BlockRun(state, store.tree, head, chain.genesis_hash, chain.now).add(chain.check(raw))
        raise AssertionError(f"{name} is not refused")
    except GuardsUnmet as error:
        codes = [guard.code for guard in error.unmet]
    return {
        "name": name,
        "stage": stage,
        "changes": _difference(stages[stage], state_of(chain)),
        "state_root": head.state_root.hex(),
        "window": _window_of(chain),
        "records": dict(sorted(state.read.items())),
        "height": head.height + 1,
        "time_ms": chain.now,
        "signed": raw.hex(),
        "codes": codes,
    }


def refused() -> dict[str, object]:
    cases = [*tabled(), *((case.name, case) for case in (*MORE, *REFUSED_DEALS))]
    assert len({name for name, _ in cases}) == len(cases), "two cases have the same name"
    genesis = state_of(at("").chain)
    stages = {"": genesis} | {case.stage: state_of(at(case.stage).chain) for _, case in cases if case.stage}
    guards: list[dict[str, Any]] = [_vector(name, case.stage, stages, *case.placed()) for name, case in cases]
    for vector, (name, case) in zip(guards, cases, strict=True):
        assert list(case.codes) == vector["codes"], f"{name}: {vector['codes']}"
    for name, chain, raw, codes in enveloped():
        stage = "" if "vehicle/" not in "".join(state_of(chain)) else "born"
        guards.append(_vector(name, stage, stages, chain, raw))
        assert list(codes) == guards[-1]["codes"], f"{name}: {guards[-1]['codes']}"
    chain = at("").chain
    return {
        "chain": {"genesis_hash": chain.genesis_hash.hex(), "tree_depth": chain.genesis.tree_depth},
        "genesis": genesis,
        "stages": {stage: _difference(genesis, state) for stage, state in stages.items()},
        "guards": guards,
        "without_state": [
            {"name": name, "signed": raw.rstrip(b"\x00").hex(), "zeros": len(raw) - len(raw.rstrip(b"\x00"))}
            | {"code": code}
            for name, raw, code in without_state()
        ],
    }
