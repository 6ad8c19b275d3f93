"""Observers of the production code: counts the `upon` rules that fire, and caches signature verifications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nacl.exceptions import BadSignatureError

from node.chain.vote import NIL
from node.consensus.machine import Machine
from node.consensus.messages import Step
from node.crypto import signing

RULES = (
    "L14 propose new",
    "L16 propose valid value",
    "L22 prevote block",
    "L22 prevote nil",
    "L22 lock held",
    "L28 prevote block",
    "L28 prevote nil",
    "L28 lock held",
    "L34 any prevotes",
    "L36 lock",
    "L36 valid only",
    "L44 nil polka",
    "L47 any precommits",
    "L49 decide",
    "L55 skip round",
    "L57 propose timeout",
    "L61 prevote timeout",
    "L65 precommit timeout",
    "body needed",
    "restored",
)


@contextmanager
def rules_counted(counter: Counter[str]) -> Iterator[None]:
    """Count the rules of every machine by name, without changing behaviour."""
    originals: dict[str, Any] = {}

    def observe(name: str, after: Any) -> None:
        original = originals[name] = getattr(Machine, name)

        def observed(self: Machine, *args: Any) -> Any:
            before = (self.round, self.step_now)
            answer = original(self, *args)
            rule = after(self, before, args, answer)
            if rule:
                counter[rule] += 1
            return answer

        setattr(Machine, name, observed)

    def proposal_answered(machine: Machine, before: Any, args: Any, fired: bool) -> str:
        proposal = machine.proposal(machine.round)
        if not fired or proposal is None:
            return ""
        last, locked = _last_vote(machine), machine.locked
        if last == NIL and locked is not None and locked.block_id != proposal.block_id:
            return f"{'L22' if proposal.valid_round == -1 else 'L28'} lock held"
        return f"{'L22' if proposal.valid_round == -1 else 'L28'} prevote {'nil' if last == NIL else 'block'}"

    def polka(machine: Machine, before: Any, args: Any, fired: bool) -> str:
        return "" if not fired else "L36 lock" if before[1] is Step.PREVOTE else "L36 valid only"

    def timeout(machine: Machine, before: Any, args: Any, _: Any) -> str:
        if before == (machine.round, machine.step_now):
            return ""
        return {Step.PROPOSE: "L57 propose", Step.PREVOTE: "L61 prevote", Step.PRECOMMIT: "L65 precommit"}[
            args[0]
        ] + " timeout"

    def when(rule: str) -> Any:
        return lambda machine, before, args, fired: rule if fired else ""

    def starting(machine: Machine, before: Any, args: Any, _: Any) -> str:
        if machine.own is None or machine.validators.proposer(machine.height, machine.round) != machine.own:
            return ""
        return "L16 propose valid value" if machine.valid is not None else "L14 propose new"

    observe("_answer_proposal", proposal_answered)
    observe("_on_any_prevotes", when("L34 any prevotes"))
    observe("_on_polka", polka)
    observe("_on_nil_polka", when("L44 nil polka"))
    observe("_on_any_precommits", when("L47 any precommits"))
    observe("_decide_on_certificate", when("L49 decide"))
    observe("_skip_round", when("L55 skip round"))
    observe("_on_timeout", timeout)
    observe("_start_round", starting)
    observe("_need", lambda *_: "body needed")
    observe("restore", lambda *_: "restored")
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(Machine, name, original)


def _last_vote(machine: Machine) -> bytes:
    for effect in reversed(machine._effects):
        if hasattr(effect, "kind") and effect.kind == "prevote":
            return effect.block_id
    return b"follower"


@contextmanager
def signatures_remembered() -> Iterator[None]:
    """Cache libsodium's verifications by (key, signature and message)."""
    original = signing.crypto_sign_open
    judged: dict[tuple[bytes, bytes], bool] = {}

    def remembered(signed: bytes, key: bytes) -> bytes:
        is_good = judged.get((signed, key))
        if is_good is None:
            try:
                original(signed, key)
                is_good = True
            except (BadSignatureError, ValueError):
                is_good = False
            judged[signed, key] = is_good
        if not is_good:
            raise BadSignatureError("judged before")
        return signed[64:]

    signing.crypto_sign_open = remembered  # type: ignore[assignment]
    try:
        yield
    finally:
        signing.crypto_sign_open = original
