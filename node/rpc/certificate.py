"""The certificate that HTTP is served with: loaded, followed when its files change, and watched for its end."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from node.errors import OperatorError
from node.log import log

LOOK_S = 60.0
WARNED_S = 14 * 24 * 3_600
"""So long before its end an operator is told, once a day."""
TOLD_S = 24 * 3_600


class Certificate:
    """PEM files of a certificate, with its chain, and its key. Raises `OperatorError` where they can't be used."""

    def __init__(self, certificate: str, key: str) -> None:
        self._certificate, self._key = certificate, key
        self._ends = datetime.max.replace(tzinfo=UTC)
        self._seen = (0, 0)
        self._told = float("-inf")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._seen = self._changed()
            self._load(self.context)
        except (OSError, ValueError) as error:
            raise OperatorError(
                f"rpc: the certificate {certificate} or its key {key} can't be used ({error}): give PEM files that "
                "belong together and that this user may read, the key without a pass phrase"
            ) from None

    def _changed(self) -> tuple[int, int]:
        """Another content, owner or mode."""
        return Path(self._certificate).stat().st_ctime_ns, Path(self._key).stat().st_ctime_ns

    def _load(self, context: ssl.SSLContext) -> None:
        """Raises `OSError` (`ssl.SSLError` is one) or `ValueError`."""
        context.load_cert_chain(self._certificate, self._key, password=_no_pass_phrase)
        self._ends = x509.load_pem_x509_certificate(Path(self._certificate).read_bytes()).not_valid_after_utc

    def seconds_left(self) -> float:
        """Until it ends; below zero afterwards."""
        return (self._ends - datetime.now(UTC)).total_seconds()

    def refresh(self) -> None:
        """Where the files have changed, new connections get the new certificate; one that can't be used is told, and
        the old one stays."""
        try:
            seen = self._changed()
            if seen != self._seen:
                self._seen = seen
                self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
                self._load(self.context)
                log("certificate_read", "warning", {"file": self._certificate, "ends": self._ends.isoformat()})
        except (OSError, ValueError) as error:
            why = f"{error}: the old one stays"
            log("certificate_unusable", "error", {"file": self._certificate, "why": why})

    def warn(self, now_s: float) -> None:
        """`now_s`: of a steady clock."""
        if self.seconds_left() < WARNED_S and now_s - self._told >= TOLD_S:
            self._told = now_s
            log("certificate_ends", "error", {"file": self._certificate, "ends": self._ends.isoformat()})

    async def follow(self) -> None:
        """For as long as the server runs."""
        loop = asyncio.get_running_loop()
        while True:
            self.warn(loop.time())
            await asyncio.sleep(LOOK_S)
            self.refresh()


def _no_pass_phrase() -> str:
    raise ValueError("the key is encrypted")
