"""The trust root that readers' browsers verify certificates and headers from."""

from __future__ import annotations

from pathlib import Path
from time import time_ns
from typing import Final

from node.certificates.canonical import InvalidCertificateFile
from node.certificates.roots import root_of_checkpoint, root_of_genesis
from node.certificates.verifier import ROOT_AGE_MAX_MS, Root
from node.chain.genesis import Genesis
from node.errors import OperatorError
from node.log import log
from web.settings import WebSettings

WARNED_MS: Final = 30 * 86_400_000
"""So long before readers are warned of an old root, whoever runs the pages is."""


def trusted_root(genesis: Genesis, settings: WebSettings) -> Root:
    """That of the checkpoint which the settings name, else that of the genesis document. Its own signatures are not
    asked for: whoever sets it vouches for it. Raises `OperatorError`."""
    root = root_of_genesis(genesis)
    if settings.checkpoint:
        root = _of_checkpoint(Path(settings.checkpoint), root)
    age_ms = time_ns() // 1_000_000 - root.time_ms
    if age_ms > ROOT_AGE_MAX_MS - WARNED_MS:
        log("root_old", "warning", {"days": age_ms // 86_400_000, "height": root.height})
    return root


def _of_checkpoint(path: Path, genesis_root: Root) -> Root:
    try:
        root = root_of_checkpoint(path.read_bytes())
    except OSError as error:
        raise OperatorError(f"the checkpoint {path} can't be read ({error.strerror}): check the path") from None
    except InvalidCertificateFile as error:
        raise OperatorError(f"{path} can't be used ({error}): make one with bmw-audit checkpoint") from None
    if (root.genesis_hash, root.tree_depth) != (genesis_root.genesis_hash, genesis_root.tree_depth):
        raise OperatorError(f"the checkpoint {path} is of another chain, with genesis hash {root.genesis_hash.hex()}")
    return root
