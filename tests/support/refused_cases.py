"""Transactions that a node refuses: cases that the tables of the guard tests lack, and bytes that need no state."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from node import limits
from node.codec import encode
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.ledger.params import ChainParams
from node.ledger.signed import assemble
from node.txtypes.chain.actions import (
    HoldLift,
    MemberAdmit,
    MemberSetStatus,
    ParameterSet,
    RoleGrant,
    RoleSetStatus,
    RulesetActivate,
)
from node.txtypes.chain.governance import GovernancePropose, GovernanceVote
from node.txtypes.chain.validator_set import ValidatorPause, ValidatorResume
from node.txtypes.disputes.arbiters import ARBITERS, Arbiters
from node.txtypes.identity.account import AccountOpen
from node.txtypes.identity.quota import QUOTA, Quota
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import FRAUDS, FRAUDS_MAX, MEMBER, Fraud, Frauds, Grant, MemberUpdate
from node.txtypes.sale.deal import Fee
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, Reference
from node.txtypes.service.damage import Damage
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address
from support.disputing import granted
from support.governing import CHANGE, NOBODY, admission, give, power, propose, vote
from support.life import (
    VIN,
    Life,
    accept,
    accident,
    attest,
    changed,
    flag,
    handover,
    initiate,
    listing,
    maintenance,
    offer,
    read_today,
    register,
    terms,
    transfer,
)
from support.signers import rotate
from support.specimens import specimen
from support.stages import Case, at, change, force
from wallet.txfile import sign_payload

TYPE_TESTS = Path(__file__).resolve().parents[1] / "unit" / "txtypes"
SELLER, BUYER = "dealer-munich", "buyer-1"


def tabled() -> Iterator[tuple[str, Case]]:
    """(name, case) of every case in the tables of the type tests that is refused."""
    for path in sorted(TYPE_TESTS.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, test in vars(module).items():
            for mark in getattr(test, "pytestmark", ()):
                if name.startswith("test_") and mark.name == "parametrize" and mark.args[0] == "case":
                    for (case,) in (entry.values for entry in mark.args[1]):
                        if case.codes:
                            yield f"{name.removeprefix('test_').replace('_', ' ')}: {case.name}", case


# --- what the tables lack ----------------------------------------------------------------------------------
def _proposing(action: object) -> Callable[[Life], TransactionBody]:
    return lambda life: GovernancePropose(action(life.chain) if callable(action) else action)  # type: ignore[arg-type]


def _voting(proposal: Callable[[Life], bytes]) -> Callable[[Life], TransactionBody]:
    return lambda life: GovernanceVote(proposal(life), True)


def _proposed(life: Life) -> None:
    life.order = propose(life.chain, CHANGE)


def _refused(life: Life) -> None:
    _proposed(life)
    vote(life.chain, life.order, "dealer-munich", "dealer-shanghai", approve=False)


def _expired(family: object, name: str) -> Callable[[Life], None]:
    def pass_time(life: Life) -> None:
        life.chain.now = life.chain.state(family, getattr(life, name)).expires_at_ms

    return pass_time


def _vehicle(**changes: object) -> Callable[[Life], None]:
    return lambda life: change(life.chain, VEHICLE, VIN, **changes)


def _eight_readings(life: Life) -> None:
    author, most = address("workshop-berlin"), limits.READINGS_PER_AUTHOR_AND_DAY_MAX
    force(life.chain, ODOMETER, VIN, read_today(author, most, life.chain.now // DAY_MS))


def _used(weight: int, keys: int) -> Callable[[Life], None]:
    """What bmw has used today."""
    return lambda life: force(life.chain, QUOTA, address("bmw"), Quota(life.chain.now // DAY_MS, weight, keys, ()))


def _paid_twice(life: Life) -> None:
    """A second payment, and the first one's reference."""
    first, life.payment = (life.chain.do(BUYER, initiate(life.order, TEN)) for _ in range(2))
    life.chain.do("payment-provider-1", attest(life.chain, first, amount=TEN))


def delivery(stage: str) -> Callable[[Life], TransactionBody]:
    return lambda life: specimen("delivery.event", life.chain, {"order": life.order}, stage=stage)


def _grants(life: Life) -> None:
    grants = tuple(Grant("carrier", (f"W{i:02}",), "", (), 0, 0, changed("revoked", "ended")) for i in range(32))
    change(life.chain, MEMBER, address("bank-1"), grants=grants)


