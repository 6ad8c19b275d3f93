"""Limits, each with its reason and its effect when exceeded. Sections say which are consensus rules."""

from __future__ import annotations

from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
"""Milliseconds of an hour and of a day."""

TIME_MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999: RFC 3339 has no later time, so no program could show it. Above: malformed."""

# --- transactions (consensus rules) -------------------------------------------------------------
TX_BYTES_MAX: Final = 64 * 1024
"""A signed transaction. The largest useful one is a governance proposal of a few kB. Above: 413, malformed."""

SIGNATURES_MAX: Final = 16
"""Signatures of one transaction: two parties with a 4-of-8 policy each, doubled. Above: malformed."""

ACCOUNT_KEYS_MAX: Final = 8
"""Keys of one account; every one costs a signature when the account opens. Above: malformed."""

TX_LIFETIME_CAP_MS: Final = 7 * DAY_MS
"""No chain parameter may let a transaction live longer: the replay window must stay small."""

TX_LIFETIME_DEFAULT_MS: Final = DAY_MS
"""Long enough to pass a file between two co-signers within a working day."""

EVENT_AHEAD_MAX_MS: Final = 5 * 60_000
"""How far an event's time may be ahead of the block's time: clocks of workshops are not exact."""

CODE_LENGTH_MAX: Final = 40
"""Characters of a code string (part number, site code). No free text on this chain."""

LIST_MAX: Final = 64
"""Entries of a list within one body (service codes, parts, zones). Above: malformed."""

MONEY_MAX: Final = 10**15
"""Minor units of one amount: room for currencies of small units, and exact in programs that only have doubles. Above:
malformed."""

ODOMETER_MAX: Final = 9_999_999
"""Seven digits in any unit: no instrument cluster shows more."""

# --- per account and per vehicle (consensus rules) ------------------------------------------------
ENTRIES_PER_KEY: Final = 64
"""A new state key is charged as one key more for every this many entries that its bucket has."""

READINGS_MAX: Final = 256
"""Odometer readings of one vehicle in state. Above: the least informative are left out, and a series that rises has the
verdict NO_VERDICT with reason `limit`."""

READING_AUTHORS_MAX: Final = 60
"""Authors of the readings in state. Above: the one with the fewest judged readings is left out with them."""

ODOMETER_SEGMENTS_MAX: Final = 4
"""Replacements and rollovers of one vehicle's odometer. Above: an unmet guard."""

READINGS_PER_AUTHOR_AND_DAY_MAX: Final = 8
"""Readings that one author may add to one vehicle within a day of block time. Above: an unmet guard."""

RECORDS_PER_AUTHOR_MAX: Final = 16
"""Records that one author may add to one vehicle within 30 days without the holder's signature. Above: an unmet
guard."""

TAKEN_BACK_MAX: Final = 2
TAKEN_BACK_MS: Final = 30 * DAY_MS
"""Readings without the holder's signature that one author may write on one vehicle within this time and take back,
before it needs the holder's signature for a further record. Above: an unmet guard."""

SIGHTINGS_PER_DAY_MAX: Final = 50
"""Sightings that one author may report on a day of block time. Above: an unmet guard."""

DAMAGE_ALONE_PER_DAY_MAX: Final = 30
"""Accidents and total losses that one author may report on a day of block time without the holder's signature, the
police excepted. Above: an unmet guard."""

IMPORTS_PER_DAY_MAX: Final = 200
"""Cars that one dealer may import on a day of block time: a car transporter holds ten. Above: an unmet guard."""

ACT_AGE_MAX_MS: Final = 7 * DAY_MS
"""How long ago an act (a transfer, an import, a total loss) may have happened when it is reported. A record of what
somebody has seen may be of any age. Above: an unmet guard."""

HANDOVER_AGE_MAX_MS: Final = 72 * HOUR_MS
"""As `ACT_AGE_MAX_MS`, for a handover: long enough for both to sign after a weekend."""

REGISTRATION_AGE_MAX_MS: Final = 30 * DAY_MS
"""As `ACT_AGE_MAX_MS`, for what an authority writes of a registration: it reports in batches."""

TEMPORARY_REGISTRATION_MAX_MS: Final = 400 * DAY_MS
"""The longest temporary registration: a year, and room for the day it starts. Above: an unmet guard."""

BIRTH_AGE_MAX_MS: Final = 400 * DAY_MS
"""How long ago a car may have been produced that its maker registers as new. Older ones are imported. Above: an unmet
guard."""

INSPECTIONS_PER_DAY_MAX: Final = 80
"""Inspections of one author within a day of block time: what one station can do. Above: an unmet guard."""

RECALL_VINS_MAX: Final = 1_000
"""Cars that one `recall.extend` names. Above: malformed."""

BAD_VINS_NAMED_MAX: Final = 16
"""Of the cars that can't be named in a `recall.extend`, those that the refusal names."""

OFFERS_LIVE_MAX: Final = 20
"""Offers of one account that are neither accepted, rejected, cancelled nor expired. Above: an unmet guard."""

PAYMENTS_PER_ORDER_MAX: Final = 16
"""Payments of one order: deposit, trade-in, finance, balance, and a retry of each. Above: an unmet guard."""

DELIVERIES_PER_ORDER_MAX: Final = 32
"""Delivery events of one order. Above: an unmet guard."""

GRANTS_MAX: Final = 32
"""Roles of one member, ended and revoked ones included. Above: an unmet guard."""

