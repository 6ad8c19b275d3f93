"""Scenario traces of the consensus machine: its inputs and expected effects as text.

One file plays one validator's `Machine` through one height. Lines, blank ones and `#` comments aside (a comment may
also end a line; comments cite the paper's lines, as in "L22"):

    validators a=1 b=1 c=1 d=1   we are a      powers in the order of addresses; `we are nobody` for a follower
    proposers a b c d                          optional, for the reader: of rounds 0, 1, ...; checked

    > ...   an input     < ...   an expected effect, in order     = ...   state after it

Inputs. Our own messages are inputs too: each signed one must follow as an input line.

    > start
    > built X round 0                                      answers `build`
    > proposal X round 0 valid_round -1 from a             add `untimely` at the end for a bad block time
    > judged X valid                                       or invalid
    > prevote X round 0 from b c d                         one vote each; also precommit; nil for no block
    > polka X round 0                                      a verified certificate of prevotes
    > commit X round 0                                     a verified certificate of precommits
    > timeout propose round 0                              also prevote, precommit
    > restored round 0 step prevote locked X@0 valid none  from hard state, before any start

Effects.

    < round 0                                   < build round 0
    < schedule propose round 0                  < sign proposal X round 0 valid_round -1
    < sign prevote X round 0                    < need X
    < evidence prevote round 0 from d nil X     < decide X round 0
    < halt X round 0                            decided, but invalid here

State, any of these: `= step prevote round 0 locked X@0 valid none wants_start no`.

Block names are capital letters and digits, validators' names small letters. Any other word is an error that names the
line. Every effect is asserted: an input without `<` lines has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from node.chain.validators import ValidatorSet
from node.chain.vote import NIL, Evidence, Proposal, Vote
from node.consensus import messages as m
from node.consensus.machine import Machine
from node.consensus.messages import Lock, Step
from node.txtypes.chain.validator_set import ValidatorEntry

NO_SIGNATURE = bytes(64)
HEIGHT = 2520
"""A multiple of every total power up to 10, so that the first of the proposer sequence proposes in round 0."""
STEPS = {step.name.lower(): step for step in Step}
TIMED = ("propose", "prevote", "precommit")
KINDS = ("prevote", "precommit")


# --- names ------------------------------------------------------------------------------------------------
def block_id(name: str) -> bytes:
    return NIL if name == "nil" else name.encode().ljust(32, b".")


def block_name(ident: bytes) -> str:
    return ident.rstrip(b".").decode() if ident else "nil"


def validator(name: str) -> bytes:
    """The address of a name; names sort like their addresses."""
    return name.encode().ljust(20, b".")


def validator_name(address: bytes) -> str:
    return address.rstrip(b".").decode()


def validator_set(**powers: int) -> ValidatorSet:
    """Validators without keys: the machine does not verify signatures."""
    entries = [ValidatorEntry(validator(name), validator(name).ljust(32, b"."), p) for name, p in powers.items()]
    return ValidatorSet(tuple(sorted(entries, key=lambda entry: entry.address)))


def vote(kind: str, block: str, round_: int, by: str, height: int = HEIGHT) -> Vote:
    return Vote(kind, height, round_, block_id(block), validator(by), NO_SIGNATURE)


def proposal(block: str, round_: int, by: str, height: int = HEIGHT) -> Proposal:
    return Proposal(height, round_, block_id(block), -1, validator(by), NO_SIGNATURE)


# --- a parsed trace -----------------------------------------------------------------------------------------
class TraceError(Exception):
    """A trace that does not parse, with file and line."""


class TraceMismatch(AssertionError):
    """The machine's effects or state differ from the trace."""


@dataclass(frozen=True)
class Restored:
    round: int
    step: Step
    locked: Lock | None
    valid: Lock | None


@dataclass
class Move:
    """One input line with its expected effects and state."""

    line: int
    text: str
    inputs: list[m.Input | Restored]
    effects: list[tuple[int, m.Effect]]
    states: list[tuple[int, list[tuple[str, str]]]]


