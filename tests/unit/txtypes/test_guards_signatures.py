"""Who has to sign a transaction, and what counts as a signature."""

from __future__ import annotations

import pytest
from support.chain import address
from support.life import Life, handover, maintenance, transfer
from support.signers import (
    BMW,
    DEALER,
    FOREIGN,
    SHARED,
    STRANGER,
    A,
    B,
    C,
    key_of,
    rotate,
    shared_account,
    with_shared_account,
)
from support.stages import at, signed

from node.chain.genesis import genesis_hash
from node.codec import encode
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.errors import BadSignature, Malformed, Rejected, TooLarge
from node.ledger.signed import Signed, TxSignature, assemble, sign_bytes, verify_raw
from node.txtypes.envelope import check_signatures, decode_signed_tx
from node.txtypes.identity.account import ACCOUNT, AccountUpdateKeys


# --- signature policies -----------------------------------------------------------------------------
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
    assert ((B.public, FOREIGN.public), 2, bytes(32)) == (account.keys, account.threshold, account.sealing_hash)
    assert (address("bmw"), 1, 2) == (account.sponsor, account.opened_height, account.updated_height)
    old = signed(chain, SHARED, body, (SHARED, A), (SHARED, B), salt=8)
    assert ["signature_missing", "signature_superfluous"] == chain.unmet(old)
    assert [] == chain.unmet(signed(chain, SHARED, body, (SHARED, B), (SHARED, FOREIGN), salt=8))


# --- the signatures themselves ------------------------------------------------------------------------
def _envelope(life: Life) -> tuple[bytes, list[TxSignature]]:
    tx = life.chain.check(life.chain.sign("bmw", transfer(life.chain), "dealer-munich"))
    return tx.payload_bytes, list(tx.signatures)


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
        life.chain.check(assemble(forged.payload_bytes, signatures))
    assert forged.payload_bytes != payload


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
    assert 16 == len(life.chain.check(assemble(payload, signatures[:16])).signatures)
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
