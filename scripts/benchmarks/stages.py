"""The stages of a transaction, by the functions that carry them out: the one table of `scripts/bench --profile`.

A place is one of

    package.module                   every function of the module, or of the package's modules
    package.module:function          the function and whatever is defined in it; also `Class` and `Class.method`
    package:*.method                 the method of every class of the package

A frame belongs to the most specific place that names it. An activity says what the processor works for (building a
block, answering a caller), a step what it computes (guards, the tree). A stack belongs to the activity of its innermost
frame that has one, and to the step of the innermost frame inside that. The time of a helper that no place names
(`msgspec`, `hashlib`, `crypto.merkle`) so counts for its caller.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import CodeType, FrameType, ModuleType

OTHER = "other"
"""Frames that no place names."""


@dataclass(frozen=True)
class Table:
    """Stage to its places."""

    stages: dict[str, tuple[str, ...]]

    @cached_property
    def _by_place(self) -> dict[str, str]:
        return {place: stage for stage, places in self.stages.items() for place in places}

    @cached_property
    def _by_code(self) -> dict[CodeType, str]:
        return {}

    def of_function(self, module: str, name: str) -> str:
        """Empty where no place names it."""
        return next((self._by_place[key] for key in _keys(module, name) if key in self._by_place), "")

    def of_frame(self, frame: FrameType) -> str:
        """The same for the function that runs in a frame, whoever has called it."""
        code = frame.f_code
        stage = self._by_code.get(code)
        if stage is None:
            stage = self._by_code[code] = self.of_function(frame.f_globals.get("__name__", ""), code.co_qualname)
        return stage

    def unknown(self) -> list[str]:
        """Places that name nothing: the code has been moved or renamed. Repeated places, too."""
        places = [place for named in self.stages.values() for place in named]
        return [place for place in places if places.count(place) > 1 or not _exists(place)]


ACTIVITIES = Table(
    {
        # --- a replay ---
        "read blocks": ("node.audit.sources", "node.audit.pipeline:Pipeline._ranges", "node.audit.executor:decoded"),
        "verify": ("node.audit.signatures", "node.daemon.verifiers"),
        "execute": ("node.audit.executor:Executor",),
        "final checks": ("node.audit.replay:Replay._at_the_end",),
        "replay, rest": ("node.audit.replay:Replay.run", "node.audit.pipeline:Pipeline.run"),
        # --- a validator ---
        "links": ("node.p2p",),
        "RPC": ("node.rpc", "aiohttp"),
        "submissions": ("node.daemon.submissions", "node.daemon.tx_status", "node.storage.journal"),
        "gossip": ("node.replica.tx_gossip", "node.replica.tx_fetcher"),
        "admission": ("node.replica.admission", "node.mempool"),
        "build": ("node.replica.block_builder:BlockBuilder.building",),
        "assemble proposals": (
            "node.replica.compact_blocks",
            "node.replica.proposals_and_votes:ProposalsAndVotes.on_proposal",
            "node.replica.proposals_and_votes:ProposalsAndVotes.on_compact",
            "node.replica.consensus_driver:ConsensusDriver.take_body",
            "node.replica.consensus_driver:ConsensusDriver.on_compact",
            "node.replica.consensus_driver:ConsensusDriver.on_parts",
            "node.replica.consensus_driver:ConsensusDriver.on_body_verified",
        ),
        "execute proposals": ("node.replica.block_builder:BlockBuilder.executing",),
        "votes": (
            "node.consensus",
            "node.replica.proposals_and_votes:ProposalsAndVotes.on_vote",
            "node.replica.signing_duty",
            "node.replica.signer",
            "node.replica.doppelganger",
            "node.storage.safety_store",
        ),
        "commit": (
            "node.audit.replay_store",
            "node.replica.replica:Replica._commit",
            "node.replica.evidence_pool",
            "node.storage.chain_store:ChainStore.commit_block",
            "node.daemon.node:Node._on_committed",
        ),
        "block sync": ("node.replica.block_sync", "node.replica.catch_up"),
        "housekeeping": ("node.daemon.pruning", "node.daemon.memory", "node.daemon.snapshots"),
        "replica, rest": ("node.replica", "node.daemon.pump"),
        "event loop": ("asyncio", "selectors"),
    }
)

STEPS = Table(
    {
        "decode messages": (
            "node.audit.executor:decoded",
            "node.audit.pipeline:Pipeline._ranges",
            "node.audit.signatures:verify_range",
            "node.p2p.peer:Peer.on_raw",
        ),
        "decode transactions": ("node.txtypes.envelope:decode_signed_tx", "node.txtypes.envelope:decode_payload"),
        "static rules": (
            "node.txtypes:*.check_static",
            "node.ledger.body:open_codes",
            "node.rules.personal_data:find_personal_data",
            "node.rules.card_numbers:find_card_number",
        ),
        "transaction signatures": ("node.ledger.signed:verify_raw", "node.txtypes.envelope:check_signatures"),
        "other signatures": (
            "node.chain.block:verify_commit",
            "node.replica.proposals_and_votes:ProposalsAndVotes._is_signed",
            "node.replica.doppelganger:is_genuine",
            "node.crypto.signing:PrivateKey.sign",
        ),
        "block frame": (
            "node.execution.block_validation:check_frame",
            "node.execution.block_validation:seal_block",
            "node.chain.block:check_contents",
            "node.chain.block:block_id_of",
        ),
        "envelope guards": ("node.execution.block_run:BlockRun.judge",),
        "policy guards": ("node.execution.block_run:check_policies",),
        "type guards": (
            "node.ledger.body:judge_body",
            "node.txtypes:*.guards",
            "node.txtypes:*.signers",
            "node.txtypes:*.new_account_keys",
        ),
        "apply": ("node.txtypes:*.apply",),
        "quota charge": ("node.execution.block_run:BlockRun._charge", "node.txtypes.identity.quota"),
        "bucket weight": ("node.execution.block_run:BlockRun._bucket_weight",),
        "window": ("node.txtypes.chain.replay_window", "node.execution.block_run:BlockRun._change_window"),
        "take a transaction": ("node.execution.block_run:BlockRun.add", "node.execution.block_run:BlockRun.carry_out"),
        "tree": (
            "node.execution.block_run:BlockRun._changed_buckets",
            "node.crypto.state_tree:StateTree",
            "node.crypto.state_tree:bucket_hash",
            "node.crypto.state_tree:changed_bucket",
        ),
        "encode values": ("node.codec:encode",),
        "decode values": ("node.ledger.family:Family.decode",),
        "finish a block": ("node.execution.block_run:BlockRun.finish", "node.execution.block_validation:execute_block"),
        "read state": ("node.storage.chain_store:StateView", "node.storage.leveldb:WriteBackStore.get"),
        "LevelDB reads": (
            "node.storage.leveldb:LevelReader.get",
            "node.storage.leveldb:LevelReader.scan",
        ),
        "LevelDB writes": ("node.storage.leveldb:LevelStore.write", "node.storage.leveldb:WriteBackStore.flush"),
        "indexes": ("node.ledger.family:index_changes",),
        "receipts": ("node.ledger.receipts", "node.storage.schema:subject_entries"),
        "write batch": (
            "node.storage.chain_store:ChainStore._batch",
            "node.storage.chain_store:ChainStore._advance",
            "node.storage.chain_store:ChainStore.commit_block",
            "node.storage.leveldb:WriteBackStore.write",
        ),
        "pool": ("node.mempool",),
        "frames and encryption": ("node.p2p.framing", "node.p2p.noise"),
        "log": ("node.log", "logging"),
    }
)


def stage_of(frame: FrameType | None) -> tuple[str, str]:
    """(activity, step) of a stack, given its innermost frame; the step is empty where none is named."""
    step = ""
    while frame is not None:
        step = step or STEPS.of_frame(frame)
        if activity := ACTIVITIES.of_frame(frame):
            return activity, step
        frame = frame.f_back
    return OTHER, step


def unknown_places() -> list[str]:
    return ACTIVITIES.unknown() + STEPS.unknown()


def _keys(module: str, name: str) -> Iterator[str]:
    """Places that name a function, the most specific first."""
    parts = name.split(".")
    modules = [module[:end] for end in _ends(module)]
    for length in range(len(parts), 0, -1):
        yield f"{module}:{'.'.join(parts[:length])}"
        if length > 1:
            yield from (f"{package}:*.{parts[length - 1]}" for package in modules)
    yield from modules


def _ends(module: str) -> list[int]:
    """Of the module's own name and each package's around it, the innermost first."""
    return [len(module), *(at for at in range(len(module) - 1, 0, -1) if module[at] == ".")]


def _exists(place: str) -> bool:
    """Whether the place is where the function is defined: a frame does not know where else it was imported."""
    module_name, _, name = place.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError:
        return False
    if name.startswith("*."):
        return any(name[2:] in vars(kind) for each in _modules(module) for kind in _classes(each))
    found: object = module
    for part in filter(None, name.split(".")):
        found = vars(found).get(part)
        if found is None:
            return False
    return not name or getattr(found, "__module__", module_name) == module_name


def _modules(module: ModuleType) -> Iterator[ModuleType]:
    """The module and, of a package, every module in it."""
    yield module
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
        yield importlib.import_module(found.name)


def _classes(module: ModuleType) -> Iterator[type]:
    return (kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__)
