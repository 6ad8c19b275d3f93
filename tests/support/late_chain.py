"""A chain whose blocks are decided late, without the vote of one validator."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block, Commit, block_id_of
from node.chain.vote import vote_sign_bytes
from node.crypto.dev_keys import dev_key
from support.chain import Chain, address


class LateChain(Chain):
    """Every block from height 3 on is decided in round 2, and the last validator has not signed."""

    def commit_for(self, block: Block) -> Commit:
        commit = super().commit_for(block)
        if commit.height < 3:
            return commit
        block_id = block_id_of(block.header, self.genesis_hash)
        message = vote_sign_bytes(self.genesis_hash, "precommit", commit.height, 2, block_id)
        names = {address(n): n for n in ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")}
        entries = self.store.head().validators.entries
        signatures = [dev_key("consensus", names[entry.address]).sign(message) for entry in entries]
        return replace(commit, round=2, signatures=(*signatures[:-1], b""))