PROPOSALS_OPEN_MAX: Final = 8
"""Open governance proposals of one member. Above: an unmet guard."""

SITES_MAX: Final = 64
"""Sites in a member's directory entry. Above: malformed."""

VALIDATORS_MAX: Final = 100
"""Members of the validator set: every commit carries a signature of each. Above: an unmet guard."""

POWER_MAX: Final = 1_000
"""Total power of the set: the proposer sequence has at most this period. Above: an unmet guard."""

# --- blocks (consensus rules) ---------------------------------------------------------------------
BLOCK_BYTES_CAP: Final = 4 * 1024 * 1024
"""No chain parameter may lift a block above this: a proposal must cross a slow link within its timer."""

BLOCK_TXS_MAX: Final = 10_000
"""Transactions of a block. Above: invalid."""

EVIDENCE_PER_BLOCK_MAX: Final = 8
"""Pieces of evidence in one block; others wait for the next. Above: invalid."""

PRECISION_MS: Final = 500
"""How far two correct clocks may differ (PBTS)."""

MESSAGE_DELAY_MS: Final = 2_000
MESSAGE_DELAY_CAP_MS: Final = HOUR_MS
"""How old a new proposal may be at round 0 (PBTS), and the maximum; it grows by a tenth each round, so that a slow
network recovers."""

# --- consensus (local) ----------------------------------------------------------------------------
ROUNDS_AHEAD_MAX: Final = 8
"""A faulty validator can name any round. Beyond this window we keep only each validator's newest round number, for the
skip rule (L55)."""

ROUND_CAP: Final = 1_000_000
"""A round that no correct network reaches. Above: malformed."""

RESEND_MS: Final = 1_000
"""Own messages of the current round are sent again after this long without progress."""

LATE_RELAY_MS: Final = 100
"""Where all validators are linked to one another, what one has sent reaches the others without a relay. Votes are
relayed after this long, unless their height is decided by then."""

LATE_ANNOUNCE_MS: Final = 3_000
"""Where all validators are linked to one another, a transaction of another node is judged and announced this long after
it came, unless a block has it by then."""

LATE_BACKLOG_MS: Final = 30_000
"""Replaces `LATE_ANNOUNCE_MS` while the mempool holds more transactions than fit into one block. Most of these only
wait for a later block; to judge and announce them would take processor time from building and executing blocks."""

BODIES_PER_HEIGHT_MAX: Final = 16
"""Undecided bodies kept for one height. Above: the oldest that is neither locked nor valid is dropped."""

WHOLE_PROPOSAL_BYTES: Final = 16 * 1024
"""Blocks up to this size are sent whole with their proposal, larger ones as compact blocks."""

PARTS_BYTES_MAX: Final = 1024 * 1024
"""One answer to a request for transactions of an undecided block; the rest is requested again."""

# --- mempool (local) ------------------------------------------------------------------------------
POOL_TXS_MAX: Final = 50_000
POOL_BYTES_MAX: Final = 64 * 1024 * 1024
"""The whole mempool. Above: 429 with Retry-After."""

POOL_PER_ACCOUNT_MAX: Final = 5_000
POOL_BYTES_PER_ACCOUNT_MAX: Final = 8 * 1024 * 1024
"""Pending transactions of one sender, so that it can't crowd out others. Above: 429."""

POOL_PER_SPONSOR_MAX: Final = 10_000
POOL_BYTES_PER_SPONSOR_MAX: Final = 16 * 1024 * 1024
"""Pending transactions of one member and of the accounts that it sponsors: it may open many. Above: 429."""

BUILD_MS_MAX: Final = 400
"""How long a proposer may add transactions to its block: the others' propose timeouts are running."""

BUILD_FAILURES_MAX: Final = 500
"""Transactions of one sponsor that may fail while a block is built before its others are left out."""

# --- peer to peer (local) -------------------------------------------------------------------------
FRAME_BYTES_MAX: Final = BLOCK_BYTES_CAP + 512 * 1024
"""One decrypted message. Checked before anything is allocated. Above: the link is closed."""

PEERS_MAX: Final = 50
PEERS_PER_ADDRESS_MAX: Final = 16
"""Links in total and from one address; members' links do not count towards the total."""

ANNOUNCE_MAX: Final = 2_000
"""Wire ids of one announcement or one request for bodies."""

ANNOUNCE_AGAIN_MS: Final = 5_000
"""Interval at which the oldest pool transactions are announced again, since announcements may be lost with a link."""

TRANSACTIONS_BYTES_MAX: Final = 128 * 1024
"""One message of gossiped transactions: bounds how long it occupies a link."""

SYNC_BATCH_BYTES: Final = 2 * 1024 * 1024
SYNC_BATCH_BLOCKS: Final = 200
"""One answer to a request for blocks, whichever is reached first; always at least one block."""

# --- RPC (local, defaults of the configuration) ----------------------------------------------------
RPC_BODY_BYTES_MAX: Final = 2 * 1024 * 1024
RPC_BATCH_MAX: Final = 1_000
RPC_PAGE_MAX: Final = 1_000
RPC_STREAMS_MAX: Final = 100
RPC_KEYS_MAX: Final = 100
"""Bounds of the HTTP interface: a body, a batch, a page, streams, state keys of one request. Above: 413, 422, 422, 503,
400."""

FATE_KEPT_MS: Final = 7 * DAY_MS
"""How long the status of a transaction that was never committed is kept."""
