"""Guards of the envelope: lifetime, replay, signature policies, quota."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address
from support.life import Life, handover, maintenance, offer, register, transfer
from support.stages import at, change, force, signed

from node.chain.genesis import genesis_hash
from node.codec import encode
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.hashing import tagged
from node.errors import BadSignature, InvalidBlock, Malformed, Rejected, TooLarge
from node.execution.block_run import BlockFull
from node.execution.window import EMPTY, WINDOW, hour_of
from node.storage import schema
from node.txtypes.accounts import ACCOUNT, QUOTA, AccountOpen, AccountUpdateKeys, Quota
from node.txtypes.envelope import (
    Signed,
    TxSignature,
    assemble,
    check_signatures,
    decode_signed_tx,
    sign_bytes,
    verify_raw,
)
from node.txtypes.params import CHAIN
from node.txtypes.unmet import GuardsUnmet

A, B, C, FOREIGN = (dev_key("account", f"shared-{name}") for name in "abcx")
SHARED = address_of(A.public)


def key_of(name: str):
    return address(name), dev_key("account", name)


def rotate(name: str = "bmw") -> AccountUpdateKeys:
    """A body without guards of its own: what is unmet is the envelope's."""
    return AccountUpdateKeys((dev_key("account", name).public,), 1, b"")


def shared_account(threshold: int = 2) -> AccountOpen:
    return AccountOpen((A.public, B.public, C.public), threshold, b"")


def with_shared_account() -> Chain:
    chain = at("").chain
    chain.do("bmw", shared_account(), extra=[(SHARED, key) for key in (A, B, C)])
    return chain


# --- lifetime ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lifetime_ms", "codes"),
    [
        (-1, ["transaction_expired"]),
        (0, []),
        (1, []),
        (DAY_MS, []),
        (DAY_MS + 1, ["expiry_too_far"]),
    ],
)
def test_a_transaction_is_valid_from_its_longest_life_to_its_very_expiry(lifetime_ms: int, codes: list[str]) -> None:
    chain = at("").chain
    assert codes == chain.unmet(chain.sign("bmw", rotate(), lifetime_ms=lifetime_ms))


@pytest.mark.parametrize(("lifetime_ms", "codes"), [(60_000, []), (60_001, ["expiry_too_far"])])
def test_the_longest_life_is_a_chain_parameter(lifetime_ms: int, codes: list[str]) -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", tx_lifetime_max_ms=60_000)
    assert codes == chain.unmet(chain.sign("bmw", rotate(), lifetime_ms=lifetime_ms))


# --- replay -----------------------------------------------------------------------------------------
def test_the_same_bytes_hold_only_once() -> None:
    life = at("born")
    raw = life.chain.sign("workshop-berlin", maintenance(life.chain))
    assert [] == life.chain.unmet(raw)
    life.chain.produce(raw)
    assert ["already_committed"] == life.chain.unmet(raw)
    life.chain.now += 3_599_000 - 1000
    assert ["already_committed"] == life.chain.unmet(raw)


def test_the_same_bytes_hold_only_once_within_a_block() -> None:
    life = at("born")
    tx = life.chain.check(life.chain.sign("workshop-berlin", maintenance(life.chain)))
    run = life.chain.run()
    run.add(tx)
    with pytest.raises(GuardsUnmet) as caught:
        run.add(tx)
    assert ["already_committed"] == [guard.code for guard in caught.value.unmet]


def test_another_signature_set_is_the_same_transaction() -> None:
    chain = with_shared_account()
    body = AccountUpdateKeys((A.public, B.public, C.public), 2, b"")
    first, second = (signed(chain, SHARED, body, (SHARED, A), (SHARED, key)) for key in (B, C))
    one, two = chain.check(first), chain.check(second)
    assert one.txid == two.txid
    assert one.wire_id != two.wire_id
    run = chain.run()
    run.add(one)
    with pytest.raises(GuardsUnmet, match="on the chain already"):
        run.add(two)
    chain.produce(first)
    assert ["already_committed"] == chain.unmet(second)


def test_another_salt_is_another_transaction() -> None:
    chain = at("").chain
    first, second = (signed(chain, address("bmw"), rotate(), key_of("bmw"), salt=salt) for salt in (1, 2))
    chain.produce(first)
    assert [] == chain.unmet(second)


def _window_keys(chain: Chain) -> list[bytes]:
    return [key for key, _ in chain.store.kv.scan(b"W", b"X")]


