"""Scenario traces of whole replicas: several validators, several heights, as text.

One file plays production replicas over stores in memory (`replica_network`): messages arrive at once unless a line
loses them, and time passes only with `wait`. The paper's rules within one machine are tested by `support.traces`,
networks here. Blank lines and `#` comments aside:

    validators a=10 b=10 c=10 d=10 e=0     powers in the order of addresses; 0: a member that is not a validator yet
    parameters timeout_cap_ms=2000         optional

    > ...   an input     < ...   an effect of it     = ...   state after it

Inputs.

    > start a b c d                   start processes from their disks; validators listen for 3 s before they sign
    > kill c                          one or several at the same time; messages in flight to them are lost
    > wait 3000                       milliseconds: timers fire, each at its time
    > lose prevote of b to c d        from now on, whoever relays it; also proposal, precommit; without `of`: all
    > heal                            no message is lost any more
    > submit TX1 by a to b register   a transaction of member a, submitted to node b: a car,
    > submit TX1 by a to b power e 10     a proposal to give e this power; `admit e 10`: the first time, with its key,
    > submit TX2 by b to b vote TX1       or a yes vote for a proposal
    > poison TX1                      from now on its execution raises an unexpected exception
    > forge prevote A2 at 2/0 by c to a   signed with c's key, but not by its node; also precommit; nil for no block
    > forge evidence EV1 against c at 2/0 two prevotes of c for one step, for use in another line
    > tell EV1 to a                   a peer of a sends it the evidence
    > forge proposal with TX1 EV1 at 5/0 by c to a b   a new block with these contents, valid or not

Effects, in the order in which they first happened; nodes with the same effect share one line.

    < admit by b                      < refuse CODE by b                the node's answer to `submit`
    < signing by a b c d              < stopped by c                    a validator's duty
    < propose A1 with TX1 at 1/0 by a     < propose A1 of round 0 at 1/1 by a    a re-proposal
    < prevote A1 at 1/0 by a b c d    < precommit nil at 1/0 by c       heights and rounds: 1/0
    < again precommit A1 at 1/0 by a                                    signed by an earlier process, sent again
    < round 1/1 by a b                < commit A1 with TX1 at 1/0 by a b c d
    < reject B2 poison by a                                             invalid here, and the rule it violates
    < quarantine TX1 by a             < drop TX1 by a                   out of the pool
    < catch c by a                    < spread EV1 by a b d             an equivocation detected; evidence relayed
    < accuse CODE by a                < halt by a                       and any other notice, by its name

State: `= heights a=3 b=3`, `powers` (in force at the next height, at every node), `duty`, `locked` (`A1@0` or `none`),
`round`, `pool` (pending transactions); nodes that are not named are not checked.

Blocks are named by height, in the order in which they first occur: A1, B1, A2. Evidence that was not forged is also
named EV1, EV2, ... Every effect is asserted: an input without `<` lines has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from node.ledger.body import TransactionBody
from node.replica.messages import EvidenceMessage, VoteMessage
from node.txtypes.chain.actions import Action, ValidatorSetPower
from node.txtypes.chain.governance import GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import possession_bytes
from support.chain import HOUR_MS
from support.life import register
from support.replica_network import ReplicaNetwork
from support.signing import sign_transaction
from support.traces import TraceError, TraceMismatch

LOSABLE = ("proposal", "prevote", "precommit")
STATES = ("heights", "powers", "duty", "locked", "round", "pool")


@dataclass
class Move:
    line: int
    text: str
    effects: list[tuple[int, str]] = field(default_factory=list)
    states: list[tuple[int, str]] = field(default_factory=list)


class Words:
    """The remaining words of a line."""

    def __init__(self, where: str, text: str, names: tuple[str, ...]) -> None:
        self._where, self._words, self._names = where, text.split(), names

    def wrong(self, what: str) -> TraceError:
        return TraceError(f"{self._where}: {what}")

    def take(self, *allowed: str) -> str:
        word = self._words.pop(0) if self._words else "the end of the line"
        if allowed and word not in allowed:
            raise self.wrong(f"expected {' or '.join(allowed)}, found {word!r}")
        return word

    def skip(self, keyword: str) -> bool:
        """Take the next word if it is `keyword`; returns whether it was."""
        if self._words and self._words[0] == keyword:
            return bool(self._words.pop(0))
        return False

    def matching(self, pattern: str, what: str) -> str:
        word = self.take()
        if not re.fullmatch(pattern, word):
            raise self.wrong(f"expected {what}, found {word!r}")
        return word

    def number(self) -> int:
        return int(self.matching(r"[0-9]+", "a number"))

    def node(self) -> str:
        return self.take(*self._names)

    def nodes(self) -> tuple[str, ...]:
        nodes = [self.node()]
        while self._words and self._words[0] in self._names:
            nodes.append(self.node())
        return tuple(nodes)

    def named(self, *kinds: str) -> str:
        return self.matching(rf"({'|'.join(kinds)})[0-9]+", f"a name like {kinds[0]}1")

    def all_named(self, *kinds: str) -> list[str]:
        names = [self.named(*kinds)]
        while self._words and self._words[0] != "at":
            names.append(self.named(*kinds))
        return names

    def at(self) -> tuple[int, int]:
        self.take("at")
        height, round_ = self.matching(r"[0-9]+/[0-9]+", "HEIGHT/ROUND").split("/")
        return int(height), int(round_)

    def end(self) -> None:
        if self._words:
            raise self.wrong(f"nothing more is expected here, found {self._words[0]!r}")


class Play:
    """A network on which the inputs of a trace are carried out."""

    def __init__(self, name: str, powers: dict[str, int], params: dict[str, int]) -> None:
        self._name = name
        self.network = ReplicaNetwork(powers, **params)

    def words(self, line: int, text: str) -> Words:
        return Words(f"{self._name}:{line}", text, tuple(self.network.members))

    def carry_out(self, move: Move) -> list[str]:
        """Carry out an input; returns its effects as lines."""
        words, network = self.words(move.line, move.text), self.network
        network.done.clear()
        match words.take("start", "kill", "wait", "lose", "heal", "submit", "poison", "forge", "tell"):
            case "start":
                network.start(*words.nodes())
            case "kill":
                network.kill(*words.nodes())
            case "wait":
                network.pass_time(words.number())
            case "lose":
                kind = words.take(*LOSABLE)
                signers = words.nodes() if words.skip("of") else ()
                words.take("to")
                network.lose(kind, signers, words.nodes())
            case "heal":
                network.heal()
            case "submit":
                self._submit(words)
            case "poison":
                network.poisoned.add(network.transactions[words.named("TX")].txid)
            case "tell":
                evidence = network.evidence[words.named("EV")]
                words.take("to")
                network.hear(EvidenceMessage(evidence), words.nodes())
            case _:
                self._forge(words)
        words.end()
        return grouped(network.done)

    def _submit(self, words: Words) -> None:
        name = words.named("TX")
        words.take("by")
        sender = words.node()
        words.take("to")
        node = words.node()
        member, network = self.network.members[sender], self.network
        raw = sign_transaction(
            member.address,
            self._body(words),
            [(member.address, member.account)],
            network.genesis_hash,
            salt=int(name[2:]),
            expires_at_ms=network.now + HOUR_MS,
        )
        network.submit(name, raw, node)

    def _body(self, words: Words) -> TransactionBody:
        network = self.network
        match words.take("register", "vote", "power", "admit"):
            case "register":
                return register(f"WBA8E9G50GNU{len(network.transactions):05d}")
            case "vote":
                return GovernanceVote(network.transactions[words.named("TX")].txid, True)
            case "power":
                action: Action = ValidatorSetPower(network.members[words.node()].address, words.number(), b"", b"")
            case _:
                member = network.members[words.node()]
                key = member.consensus
                proof = key.sign(possession_bytes(network.genesis_hash, member.address, key.public))
                action = ValidatorSetPower(member.address, words.number(), key.public, proof)
        return GovernancePropose(action)

    def _forge(self, words: Words) -> None:
        network = self.network
        kind = words.take("prevote", "precommit", "evidence", "proposal")
        if kind == "evidence":
            name = words.named("EV")
            words.take("against")
            offender = words.node()
            network.evidence[name] = network.forged_evidence(*words.at(), offender)
            return
        contents: list[str] = []
        if kind == "proposal":
            words.take("with")
            contents += words.all_named("TX", "EV")
        else:
            contents.append(words.matching(r"nil|[A-Z][0-9]+", "a block"))
        height, round_ = words.at()
        words.take("by")
        sender = words.node()
        words.take("to")
        targets = words.nodes()
        if kind == "proposal":
            network.hear(network.forged_proposal(tuple(contents), height, round_, sender), targets)
            return
        try:
            vote = network.forged_vote(kind, contents[0], height, round_, sender)
        except KeyError as error:
            raise words.wrong(str(error.args[0])) from None
        network.hear(VoteMessage(vote), targets)

    # --- state ----------------------------------------------------------------------------------------
    def state(self, line: int, text: str) -> str:
        """The state line as it should be."""
        words = self.words(line, text)
        key = words.take(*STATES)
        pairs = [pair.partition("=") for pair in text.split()[1:]]
        for name, _, _ in pairs:
            if name not in self.network.members:
                raise words.wrong(f"{name!r} is none of the validators")
        return " ".join([key, *(f"{name}={self._state_of(key, name)}" for name, _, _ in pairs)])

    def _state_of(self, key: str, name: str) -> str:
        network, member = self.network, self.network.members[name]
        if key == "powers":
            sets = [up.running.store.head().validators for up in network.up()]
            powers = sorted(
                {validators.power(member.address) if member.address in validators else 0 for validators in sets}
            )
            return "/".join(map(str, powers))
        replica = member.running
        match key:
            case "heights":
                return str(replica.store.height())
            case "duty":
                return str(replica.doppelganger.duty) if replica.doppelganger else "none"
            case "round":
                return str(replica.machine.round)
            case "pool":
                return str(len(replica.pool))
            case _:
                lock = replica.machine.locked
                return f"{network.block_name(lock.block_id, replica.machine.height)}@{lock.round}" if lock else "none"


def grouped(done: list[tuple[str, str]]) -> list[str]:
    """One line per effect for all nodes with it, in the order in which it first happened."""
    by_what: dict[str, list[str]] = {}
    for what, who in done:
        by_what.setdefault(what, []).append(who)
    return [f"{what} by {' '.join(sorted(who))}" for what, who in by_what.items()]


def parse(name: str, text: str) -> tuple[Play, list[Move]]:
    """Parse a trace. Raises `TraceError` for a line that is not in the format."""
    head: dict[str, dict[str, int]] = {"validators": {}, "parameters": {}}
    moves: list[Move] = []
    for number, whole in enumerate(text.splitlines(), 1):
        line = " ".join(whole.split("#")[0].split())
        where = f"{name}:{number}"
        if not line:
            continue
        if line[0] == ">":
            moves.append(Move(number, line[1:].strip()))
        elif line[0] in "<=" and not moves:
            raise TraceError(f"{where}: nothing has gone in yet")
        elif line[0] == "=":
            moves[-1].states.append((number, line[1:].strip()))
        elif line[0] == "<" and moves[-1].states:
            raise TraceError(f"{where}: effects stand before the state that follows them")
        elif line[0] == "<":
            moves[-1].effects.append((number, line[1:].strip()))
        elif moves or line.split()[0] not in head or not re.fullmatch(r"\w+( [a-z_]+=[0-9]+)+", line):
            raise TraceError(f"{where}: expected validators, parameters, '>', '<' or '=', found {line!r}")
        else:
            head[line.split()[0]] = {key: int(value) for key, _, value in (w.partition("=") for w in line.split()[1:])}
    if not moves or not head["validators"]:
        raise TraceError(f"{name}: a trace begins with 'validators a=10 b=10 ...' and has an input")
    return Play(name, head["validators"], head["parameters"]), moves


def run(name: str, text: str) -> ReplicaNetwork:
    """Play a trace. Raises `TraceMismatch` at the first input whose effects or state differ."""
    play, moves = parse(name, text)
    for move in moves:
        actual = [f"< {line}" for line in play.carry_out(move)]
        actual += [f"= {play.state(number, said)}" for number, said in move.states]
        said = [f"< {line}" for _, line in move.effects] + [f"= {line}" for _, line in move.states]
        if said != actual:
            raise TraceMismatch(_difference(name, move, said, actual))
    return play.network


def _difference(name: str, move: Move, said: list[str], actual: list[str]) -> str:
    """The expected (-) and actual (+) lines, after those that agree."""
    same = next((i for i, (one, other) in enumerate(zip(said, actual, strict=False)) if one != other), None)
    same = min(len(said), len(actual)) if same is None else same
    numbers = [number for number, _ in move.effects + move.states]
    at = numbers[same] if same < len(numbers) else numbers[-1] if numbers else move.line
    lines = [f"  {line}" for line in said[:same]]
    lines += [f"- {line}" for line in said[same:]] + [f"+ {line}" for line in actual[same:]]
    return f"{name}:{at}: after '> {move.text}'\n" + "\n".join(lines)


def run_file(path: Path) -> ReplicaNetwork:
    return run(path.name, path.read_text(encoding="utf-8"))
