"""A few production replicas in one process, linked to each other, over stores in memory.

It is deterministic: messages arrive at once and in order, except those that `lose` drops; time passes only in
`pass_time`; the replicas' effects are noted as `(what, who)` in `done`. The simulator is for random faults, this is for
chosen scenarios.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from unittest.mock import patch

from msgspec.structs import replace

from node.chain.block import EMPTY_COMMIT, Block, block_id_of
from node.chain.dev_genesis import Party, build_genesis
from node.chain.vote import Evidence, Proposal, Vote, evidence_id, sign_bytes_of
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.execution.block_run import BlockRun
from node.execution.block_validation import seal_block
from node.ledger.params import ChainParams
from node.ledger.signed import verify_raw
from node.replica import events as e
from node.replica.messages import CompactProposal, EvidenceMessage, Message, ProposalMessage, VoteMessage
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx
from node.txtypes.vehicle.title import VehicleRegister
from support.chain import START_MS
from support.kept_state import KeptState, never_signed
from support.memory_store import MemoryStore

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Member:
    """A validator or prospective validator: its keys, its disk, and its process while it runs."""

    name: str
    account: PrivateKey
    consensus: PrivateKey
    disk: MemoryStore
    signing_state: KeptState
    replica: Replica | None = None
    boots: int = 0
    links: dict[int, Member] = field(default_factory=dict)
    said: set[bytes] = field(default_factory=set)
    """Signatures that this process has sent."""

    @property
    def address(self) -> bytes:
        return address_of(self.account.public)

    @property
    def running(self) -> Replica:
        assert self.replica is not None, f"{self.name} is down"
        return self.replica


@dataclass(frozen=True)
class Loss:
    kind: str
    signers: tuple[bytes, ...]
    targets: tuple[str, ...]


class ReplicaNetwork:
    """`powers` by name, in the order of addresses and so of proposers. Power 0: a member that is no validator."""

    def __init__(self, powers: dict[str, int], **params: int) -> None:
        keys = sorted((f"replica-{i}" for i in range(len(powers))), key=lambda k: address_of(_account(k).public))
        parties = tuple(
            Party(k, "DE", (("manufacturer", ("WBA",)),), p) for k, p in zip(keys, powers.values(), strict=True)
        )
        self.genesis = build_genesis(
            "bmw-trace", START_MS, parties, dev_key, tree_depth=4, params=ChainParams(**params)
        )
        self.now = START_MS + 1_000
        self.members: dict[str, Member] = {}
        for name, key in zip(powers, keys, strict=True):
            consensus = dev_key("consensus", key)
            disk = MemoryStore()
            self.genesis_hash = ChainStore(disk, self.genesis).genesis_hash
            self.members[name] = Member(name, _account(key), consensus, disk, never_signed(consensus.public))
        self.done: list[tuple[str, str]] = []
        self.transactions: dict[str, CheckedTx] = {}
        self.evidence: dict[str, Evidence] = {}
        self.poisoned: set[bytes] = set()
        self._signed: set[bytes] = set()
        self._blocks: dict[bytes, str] = {}
        self._losses: list[Loss] = []
        self._queue: deque[tuple[Member, e.Received | e.Verified]] = deque()
        self._last_link = 0

    # --- names ----------------------------------------------------------------------------------------
    def name_of(self, address: bytes) -> str:
        return next(m.name for m in self.members.values() if m.address == address)

    def block_name(self, block_id: bytes, height: int) -> str:
        """Blocks of a height are A, B, C in the order in which they first occur, followed by the height."""
        if not block_id:
            return "nil"
        if block_id not in self._blocks:
            taken = sum(name[1:] == str(height) for name in self._blocks.values())
            self._blocks[block_id] = f"{LETTERS[taken]}{height}"
        return self._blocks[block_id]

    def block_id(self, name: str, height: int) -> bytes:
        """The id of a named block; an invented one if nobody has proposed the block."""
        proposed = next((ident for ident, other in self._blocks.items() if other == name), None)
        ident = b"" if name == "nil" else proposed or sha256(name.encode()).digest()
        if self.block_name(ident, height) != name:
            raise KeyError(f"the next block of height {height} is {self.block_name(ident, height)}")
        return ident

    def evidence_name(self, evidence: Evidence) -> str:
        wanted = evidence_id(evidence)
        name = next((name for name, piece in self.evidence.items() if evidence_id(piece) == wanted), None)
        if name is None:
            name = f"EV{len(self.evidence) + 1}"
            self.evidence[name] = evidence
        return name

    def _contents(self, block: Block) -> str:
        """Names of its transactions and evidence, where they have one."""
        by_raw = {tx.raw: name for name, tx in self.transactions.items()}
        names = [by_raw[raw] for raw in block.transactions] + [self.evidence_name(piece) for piece in block.evidence]
        return f" with {' '.join(names)}" if names else ""

    # --- start and stop -----------------------------------------------------------------------------------------
    def up(self) -> list[Member]:
        return [member for member in self.members.values() if member.replica is not None]

    def start(self, *names: str) -> None:
        """Start processes from their disks."""
        for member in [self.members[name] for name in names]:
            store = ChainStore(member.disk, self.genesis)
            signer = LocalSigner(member.address, member.consensus, member.signing_state, store.genesis_hash)
            member.boots += 1
            instance = sha256(f"{member.name}/{member.boots}".encode()).digest()[:16]
            member.said.clear()
            member.replica = Replica(store, signer, ReplicaConfig(), instance)
            self._act(member, member.replica.start(self.now))
            for other in self.up():
                if other is not member:
                    self._link(member, other)
        self._deliver()

    def _link(self, one: Member, other: Member) -> None:
        self._last_link += 1
        one.links[self._last_link] = other
        other.links[self._last_link] = one
        for here, there in ((one, other), (other, one)):
            self._handle(here, e.PeerConnected(self._last_link, dev_key("node", there.name).public, is_member=True))

    def kill(self, *names: str) -> None:
        """Kill processes at the same time; messages in flight to them are lost."""
        gone = [self.members[name] for name in names]
        for member in gone:
            member.replica = None
        for member in gone:
            for link, other in member.links.items():
                other.links.pop(link, None)
                if other.replica is not None:
                    self._handle(other, e.PeerLost(link))
            member.links.clear()
        self._deliver()

    def pass_time(self, ms: int) -> None:
        until = self.now + ms
        while True:
            due = min((max(m.running.next_deadline_ms(), self.now + 1) for m in self.up()), default=until + 1)
            if due > until:
                break
            self.now = due
            for member in self.up():
                if member.running.next_deadline_ms() <= due:
                    self._handle(member, e.Tick())
            self._deliver()
        self.now = until

    # --- inputs ---------------------------------------------------------------------------------
    def submit(self, name: str, raw: bytes, to: str) -> None:
        self.transactions[name] = self.checked(raw)
        self._handle(self.members[to], e.Admit(len(self.transactions), (self.transactions[name],)))
        self._deliver()

    def checked(self, raw: bytes) -> CheckedTx:
        return check_signatures(decode_signed_tx(raw, self.genesis_hash), self.genesis_hash)

    def hear(self, message: Message, targets: tuple[str, ...]) -> None:
        """Deliver a message that no replica sent: each of `targets` gets it from the next of its peers."""
        for target in [self.members[name] for name in targets]:
            self._queue.append((target, e.Received(next(iter(target.links)), message, self.now)))
        self._deliver()

    def forged_vote(self, kind: str, name: str, height: int, round_: int, by: str) -> Vote:
        block_id = self.block_id(name, height)
        vote = Vote(kind, height, round_, block_id, self.members[by].address, bytes(64))  # type: ignore[arg-type]
        return replace(vote, signature=self._signature(vote, by))

    def forged_evidence(self, height: int, round_: int, against: str) -> Evidence:
        """Two prevotes of `against`, for nil and for an invented block."""
        pair = []
        for block_id in (b"", sha256(b"of a liar").digest()):
            vote = Vote("prevote", height, round_, block_id, self.members[against].address, bytes(64))
            pair.append(replace(vote, signature=self._signature(vote, against)))
        return Evidence(*pair)

    def forged_proposal(self, names: tuple[str, ...], height: int, round_: int, by: str) -> ProposalMessage:
        """A proposal of a block with these transactions and pieces of evidence, valid or not."""
        store = self.up()[0].running.store
        head, evidence = store.head(), tuple(self.evidence[n] for n in names if n in self.evidence)
        assert head.height == height - 1, f"the next height is {head.height + 1}"
        with patch.object(self, "poisoned", set()):
            run = BlockRun(store.state, store.tree, head, self.genesis_hash, self.now)
            for name in names:
                if name not in self.evidence:
                    run.add(self.transactions[name])
            result = run.finish(evidence)
        last = EMPTY_COMMIT if store.is_at_start else store.commit(head.height)
        assert last is not None, "a committed height has its certificate"
        block = seal_block(run, result, head, self.members[by].address, evidence, last)
        block_id = block_id_of(block.header, self.genesis_hash)
        self.block_name(block_id, height)
        proposal = Proposal(height, round_, block_id, -1, self.members[by].address, bytes(64))
        return ProposalMessage(replace(proposal, signature=self._signature(proposal, by)), block, ())

    def _signature(self, message: Vote | Proposal, by: str) -> bytes:
        return self.members[by].consensus.sign(sign_bytes_of(message, self.genesis_hash))

    # --- losses -------------------------------------------------------------------------------
    def lose(self, kind: str, signers: tuple[str, ...], targets: tuple[str, ...]) -> None:
        """Lose messages of a kind from now on, whoever relays them. Empty `signers`: of all."""
        self._losses.append(Loss(kind, tuple(self.members[name].address for name in signers), targets))

    def heal(self) -> None:
        self._losses.clear()

    def _arrives(self, event: e.Received, target: Member) -> bool:
        signed = _signed_in(event.message)
        if signed is None:
            return event.peer in target.links
        kind, signer = (signed.kind, signed.validator) if isinstance(signed, Vote) else ("proposal", signed.proposer)
        return event.peer in target.links and not any(
            loss.kind == kind and target.name in loss.targets and (not loss.signers or signer in loss.signers)
            for loss in self._losses
        )

    # --- effects -----------------------------------------------------------------------------------
    def _deliver(self) -> None:
        while self._queue:
            target, event = self._queue.popleft()
            if isinstance(event, e.Verified) or self._arrives(event, target):
                self._handle(target, event)

    def _handle(self, member: Member, event: e.Event) -> None:
        if member.replica is not None:
            with self._poison():
                actions = member.replica.handle(event, self.now)
            self._act(member, actions)

    @contextmanager
    def _poison(self) -> Iterator[None]:
        """While active, executing a poisoned transaction raises an unexpected exception."""
        apply = VehicleRegister.apply

        def stumbling(body: VehicleRegister, ledger: object) -> None:
            assert ledger.txid not in self.poisoned, "a mistake of ours"  # type: ignore[attr-defined]
            apply(body, ledger)  # type: ignore[arg-type]

        with patch.object(VehicleRegister, "apply", stumbling):
            yield

    def _act(self, member: Member, actions: list[e.Action]) -> None:
        for action in actions:
            match action:
                case e.Send(link, message):
                    self._send(member, [link], message)
                case e.Broadcast(message, besides):
                    self._send(member, [link for link in member.links if link != besides], message)
                case e.Verify(job, transactions):
                    good = tuple(verify_raw(signed.raw, self.genesis_hash) for signed in transactions)
                    self._queue.append((member, e.Verified(job, good)))
                case e.BlockCommitted(block, _, _, round_):
                    height = block.header.height
                    name = self.block_name(block_id_of(block.header, self.genesis_hash), height)
                    self._note(member, f"commit {name}{self._contents(block)} at {height}/{round_}")
                case e.Admitted(_, outcomes):
                    for outcome in outcomes:
                        codes = outcome if isinstance(outcome, str) else " ".join(unmet.code for unmet in outcome)
                        self._note(member, f"refuse {codes}" if outcome else "admit")
                case e.Dropped(tx):
                    self._note(member, f"drop {self._tx_name(tx.txid)}")
                case e.Misbehaved(_, code):
                    self._note(member, f"accuse {code}")
                case e.Notice(name, _, fields):
                    self._notice(member, name, fields)
                case e.Halt():
                    self._note(member, "halt")

    def _tx_name(self, txid: bytes) -> str:
        return next(name for name, tx in self.transactions.items() if tx.txid == txid)

    def _notice(self, member: Member, name: str, fields: dict[str, object]) -> None:
        match name:
            case "round":
                self._note(member, f"round {fields['height']}/{fields['round']}")
            case "duty":
                self._note(member, str(fields["duty"]))
            case "equivocation":
                self._note(member, f"catch {self.name_of(bytes.fromhex(str(fields['validator'])))}")
            case "invalid_block":
                height = int(str(fields["height"]))
                rule = str(fields["why"]).partition(":")[0]
                self._note(member, f"reject {self.block_name(bytes.fromhex(str(fields['id'])), height)} {rule}")
            case "poison":
                self._note(member, f"quarantine {self._tx_name(bytes.fromhex(str(fields['txid'])))}")
            case "started":
                pass
            case _:
                self._note(member, name)

    def _send(self, member: Member, links: list[int], message: Message) -> None:
        self._say(member, message)
        for link in links:
            if link in member.links:
                self._queue.append((member.links[link], e.Received(link, message, self.now)))

    def _say(self, member: Member, message: Message) -> None:
        """Note each signed message once; one signed by an earlier process once for each process."""
        if isinstance(message, EvidenceMessage):
            name = self.evidence_name(message.evidence)
            if name.encode() not in member.said:
                member.said.add(name.encode())
                self._note(member, f"spread {name}")
        signed = _signed_in(message)
        if signed is None or (signed.validator if isinstance(signed, Vote) else signed.proposer) != member.address:
            return
        if signed.signature in member.said:
            return
        again = "again " if signed.signature in self._signed else ""
        member.said.add(signed.signature)
        self._signed.add(signed.signature)
        at, block = f"at {signed.height}/{signed.round}", self.block_name(signed.block_id, signed.height)
        if isinstance(signed, Vote):
            self._note(member, f"{again}{signed.kind} {block} {at}")
            return
        held = self._contents(message.block) if isinstance(message, ProposalMessage) else " compact"
        old = f" of round {signed.valid_round}" if signed.valid_round >= 0 else ""
        self._note(member, f"{again}propose {block}{held}{old} {at}")

    def _note(self, member: Member, what: str) -> None:
        self.done.append((what, member.name))


def _account(key: str) -> PrivateKey:
    return dev_key("account", key)


def _signed_in(message: Message) -> Vote | Proposal | None:
    if isinstance(message, VoteMessage):
        return message.vote
    return message.proposal if isinstance(message, ProposalMessage | CompactProposal) else None