def test_a_window_bucket_goes_with_the_first_block_after_its_hour() -> None:
    chain = at("").chain
    chain.now = START_MS + 5 * HOUR_MS
    raw = chain.sign("bmw", rotate(), lifetime_ms=HOUR_MS - 1)
    chain.produce(raw)
    hour = hour_of(chain.check(raw).payload.expires_at_ms)
    assert hour_of(START_MS) + 5 == hour

    chain.now = START_MS + 6 * HOUR_MS - 1
    chain.produce(pass_ms=0)
    assert ["already_committed"] == chain.unmet(raw)
    assert 1 == chain.state(WINDOW, str(hour)).count
    assert [schema.window_key(hour, chain.check(raw).txid)] == _window_keys(chain)

    chain.now = START_MS + 6 * HOUR_MS
    chain.produce()
    assert chain.state(WINDOW, str(hour)) is None
    assert [] == _window_keys(chain)


def test_a_block_after_a_week_of_silence_drops_every_bucket_that_has_passed() -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", tx_lifetime_max_ms=7 * DAY_MS)
    chain.produce(*(signed(chain, address("bmw"), rotate(), key_of("bmw"), salt=d, lifetime_ms=d * DAY_MS - 1)
                    for d in range(1, 8)))  # fmt: skip
    assert 7 == len(_window_keys(chain))
    chain.now += 8 * DAY_MS
    chain.produce()
    assert [] == _window_keys(chain)
    assert [] == [key for key, _ in chain.store.kv.scan(b"Swindow/", b"Swindow0")]


def test_a_bucket_counts_and_chains_its_transactions_in_block_order() -> None:
    chain = at("").chain
    raws = [signed(chain, address("bmw"), rotate(), key_of("bmw"), salt=salt) for salt in (1, 2, 3)]
    chain.produce(*raws[:2])
    chain.produce(raws[2])
    payload = chain.check(raws[0]).payload
    head = EMPTY.head
    for raw in raws:
        head = tagged("bmw/window", head + chain.check(raw).txid + payload.expires_at_ms.to_bytes(8, "big"))
    bucket = chain.state(WINDOW, str(hour_of(payload.expires_at_ms)))
    assert (3, head) == (bucket.count, bucket.head)


# --- signature policies -----------------------------------------------------------------------------
BMW, DEALER, STRANGER = key_of("bmw"), key_of("dealer-munich"), key_of("stranger")


@pytest.mark.parametrize(
    ("signers", "codes"),
    [
        ((BMW,), []),
        ((), ["signature_missing"]),
        ((BMW, DEALER), ["signature_superfluous"]),
        ((BMW, STRANGER), ["signature_superfluous"]),
        ((DEALER,), ["signature_missing", "signature_superfluous"]),
        (((BMW[0], DEALER[1]),), ["signature_missing", "signature_superfluous"]),
        ((BMW, (BMW[0], DEALER[1])), ["signature_superfluous"]),
    ],
)
def test_exactly_the_senders_key_signs(signers, codes: list[str]) -> None:
    chain = at("").chain
    assert codes == chain.unmet(signed(chain, BMW[0], rotate(), *signers))


def test_an_unknown_sender_is_named() -> None:
    chain = at("").chain
    assert ["account_unknown"] == chain.unmet(signed(chain, STRANGER[0], rotate(), STRANGER))


def test_an_unknown_co_signer_is_named() -> None:
    life = at("born")
    body = transfer(life.chain, "stranger")
    assert ["account_unknown", "role_missing"] == life.chain.unmet(life.chain.sign("bmw", body, "stranger"))


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ((), ["signature_missing"]),
        ((A,), ["signature_missing"]),
        ((A, B), []),
        ((A, C), []),
        ((B, C), []),
        ((A, B, C), ["signature_superfluous"]),
        ((A, FOREIGN), ["signature_missing", "signature_superfluous"]),
        ((A, B, FOREIGN), ["signature_superfluous"]),
    ],
)
def test_two_of_three(keys, codes: list[str]) -> None:
    chain = with_shared_account()
    body = AccountUpdateKeys((A.public,), 1, b"")
    assert codes == chain.unmet(signed(chain, SHARED, body, *((SHARED, key) for key in keys)))


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ((A, B, C), []),
        ((A, B), ["signature_missing"]),
        ((), ["signature_missing"]),
        ((A, B, C, FOREIGN), ["signature_superfluous"]),
        ((A, B, FOREIGN), ["signature_missing", "signature_superfluous"]),
    ],
)
def test_every_key_of_a_new_account_signs_whatever_its_threshold(keys, codes: list[str]) -> None:
    chain = at("").chain
    raw = signed(chain, BMW[0], shared_account(threshold=1), BMW, *((SHARED, key) for key in keys))
    assert codes == chain.unmet(raw)