@dataclass(frozen=True)
class Trace:
    name: str
    lines: list[str]
    validators: ValidatorSet
    own: bytes | None
    moves: list[Move]


class Words:
    """The remaining words of a line."""

    def __init__(self, where: str, text: str, names: frozenset[str]) -> None:
        self._where, self._words, self._names = where, text.split(), names

    def wrong(self, what: str) -> TraceError:
        return TraceError(f"{self._where}: {what}")

    def more(self) -> bool:
        return bool(self._words)

    def take(self, *allowed: str) -> str:
        word = self._words.pop(0) if self._words else "the end of the line"
        if allowed and word not in allowed:
            raise self.wrong(f"expected {' or '.join(allowed)}, found {word!r}")
        return word

    def number(self) -> int:
        word = self.take()
        if not re.fullmatch(r"-1|[0-9]+", word):
            raise self.wrong(f"expected a number, found {word!r}")
        return int(word)

    def after(self, keyword: str) -> int:
        self.take(keyword)
        return self.number()

    def block(self) -> bytes:
        word = self.take()
        if word != "nil" and not re.fullmatch(r"[A-Z][A-Z0-9]*", word):
            raise self.wrong(f"expected a block, found {word!r}")
        return block_id(word)

    def sender(self) -> bytes:
        return validator(self.take(*sorted(self._names)))

    def senders(self) -> list[bytes]:
        self.take("from")
        senders = [self.sender()]
        while self._words:
            senders.append(self.sender())
        return senders

    def lock(self, keyword: str) -> Lock | None:
        self.take(keyword)
        word = self.take()
        if word == "none":
            return None
        match = re.fullmatch(r"([A-Z][A-Z0-9]*)@([0-9]+)", word)
        if match is None:
            raise self.wrong(f"expected BLOCK@ROUND or none, found {word!r}")
        return Lock(int(match[2]), block_id(match[1]))

    def end(self) -> None:
        if self._words:
            raise self.wrong(f"nothing more is expected here, found {self._words[0]!r}")


# --- lines to inputs, effects, states ---------------------------------------------------------------------------
def _inputs(words: Words, trace: Trace) -> list[m.Input | Restored]:
    verb = words.take(
        "start", "built", "proposal", "judged", "prevote", "precommit", "polka", "commit", "timeout", "restored"
    )
    match verb:
        case "start":
            return [m.StartHeight()]
        case "built":
            ident = words.block()
            return [m.BlockBuilt(words.after("round"), ident)]
        case "proposal":
            ident, round_, valid_round = words.block(), words.after("round"), words.after("valid_round")
            words.take("from")
            sender = words.sender()
            if sender != trace.validators.proposer(HEIGHT, round_):
                raise words.wrong(f"round {round_} is not {validator_name(sender)}'s to propose in")
            timely = not words.more() or words.take("untimely") != "untimely"
            return [m.ProposalReceived(Proposal(HEIGHT, round_, ident, valid_round, sender, NO_SIGNATURE), timely)]
        case "judged":
            ident = words.block()
            return [m.BlockJudged(ident, words.take("valid", "invalid") == "valid")]
        case "prevote" | "precommit":
            ident, round_ = words.block(), words.after("round")
            votes = [Vote(verb, HEIGHT, round_, ident, sender, NO_SIGNATURE) for sender in words.senders()]
            return [m.VoteReceived(each) for each in votes]
        case "polka" | "commit":
            ident = words.block()
            return [m.QuorumProved("prevote" if verb == "polka" else "precommit", words.after("round"), ident)]
        case "timeout":
            step = STEPS[words.take(*TIMED)]
            return [m.TimeoutFired(step, words.after("round"))]
        case _:
            round_ = words.after("round")
            words.take("step")
            return [Restored(round_, STEPS[words.take(*STEPS)], words.lock("locked"), words.lock("valid"))]


