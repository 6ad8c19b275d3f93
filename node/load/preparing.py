"""Preparing: what a load asks of the nodes before it offers anything. Each question ends a load that would write on the
wrong chain, or measure nothing but its own refusals."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from node.chain.genesis import Genesis, genesis_hash, parse_genesis
from node.crypto.addresses import to_text
from node.crypto.signing import PrivateKey
from node.errors import Malformed, OperatorError, WrongChain
from node.ledger.params import CHAIN, PARAMS_ID, ChainParams
from node.limits import RPC_PAGE_MAX
from node.load.mix import ROLES, Kind
from node.load.writers import MODEL, Author, Writer, writer_of
from node.txtypes.identity.quota import payers_of, used_today
from wallet.client import NodeClient, NodeRefused, Unreachable, unmet_of
from wallet.told import ToldReader

EXPECTED: Final = frozenset({"vehicle_unknown"})
"""Guards that may be unmet when a key is checked before the load: its cars are registered only afterwards."""
SPARE_MS: Final = 10 * 60_000
"""How much longer than the load its transactions are valid: signing, and registering cars first, take some time. What
is left over must not be committed tomorrow."""
CLOCKS_MS: Final = 30_000
"""How far the head's time, which bounds how long a transaction is valid, may be behind this computer's clock."""
CARS_SEEN_MAX: Final = 100_000
"""The number of cars of a node's list that are searched for unused cars of earlier loads. Later ones are ignored."""


def check_chain(clients: Mapping[str, NodeClient], chain_id: str) -> Genesis:
    """The genesis of the nodes, by address. Raises `WrongChain` unless all are of the chain `chain_id`.

    The genesis hash, which every signature covers, is computed from the document here. So no node can pass another
    chain off as this one: the document has the chain's id.
    """
    hashes = {}
    genesis: Genesis | None = None
    for url, client in clients.items():
        try:
            found = parse_genesis(json.dumps(client.call_json("/v1/genesis")).encode())
        except (Malformed, NodeRefused) as error:
            raise OperatorError(f"{url} does not answer like a node ({error}): check its address") from None
        if found.chain_id != chain_id:
            raise WrongChain(
                f"{url} is of the chain {found.chain_id}, not of {chain_id}: a load writes cars that stay on a chain "
                "for ever, so name the chain with --chain-id only if that is what you want"
            )
        hashes[genesis_hash(found)] = url
        genesis = genesis or found
    if len(hashes) > 1:
        one, other = list(hashes.values())[:2]
        raise WrongChain(f"{one} and {other} have different genesis documents: name nodes of one chain")
    assert genesis is not None, "at least one node is given"
    return genesis


def lifetime_ms(client: NodeClient, takes_ms: int) -> int:
    """The lifetime of the transactions of a load that takes `takes_ms`: they are valid until its end. Raises
    `OperatorError` if the chain allows no lifetime of that length."""
    most_ms = _params(ToldReader(client)).tx_lifetime_max_ms - CLOCKS_MS
    if takes_ms > most_ms:
        raise OperatorError(
            f"the load takes {takes_ms // 1_000:,} s with --timeout, and what is signed before it can be valid for "
            f"{max(0, most_ms) // 1_000:,} s on this chain: lower --duration"
        )
    return min(takes_ms + SPARE_MS, most_ms)


def _params(reader: ToldReader) -> ChainParams:
    params = reader.get(CHAIN, PARAMS_ID)
    if params is None:
        raise OperatorError("a node does not know the parameters of its chain: name another node")
    return params


def heads(clients: Mapping[str, NodeClient]) -> dict[str, int]:
    """The height of each node's head. For a node that has stopped meanwhile it is the lowest of the others. Raises
    `OperatorError` if none answers like a node."""
    found = dict[str, int]()
    failure = OperatorError("no node is given")
    for url, client in clients.items():
        try:
            head = client.call_json("/v1/status").get("head")
        except Unreachable as error:
            failure = error
            continue
        height = head.get("height") if isinstance(head, dict) else None
        if not isinstance(height, int):
            raise OperatorError(f"{url} does not answer like a node: check its address")
        found[url] = height
    if not found:
        raise failure
    return {url: found.get(url, min(found.values())) for url in clients}