def _arbiters(life: Life) -> None:
    """As many members as the chain can have arbiters are arbiters."""
    names = ("insurer-1", "carrier-1", "police-1", "dismantler-1", "registrar-1", "registrar-2", "inspector-1",
             "inspector-2", "dealer-munich", "dealer-shanghai", "workshop-berlin")  # fmt: skip
    for name in names:
        granted(life, name, "arbiter")
    named = (*life.chain.state(ARBITERS, "all").addresses, *map(address, names))
    force(life.chain, ARBITERS, "all", Arbiters(tuple(sorted(named))))


def _frauds(life: Life) -> None:
    entries = tuple(Fraud(n.to_bytes(20, "big"), "", START_MS) for n in range(FRAUDS_MAX))
    force(life.chain, FRAUDS, "all", Frauds(entries))


def _each(times: int, sender: str, body: Callable[[Life], TransactionBody]) -> Callable[[Life], None]:
    def repeat(life: Life) -> None:
        for _ in range(times):
            life.chain.do(sender, body(life))

    return repeat


TEN = Money(10, "EUR")
BITCOIN = (AcceptedRail("bitcoin", (address("payment-provider-1"),)),)
NOT_ACCREDITED = (AcceptedRail("card", (address("dealer-munich"),)),)
STOLEN = (flag("stolen", "police-1", START_MS),)
MORE = (
    Case("account.open of an address that is open", "", "bmw",
         lambda life: AccountOpen((dev_key("account", BUYER).public,), 1, b""), ("account_exists",), (BUYER,)),
    Case("member.admit of no account", "", "bmw", _proposing(MemberAdmit(NOBODY, "b", "DE")), ("account_unknown",)),
    Case("member.admit of a member", "", "bmw", _proposing(MemberAdmit(address("bmw"), "b", "DE")), ("member_exists",)),
    Case("member.admit under a member's name", "", "bmw", _proposing(MemberAdmit(address(BUYER), "bmw", "DE")),
         ("member_name_taken",)),
    Case("member.admit with all that is wrong", "", "bmw", _proposing(MemberAdmit(address("bank-1"), "bmw", "XX")),
         ("code_unknown", "member_exists", "member_name_taken")),
    Case("member.set_status of no member", "", "bmw",
         _proposing(MemberSetStatus(address(BUYER), "suspended", "other")), ("member_unknown",)),
    Case("member.set_status of the last validator", "", "bmw",
         _proposing(MemberSetStatus(address("bmw"), "suspended", "other")), ("last_member", "power_total"), (),
         lambda life: give(life.chain, {"bmw": 10})),
    Case("role.grant of what is granted", "", "bmw", _proposing(RoleGrant(address("bank-1"), "bank", (), "", (), 0, 0)),
         ("grant_exists",)),
    Case("role.grant beyond 32", "", "bmw", _proposing(RoleGrant(address("bank-1"), "dealer", (), "", (), 0, 0)),
         ("grants_full",), (), _grants),
    Case("role.grant of one arbiter too many", "", "bmw",
         _proposing(RoleGrant(address("bank-1"), "arbiter", (), "", (), 0, 0)), ("arbiters_full",), (), _arbiters),
    Case("hold.lift of an author who writes", "", "bmw", _proposing(HoldLift(address("workshop-berlin"))),
         ("not_on_hold",)),
    Case("role.set_status of no grant", "", "bmw",
         _proposing(RoleSetStatus(address("bank-1"), "dealer", "revoked", "ended")), ("grant_unknown",)),
    Case("role.set_status for fraud where the list is full", "", "bmw",
         _proposing(RoleSetStatus(address("bank-1"), "bank", "revoked", "fraud")), ("frauds_full",), (), _frauds),
    Case("validator.set_power without possession", "", "bmw", _proposing(power("bank-1", 5)),
         ("possession_unproven",)),
    Case("validator.set_power with a key that was used", "", "bmw",
         _proposing(lambda chain: admission(chain, key="dealer-munich")), ("consensus_key_used",)),
    Case("validator.set_power above a third", "", "bmw", _proposing(power("bmw", 16)), ("power_above_third",)),
    Case("validator.set_power that moves a third", "", "bmw", _proposing(power("bmw", 24)),
         ("power_above_third", "power_moves_third")),
    Case("parameter.set of no parameter", "", "bmw", _proposing(ParameterSet("nonsense", 1)), ("parameter_unknown",)),
    Case("parameter.set out of range", "", "bmw", _proposing(ParameterSet("tx_lifetime_max_ms", 59_999)),
         ("parameter_range",)),
    Case("ruleset.activate of the past", "", "bmw", _proposing(RulesetActivate(1, 0, bytes(32))),
         ("ruleset_not_newer", "height_passed")),
    Case("a proposal by a member without power", "", "inspector-1", _proposing(CHANGE), ("not_a_validator",)),
    Case("a ninth open proposal", "", "bmw", _proposing(CHANGE), ("proposals_open",), (),
         _each(limits.PROPOSALS_OPEN_MAX, "bmw", _proposing(CHANGE))),
    Case("a vote on no proposal", "", "dealer-munich", _voting(lambda life: bytes(32)), ("proposal_unknown",)),
    Case("a second vote", "", "bmw", _voting(lambda life: life.order), ("already_voted",), (), _proposed),
    Case("a vote on what is refused", "", "workshop-berlin", _voting(lambda life: life.order), ("proposal_closed",),
         (), _refused),
    Case("a pause without power", "", "inspector-1", lambda life: ValidatorPause(), ("not_a_validator",)),
    Case("a resume without a pause", "", "workshop-berlin", lambda life: ValidatorResume(), ("not_paused",)),
    Case("an event before the car's birth", "born", "workshop-berlin",
         lambda life: maintenance(life.chain, event_at_ms=life.chain.state(VEHICLE, VIN).born_at_ms - 1),
         ("event_before_birth",)),
    Case("a ninth reading of the day", "born", "workshop-berlin", lambda life: maintenance(life.chain),
         ("readings_today",), (), _eight_readings),
    Case("a listing that ends now", "wholesale", SELLER, lambda life: listing(life.chain, expires_at_ms=life.chain.now),
         ("expiry_passed",)),
    Case("a listing with a rail that its country forbids", "wholesale", SELLER,
         lambda life: listing(life.chain, country="CN", rails=BITCOIN), ("rail_not_yet", "rail_forbidden")),
    Case("a listing with a provider of another trade", "wholesale", SELLER,
         lambda life: listing(life.chain, rails=NOT_ACCREDITED), ("provider_unaccredited",)),
    Case("a transfer of a stolen car", "born", "bmw", lambda life: transfer(life.chain), ("stop_flag",), (SELLER,),
         _vehicle(flags=STOLEN)),
    Case("a transfer under an illogical verdict", "born", "bmw", lambda life: transfer(life.chain),
         ("verdict_illogical",), (SELLER,), _vehicle(verdict="ILLOGICAL")),
    Case("a twenty-first live offer", "listed", BUYER, lambda life: offer(life.chain, life.listing), ("offers_live",),
         (), _each(limits.OFFERS_LIVE_MAX, BUYER, lambda life: offer(life.chain, life.listing))),
    Case("an answer after the deadline", "offered", SELLER, lambda life: accept(life.chain, life.order),
         ("order_expired",), (BUYER,), _expired(ORDER, "order")),
    Case("an offer for a listing that has ended", "listed", BUYER, lambda life: offer(life.chain, life.listing),
         ("listing_closed",), (), _expired(LISTING, "listing")),
    Case("a ninth open payment", "accepted", BUYER, lambda life: initiate(life.order, TEN), ("payments_full",), (),
         _each(8, BUYER, lambda life: initiate(life.order, TEN))),
    Case("a reference of another payment", "accepted", "payment-provider-1",
         lambda life: attest(life.chain, life.payment, amount=TEN), ("reference_used",), (), _paid_twice),
    Case("a thirty-third delivery event", "accepted", SELLER, delivery("arrived"), ("deliveries_full",), (),
         lambda life: change(life.chain, ORDER, life.order, deliveries=32)),
    Case("a pick-up after the arrival", "delivered", SELLER, delivery("picked_up"), ("delivery_order",)),
    Case("terms with much that is wrong", "listed", BUYER,
         lambda life: offer(life.chain, life.listing, terms=terms(
             TEN, rail="ether", fees=(Fee("PLATES", 11),), cancel_fee=2, contract="business", reserve_ms=61 * DAY_MS)),
         ("fees_exceed", "cancel_fee_high", "tax_scheme", "rail_not_accepted", "rail_not_yet",
          "hold_exceeds_reserve", "contract_kind")),
    Case("a transfer that two providers have seen", "paid", SELLER, lambda life: handover(life.chain, life.order),
         ("reference_shared",), (BUYER,), lambda life: change(life.chain, PAYMENT, life.payment, shared=True)),
    Case("a handover of what the buyer has not seen", "paid", SELLER,
         lambda life: handover(life.chain, life.order), ("acknowledgement_missing",), (BUYER,),
         lambda life: life.chain.do("workshop-berlin", accident(life.chain, 156))),
    Case("a handover below the newest reading", "paid", SELLER,
         lambda life: handover(life.chain, life.order, 120), ("handover_reading",), (BUYER,),
         lambda life: life.chain.do("workshop-berlin", maintenance(life.chain, 700))),
    Case("a 65th version of a listing", "listed", SELLER,
         lambda life: specimen("listing.update", life.chain, {"listing": life.listing}), ("listing_versions_full",), (),
         lambda life: change(life.chain, LISTING, life.listing, version=64)),
    Case("new keys beyond the day's quota", "", "bmw", lambda life: register(), ("keys_exhausted",), (),
         _used(0, ChainParams().keys_per_sponsor_day)),
    Case("a weight beyond the day's quota", "", "bmw", lambda life: register(), ("weight_exhausted",), (),
         _used(ChainParams().weight_per_sponsor_day, 0)),
    Case("a transfer that the receiver did not sign", "born", "bmw", lambda life: transfer(life.chain),
         ("signature_missing",)),
    Case("a signature nobody asked for", "born", "workshop-berlin", lambda life: maintenance(life.chain),
         ("signature_superfluous",), ("bmw",)),
    Case("an account that is not open", "born", "stranger", lambda life: maintenance(life.chain),
         ("account_unknown", "role_missing")),
)  # fmt: skip
"""Cases in the form of the guard tests."""