def _effect(words: Words, trace: Trace) -> m.Effect:
    match words.take("round", "schedule", "build", "sign", "need", "evidence", "decide", "halt"):
        case "round":
            return m.RoundStarted(words.number())
        case "schedule":
            step = STEPS[words.take(*TIMED)]
            return m.ScheduleTimeout(step, words.after("round"))
        case "build":
            return m.BuildBlock(words.after("round"))
        case "sign":
            kind, ident = words.take("proposal", *KINDS), words.block()
            round_ = words.after("round")
            if kind == "proposal":
                return m.SignProposal(round_, ident, words.after("valid_round"))
            return m.SignVote(kind, round_, ident)
        case "need":
            return m.NeedBlock(words.block())
        case "evidence":
            kind, round_ = words.take(*KINDS), words.after("round")
            words.take("from")
            sender = words.sender()
            first, second = (
                Vote(kind, HEIGHT, round_, ident, sender, NO_SIGNATURE) for ident in (words.block(), words.block())
            )
            return m.FoundEvidence(Evidence(first, second))
        case "decide":
            ident = words.block()
            return m.Decide(words.after("round"), ident)
        case _:
            ident = words.block()
            return m.DecidedInvalid(words.after("round"), ident)


def effect_text(effect: m.Effect) -> str:
    match effect:
        case m.RoundStarted(round_):
            return f"round {round_}"
        case m.ScheduleTimeout(step, round_):
            return f"schedule {step.name.lower()} round {round_}"
        case m.BuildBlock(round_):
            return f"build round {round_}"
        case m.SignProposal(round_, ident, valid_round):
            return f"sign proposal {block_name(ident)} round {round_} valid_round {valid_round}"
        case m.SignVote(kind, round_, ident):
            return f"sign {kind} {block_name(ident)} round {round_}"
        case m.NeedBlock(ident):
            return f"need {block_name(ident)}"
        case m.FoundEvidence(evidence):
            one, two = evidence.first, evidence.second
            names = f"{validator_name(one.validator)} {block_name(one.block_id)} {block_name(two.block_id)}"
            return f"evidence {one.kind} round {one.round} from {names}"
        case m.Decide(round_, ident):
            return f"decide {block_name(ident)} round {round_}"
        case m.DecidedInvalid(round_, ident):
            return f"halt {block_name(ident)} round {round_}"


def _state(words: Words) -> list[tuple[str, str]]:
    claims = []
    while words.more():
        key = words.take("step", "round", "locked", "valid", "wants_start")
        match key:
            case "step":
                claims.append((key, words.take(*STEPS)))
            case "round":
                claims.append((key, str(words.number())))
            case "wants_start":
                claims.append((key, words.take("yes", "no")))
            case _:
                claims.append((key, words.take()))
    return claims


def _lock_text(lock: Lock | None) -> str:
    return f"{block_name(lock.block_id)}@{lock.round}" if lock else "none"


def _state_text(machine: Machine, key: str) -> str:
    match key:
        case "step":
            return machine.step_now.name.lower()
        case "round":
            return str(machine.round)
        case "wants_start":
            return "yes" if machine.wants_start() else "no"
        case "locked":
            return _lock_text(machine.locked)
        case _:
            return _lock_text(machine.valid)