def test_a_new_accounts_keys_sign_for_its_address_not_for_their_own() -> None:
    chain = at("").chain
    raw = signed(chain, BMW[0], shared_account(), BMW, *((address_of(key.public), key) for key in (A, B, C)))
    assert ["signature_missing", "signature_superfluous", "signature_superfluous"] == chain.unmet(raw)


@pytest.mark.parametrize(
    ("signers", "codes"),
    [
        (("dealer-munich", "buyer-1"), []),
        (("dealer-munich",), ["signature_missing"]),
        (("buyer-1",), ["signature_missing"]),
        (("dealer-munich", "buyer-1", "bmw"), ["signature_superfluous"]),
    ],
)
@pytest.mark.parametrize("sender", ["dealer-munich", "buyer-1"])
def test_seller_and_buyer_both_sign_the_handover(sender: str, signers, codes: list[str]) -> None:
    life = at("paid")
    raw = signed(life.chain, address(sender), handover(life.chain, life.order), *map(key_of, signers))
    assert codes == life.chain.unmet(raw)


def test_a_transfer_needs_the_receivers_signature() -> None:
    life = at("born")
    assert [] == life.chain.unmet(life.chain.sign("bmw", transfer(life.chain), "dealer-munich"))
    assert ["signature_missing"] == life.chain.unmet(life.chain.sign("bmw", transfer(life.chain)))


def test_new_keys_and_threshold_are_in_force_at_once() -> None:
    chain = with_shared_account()
    body = AccountUpdateKeys((B.public, FOREIGN.public), 2, bytes(32))
    chain.produce(signed(chain, SHARED, body, (SHARED, A), (SHARED, B)))
    account = chain.state(ACCOUNT, SHARED)
    assert ((B.public, FOREIGN.public), 2, bytes(32)) == (account.keys, account.threshold, account.sealing_key)
    assert (address("bmw"), 1, 2) == (account.sponsor, account.opened_height, account.updated_height)
    old = signed(chain, SHARED, body, (SHARED, A), (SHARED, B), salt=8)
    assert ["signature_missing", "signature_superfluous"] == chain.unmet(old)
    assert [] == chain.unmet(signed(chain, SHARED, body, (SHARED, B), (SHARED, FOREIGN), salt=8))


# --- the signatures themselves ------------------------------------------------------------------------
def _envelope(life: Life) -> tuple[bytes, list[TxSignature]]:
    tx = life.chain.check(life.chain.sign("bmw", transfer(life.chain), "dealer-munich"))
    return tx.signed.payload_bytes, list(tx.signed.signatures)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("byte", [0, 31, 32, 63])
def test_every_signature_is_verified(index: int, byte: int) -> None:
    life = at("born")
    payload, signatures = _envelope(life)
    wrong = bytearray(signatures[index].signature)
    wrong[byte] ^= 1
    signatures[index] = TxSignature(signatures[index].address, signatures[index].public_key, bytes(wrong))
    raw = assemble(payload, signatures)
    with pytest.raises(BadSignature, match=signatures[index].public_key.hex()):
        life.chain.check(raw)
    assert not verify_raw(raw, life.chain.genesis_hash)


def test_a_signature_counts_on_its_own_chain_only() -> None:
    life = at("born")
    raw = life.chain.sign("workshop-berlin", maintenance(life.chain))
    assert verify_raw(raw, life.chain.genesis_hash)
    other = bytes(32)
    assert other != genesis_hash(life.chain.genesis)
    with pytest.raises(BadSignature):
        check_signatures(decode_signed_tx(raw, other), other)
    assert not verify_raw(raw, other)


def test_a_signature_of_another_payload_does_not_count() -> None:
    life = at("born")
    payload, signatures = _envelope(life)
    forged = life.chain.check(life.chain.sign("bmw", transfer(life.chain, "dealer-shanghai"), "dealer-munich"))
    with pytest.raises(BadSignature):
        life.chain.check(assemble(forged.signed.payload_bytes, signatures))
    assert forged.signed.payload_bytes != payload


@pytest.mark.parametrize("order", [[1, 0], [0, 0], [0, 1, 1]])
def test_signatures_are_strictly_ascending(order: list[int]) -> None:
    life = at("born")
    payload, signatures = _envelope(life)
    raw = encode(Signed(payload, tuple(signatures[i] for i in order)))
    with pytest.raises(Malformed, match="ascending"):
        decode_signed_tx(raw, life.chain.genesis_hash)