# --- the envelope ------------------------------------------------------------------------------------------
def _signed(chain: Chain, payload: bytes, *signers: str) -> bytes:
    return assemble(payload, [sign_payload(payload, chain.genesis_hash, address(name), dev_key("account", name))
                              for name in signers])  # fmt: skip


def enveloped() -> Iterator[tuple[str, Chain, bytes, tuple[str, ...]]]:
    """(name, chain, signed bytes, codes) of what no `Case` can sign."""
    chain = at("").chain
    yield "past its expiry", chain, chain.sign("bmw", rotate(), lifetime_ms=-1), ("transaction_expired",)
    yield "more than a day ahead", chain, chain.sign("bmw", rotate(), lifetime_ms=DAY_MS + 1), ("expiry_too_far",)
    unknown = encode([address("bmw"), 1, chain.now + HOUR_MS, ["vehicle.teleport", VIN, {"to": [1, 2]}]])
    yield "a type that no ruleset has", chain, _signed(chain, unknown, "bmw"), ("type_not_active",)
    other = dev_key("account", "stranger")
    payload, _ = msgspec.msgpack.decode(chain.sign("bmw", rotate()))
    foreign = assemble(payload, [sign_payload(payload, chain.genesis_hash, address("bmw"), other)])
    yield "by a key that is not the account's", chain, foreign, ("signature_missing", "signature_superfluous")
    raw = chain.sign("bmw", rotate())
    chain.produce(raw)
    yield "committed before", chain, raw, ("already_committed",)
    life = at("born")
    both = life.chain.sign("buyer-1", maintenance(life.chain, services=("NOTHING",), event_at_ms=1), lifetime_ms=-1)
    yield "with everything wrong", life.chain, both, (
        "transaction_expired", "code_unknown", "role_missing", "event_before_birth",
    )  # fmt: skip