# --- files ---
def _head(name: str, numbered: list[tuple[int, str]]) -> Trace:
    """The lines before the first input."""
    fields = dict.fromkeys(("validators", "proposers"), "")
    where = name
    for number, text in numbered:
        where = f"{name}:{number}"
        key, _, rest = text.partition(" ")
        if key not in fields:
            raise TraceError(f"{where}: expected validators, proposers or an input, found {key!r}")
        fields[key] = rest
    match = re.fullmatch(r"\s*((?:[a-z]+=[0-9]+\s+)+)we are ([a-z]+)\s*", fields["validators"])
    if match is None:
        raise TraceError(f"{name}: a trace begins with 'validators a=1 b=1 ...   we are a'")
    powers = {each.split("=")[0]: int(each.split("=")[1]) for each in match[1].split()}
    if match[2] not in powers and match[2] != "nobody":
        raise TraceError(f"{name}: {match[2]!r} is none of the validators")
    validators = validator_set(**powers)
    for round_, said in enumerate(fields["proposers"].split()):
        actual = validator_name(validators.proposer(HEIGHT, round_))
        if said != actual:
            raise TraceError(f"{where}: round {round_} is {actual}'s to propose in, not {said}'s")
    return Trace(name, [], validators, validator(match[2]) if match[2] != "nobody" else None, [])


def parse(name: str, text: str) -> Trace:
    """Parse a trace. Raises `TraceError` for a line that is not in the format."""
    numbered = [(i, line.split("#")[0].strip()) for i, line in enumerate(text.splitlines(), 1)]
    numbered = [(i, line) for i, line in numbered if line]
    begin = next((k for k, (_, line) in enumerate(numbered) if line[0] in "><="), len(numbered))
    trace = _head(name, numbered[:begin])
    trace.lines.extend(text.splitlines())
    names = frozenset(validator_name(entry.address) for entry in trace.validators.entries)
    moves = trace.moves
    for number, line in numbered[begin:]:
        words = Words(f"{name}:{number}", line[1:], names)
        if line[0] == ">":
            moves.append(Move(number, line, _inputs(words, trace), [], []))
        elif line[0] not in "<=":
            raise words.wrong(f"a line begins with '>', '<', '=' or '#', found {line!r}")
        elif not moves:
            raise words.wrong("nothing has gone in yet")
        elif line[0] == "=":
            moves[-1].states.append((number, _state(words)))
        elif moves[-1].states:
            raise words.wrong("effects stand before the state that follows them")
        else:
            moves[-1].effects.append((number, _effect(words, trace)))
        words.end()
    if not moves:
        raise TraceError(f"{name}: nothing goes in")
    return trace


def run(trace: Trace) -> Machine:
    """Play the trace on a fresh machine. Raises `TraceMismatch` at the first line that differs."""
    machine = Machine(HEIGHT, trace.validators, trace.own)
    for move in trace.moves:
        effects: list[m.Effect] = []
        for event in move.inputs:
            if isinstance(event, Restored):
                effects += machine.restore(event.round, event.step, event.locked, event.valid)
            else:
                effects += machine.step(event)
        expected = [(number, f"< {effect_text(effect)}") for number, effect in move.effects]
        actual = [f"< {effect_text(effect)}" for effect in effects]
        for number, pairs in move.states:
            expected.append((number, "= " + " ".join(f"{key} {said}" for key, said in pairs)))
            actual.append("= " + " ".join(f"{key} {_state_text(machine, key)}" for key, _ in pairs))
        if [line for _, line in expected] != actual:
            raise TraceMismatch(_difference(trace, move, expected, actual))
    return machine


def _difference(trace: Trace, move: Move, expected: list[tuple[int, str]], actual: list[str]) -> str:
    """The preceding lines, then the expected (-) and actual (+) ones."""
    same = 0
    while same < min(len(expected), len(actual)) and expected[same][1] == actual[same]:
        same += 1
    at = expected[same][0] if same < len(expected) else (expected[-1][0] if expected else move.line)
    before = expected[same - 1][0] if same else move.line
    lines = [f"  {i:>4}  {trace.lines[i - 1]}" for i in range(max(1, move.line - 5), before + 1)]
    lines += [f"- {number:>4}  {line}" for number, line in expected[same:]]
    lines += [f"+       {line}" for line in actual[same:]]
    return f"{trace.name}:{at}: after '{move.text}'\n" + "\n".join(lines)


def run_file(path: Path) -> Machine:
    return run(parse(path.name, path.read_text(encoding="utf-8")))