def test_seventeen_signatures_are_malformed_and_sixteen_are_not() -> None:
    life = at("born")
    payload, _ = _envelope(life)
    message = sign_bytes(life.chain.genesis_hash, payload)
    keys = [dev_key("account", f"k{i}") for i in range(17)]
    signatures = [TxSignature(address_of(k.public), k.public, k.sign(message)) for k in keys]
    assert 16 == len(life.chain.check(assemble(payload, signatures[:16])).signed.signatures)
    with pytest.raises(Malformed, match="<= 16"):
        life.chain.check(assemble(payload, signatures))


def test_a_transaction_above_its_size_is_too_large() -> None:
    with pytest.raises(TooLarge):
        decode_signed_tx(bytes(64 * 1024 + 1), bytes(32))
    with pytest.raises(Malformed):
        decode_signed_tx(bytes(64 * 1024), bytes(32))


@pytest.mark.parametrize("cut", [1, 2, 40, 100])
def test_a_truncated_transaction_is_refused(cut: int) -> None:
    life = at("born")
    raw = life.chain.sign("workshop-berlin", maintenance(life.chain))
    for wrong in (raw[:-cut], raw + bytes(cut), raw[cut:]):
        with pytest.raises(Rejected):
            life.chain.check(wrong)


# --- quota ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("used", "codes"), [(0, []), (9, []), (10, ["quota_exhausted"])])
def test_new_state_keys_count_against_the_members_quota_of_the_day(used: int, codes: list[str]) -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", keys_per_day=10)
    force(chain, QUOTA, address("bmw"), Quota(chain.now // DAY_MS, used))
    assert codes == chain.unmet(chain.sign("bmw", register()))


def test_the_quota_is_full_again_the_next_day() -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", keys_per_day=10)
    force(chain, QUOTA, address("bmw"), Quota(chain.now // DAY_MS, 10))
    chain.now += DAY_MS
    assert [] == chain.unmet(chain.sign("bmw", register()))
    chain.do("bmw", register())
    assert Quota((START_MS + 2 * DAY_MS) // DAY_MS, 1) == chain.state(QUOTA, address("bmw"))


def test_the_sponsor_pays_for_an_account_that_is_no_member() -> None:
    life = at("listed")
    before = life.chain.state(QUOTA, address("bmw")).used
    life.offered()  # the order and the buyer's list of live offers
    assert before + 2 == life.chain.state(QUOTA, address("bmw")).used
    assert life.chain.state(QUOTA, address("buyer-1")) is None


def test_a_quota_that_is_used_up_leaves_no_trace() -> None:
    life = at("listed")
    change(life.chain, CHAIN, "params", keys_per_day=10)
    used = Quota(life.chain.now // DAY_MS, 9)
    force(life.chain, QUOTA, address("bmw"), used)
    run = life.chain.run()
    tx = life.chain.check(life.chain.sign("buyer-1", offer(life.chain, life.listing)))
    with pytest.raises(GuardsUnmet) as caught:
        run.add(tx)
    assert [("quota_exhausted", "11", "10")] == [(g.code, g.have, g.need) for g in caught.value.unmet]
    result = run.finish()
    assert ({}, (), 0) == (result.changes, result.transactions, run.weight)


def test_what_changes_keys_that_exist_costs_no_quota() -> None:
    life = at("born")
    life.chain.do("workshop-berlin", maintenance(life.chain))
    assert 1 == life.chain.state(QUOTA, address("workshop-berlin")).used  # the working set of readings
    life.chain.do("workshop-berlin", maintenance(life.chain))
    assert 1 == life.chain.state(QUOTA, address("workshop-berlin")).used


# --- weight -----------------------------------------------------------------------------------------
def test_a_full_block_takes_no_more_and_keeps_what_it_has() -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", block_weight_max=10_000)
    run = chain.run()
    txs = [chain.check(signed(chain, BMW[0], rotate(), BMW, salt=salt)) for salt in range(200)]
    with pytest.raises(BlockFull):
        any(map(run.add, txs))
    taken = len(run.finish().transactions)
    assert 50 < taken < 100
    assert run.weight <= 10_000 < run.weight + run.weight // taken + 1


def test_a_block_that_is_too_heavy_is_invalid() -> None:
    chain = at("").chain
    raws = [signed(chain, BMW[0], rotate(), BMW, salt=salt) for salt in range(100)]
    block = chain.build(*raws)
    change(chain, CHAIN, "params", block_weight_max=10_000)
    with pytest.raises(InvalidBlock) as caught:
        chain.judge(block)
    assert "block_weight" == caught.value.rule
    assert 50 < caught.value.index < 100