def able_writer(client: NodeClient, author: Author, key: PrivateKey, kinds: Sequence[Kind]) -> Writer:
    """The writer with this key and those of the kinds that the node says it can send now. Raises `OperatorError` with
    the reasons if there is none."""
    address = to_text(Writer(key, "", "").address)
    try:
        member = client.call_json(f"/v1/members/{address}")
    except NodeRefused as refused:
        if refused.status != 404:
            raise
        member = {}
    writer, able, reasons = writer_of(key, member), set[Kind](), dict[str, str]()
    for kind in kinds:
        try:
            answer = client.check(author.signed(writer, kind, author.example_vin(writer)).raw)
        except NodeRefused as refused:
            url = client.answered_by
            raise OperatorError(f"{url} does not take a sample of {kind} ({refused}): name another node") from None
        unmet = [guard for guard in unmet_of(answer) if guard.code not in EXPECTED]
        if unmet or (kind == "births" and not writer.wmi):
            reasons |= {guard.code: guard.text for guard in unmet[:1]} or {"role_scope": "no WMI of three characters"}
        else:
            able.add(kind)
    if not able:
        why = "; ".join(f"{code}: {text}" for code, text in reasons.items())
        wanted = " or ".join(ROLES[kind] for kind in kinds)
        raise OperatorError(f"the account {address} can send nothing of this mix ({why}): give the key of {wanted}")
    return writer.able(frozenset(able))


def by_kind(writers: Sequence[Writer], kinds: Sequence[Kind]) -> dict[Kind, list[Writer]]:
    """The writers that can send each kind. Raises `OperatorError` for a kind that none can."""
    found = {kind: [writer for writer in writers if kind in writer.kinds] for kind in kinds}
    for kind, able in found.items():
        if not able:
            raise OperatorError(f"no key can send {kind}: add the key of {ROLES[kind]}, or leave {kind} out of --mix")
    return found


def check_quotas(client: NodeClient, weights: Mapping[bytes, int]) -> None:
    """Raises `OperatorError` if the quotas of a day do not suffice. `weights`: what the transactions of each sender
    weigh."""
    reader, now_ms = ToldReader(client), time.time_ns() // 1_000_000
    params = _params(reader)
    for sender, weight in weights.items():
        for payer in payers_of(reader, sender, params):
            left = payer.weight - used_today(reader, payer.address, now_ms).weight
            if weight > left:
                raise OperatorError(
                    f"the load of {to_text(sender)} weighs {weight:,}, and the quota of {to_text(payer.address)} has "
                    f"{left:,} left today: lower --rate or --duration, or add keys"
                )


def unused_cars(client: NodeClient, count: int) -> list[str]:
    """VINs of `count` cars of earlier loads that have nothing but their registration. Raises `OperatorError` if a node
    lists fewer."""
    found: list[str] = []
    cursor, seen = "", 0
    while seen < CARS_SEEN_MAX:
        query = {"limit": str(RPC_PAGE_MAX)} | ({"cursor": cursor} if cursor else {})
        answer = client.call_json("/v1/vehicles", query)
        listed = answer.get("vehicles")
        rows: list[Any] = listed if isinstance(listed, list) else []
        found += [str(row.get("vin")) for row in rows if isinstance(row, dict) and _is_unused(row)]
        if len(found) >= count:
            return found[:count]
        seen, cursor = seen + len(rows), str(answer.get("cursor") or "")
        if not cursor or not rows:
            break
    raise OperatorError(
        f"the load writes about {count:,} cars and the node lists {len(found):,} cars of earlier loads without "
        "records: add the key of a manufacturer, which registers them"
    )


def _is_unused(row: Mapping[str, Any]) -> bool:
    return (row.get("model"), row.get("record_count"), row.get("existence")) == (MODEL, 1, "born")