# --- bytes that need no state --------------------------------------------------------------------------------
ORDER_OF_THE_GROUP = 2**252 + 27742317777372353535851937790883648493


def without_state() -> Iterator[tuple[str, bytes, str]]:
    """(name, signed bytes, code) of what is refused before any state is read."""
    chain = at("born").chain
    good = chain.sign("bmw", transfer(chain), "dealer-munich")
    payload, signatures = msgspec.msgpack.decode(good)
    sender, salt, expires, body = msgspec.msgpack.decode(payload)
    pack = msgspec.msgpack.encode

    def with_body(*fields: object) -> bytes:
        return _signed(chain, pack([sender, salt, expires, list(fields)]), "bmw", "dealer-munich")

    def with_payload(raw: bytes) -> bytes:
        return _signed(chain, raw, "bmw", "dealer-munich")

    yield "no bytes", b"", "malformed"
    yield "cut by one byte", good[:-1], "malformed"
    yield "one byte more", good + b"\x00", "malformed"
    yield "a map for the envelope", pack({"payload": payload, "signatures": signatures}), "malformed"
    yield "no list of signatures", pack([payload]), "malformed"
    yield "a third element", pack([payload, signatures, 0]), "malformed"
    yield "a payload that is a string", pack([payload.hex(), signatures]), "malformed"
    yield "a long form of a short length", b"\xdc\x00\x02" + good[1:], "malformed"
    yield (
        "a payload with a long form of an integer",
        with_payload(b"\x94" + pack(sender) + b"\xcf" + salt.to_bytes(8, "big") + pack(expires) + pack(body)),
        "malformed",
    )
    yield "a float for an integer", with_body(*body[:6], float(body[6]), *body[7:]), "malformed"
    yield "bytes after the payload", with_payload(payload + b"\xc0"), "malformed"
    yield "a sender of 19 bytes", with_payload(pack([sender[:-1], salt, expires, body])), "malformed"
    yield "a negative salt", with_payload(pack([sender, -1, expires, body])), "malformed"
    yield "a time after the year 9999", with_payload(pack([sender, salt, limits.TIME_MAX_MS + 1, body])), "malformed"
    yield "a type in another form", with_body("Title.Transfer", *body[1:]), "malformed"
    yield "a field too few", with_body(*body[:-1]), "malformed"
    yield "a field too many", with_body(*body, 0), "malformed"
    yield "a VIN in lower case", with_body(body[0], VIN.lower(), *body[2:]), "malformed"
    yield "a VIN with a line end", with_body(body[0], VIN + "\n", *body[2:]), "malformed"
    yield "a reason that does not exist", with_body(*body[:3], "gift", *body[4:]), "malformed"
    yield "a reading of -1", with_body(*body[:5], [-1, "km", "cluster"], *body[6:]), "malformed"
    yield "nil where nothing is optional", with_body(*body[:5], None, *body[6:]), "malformed"
    yield "signatures in descending order", pack([payload, signatures[::-1]]), "malformed"
    yield "a signature twice", pack([payload, [signatures[0], *signatures]]), "malformed"
    yield "17 signatures", pack([payload, [[bytes([n]) * 20, bytes(32), bytes(64)] for n in range(17)]]), "malformed"
    yield "a public key of 31 bytes", pack([payload, [[sender, bytes(31), bytes(64)]]]), "malformed"
    for name, bad in _against_static_rules(chain):
        yield name, _signed(chain, pack([sender, salt, expires, bad]), "bmw", "dealer-munich"), "malformed"
    yield "a flipped bit in a signature", good[:-1] + bytes([good[-1] ^ 1]), "bad_signature"
    theirs = [sign_payload(payload, bytes(32), address(n), dev_key("account", n)) for n in ("bmw", "dealer-munich")]
    yield "signatures for another chain", assemble(payload, theirs), "bad_signature"
    (who, key, signature), *rest = signatures
    too_high = int.from_bytes(signature[32:], "little") + ORDER_OF_THE_GROUP
    bent = [who, key, signature[:32] + too_high.to_bytes(32, "little")]
    yield "an S that is not reduced", pack([payload, [bent, *rest]]), "bad_signature"
    identity = b"\x01" + bytes(31)
    anybody = pack([address_of(identity), salt, expires, body])
    yield (
        "a key and an R of small order",
        pack([anybody, [[address_of(identity), identity, identity + bytes(32)]]]),
        "bad_signature",
    )
    yield "65,537 bytes", good + bytes(limits.TX_BYTES_MAX + 1 - len(good)), "too_large"


