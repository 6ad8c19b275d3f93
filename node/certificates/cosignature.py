"""Co-signatures: a witness's signed statement that it has seen a header decided (docs/CERTIFICATES.md)."""

from __future__ import annotations

from typing import Final, Literal

from node.certificates.canonical import is_signature
from node.certificates.verifier import witness_bytes
from node.ledger.family import View
from node.ledger.fields import Hash32, Height, PublicKey, Signature, Time

Mode = Literal["light", "full"]
"""Whether the witness followed the headers, or executed every block."""
PATH: Final = "/v1/witness/"
"""Where a witness answers a height or `latest`."""


class Cosignature(View, frozen=True):
    """A co-signature of one header. `mode`: `light` where the witness followed the headers, `full` where it executed
    every block; `time`: the witness's clock when it signed."""

    genesis_hash: Hash32
    key: PublicKey
    mode: Mode
    height: Height
    block_id: Hash32
    state_root: Hash32
    time_ms: Time
    signature: Signature

    def is_signed(self) -> bool:
        """Whether the witness's key has signed it."""
        return is_signature(self.key, self.message, self.signature)

    @property
    def message(self) -> bytes:
        """What the witness signs."""
        return witness_bytes(self.genesis_hash, self.mode, self.height, self.block_id, self.state_root, self.time_ms)