def _against_static_rules(chain: Chain) -> Iterator[tuple[str, TransactionBody]]:
    keys = dev_key("account", "bmw").public, dev_key("account", "buyer-1").public
    yield "a day that no calendar has", register(produced_on="2025-02-30")
    yield "a car from before 1970", register(produced_on="1969-12-31")
    yield "more signatures than keys", AccountOpen(keys, 3, b"")
    yield "a key twice", AccountOpen((keys[0], keys[0]), 1, b"")
    yield "a sealing hash of 31 bytes", AccountOpen(keys, 1, bytes(31))
    yield "a zone twice", accident(chain, damages=(Damage("front", "cosmetic"), Damage("front", "bolt_on")))
    yield "a rail twice", listing(chain, rails=BITCOIN * 2)
    yield "a payment of nothing", initiate(bytes(32), Money(0, "EUR"))
    yield "an entry of 31 bytes", specimen("payment.attest", reference=Reference(bytes(31), None))
    yield "a UETR of 15 bytes", specimen("payment.attest", reference=Reference(None, bytes(15)))
    yield "terms without a part", specimen("order.offer", terms=terms(legs=()))
    yield "a right twice", specimen("mandate.grant", rights=("list", "list"))
    yield "a node key of 31 bytes", MemberUpdate((), bytes(31), "")
    yield "a consensus key without possession", GovernancePropose(replace(power("bmw", 1), consensus_key=bytes(32)))
    yield "a payment card number as a model", register(model="4111111111111111")
    yield "a payment card number within a site", specimen("delivery.event", site="X5500005555555559")
