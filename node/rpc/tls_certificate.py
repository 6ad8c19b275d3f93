"""The TLS certificate of a listener and its key: PEM files, read again when they change."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from node.errors import OperatorError
from node.log import log

CHECK_EVERY_S = 60.0
WARN_BEFORE_S = 14 * 24 * 3_600
"""Time before expiry from which a warning is logged once a day."""
WARN_EVERY_S = 24 * 3_600
_warned_s: dict[str, float] = {}
"""Time of the last warning by file, of all listeners: the one of the bootstrap hands over to the node's."""


class Certificate:
    """PEM files of a certificate with its chain, and of its key. Raises `OperatorError` if they cannot be used."""

    def __init__(self, certificate: str, key: str) -> None:
        if not certificate or not key:
            raise OperatorError("rpc: tls_certificate and tls_key go together: set both, or neither")
        self._certificate, self._key = certificate, key
        self._ends = datetime.max.replace(tzinfo=UTC)
        self._seen = (0, 0)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._seen = self._versions()
            self._load(self.context)
        except (OSError, ValueError) as error:
            hint = "give PEM files that belong together and that this user may read, the key without a pass phrase"
            text = f"rpc: the certificate {certificate} or its key {key} can't be used ({error}): {hint}"
            raise OperatorError(text) from None

    def _versions(self) -> tuple[int, int]:
        """Change times of both files: they differ after a change of content, owner or mode."""
        return Path(self._certificate).stat().st_ctime_ns, Path(self._key).stat().st_ctime_ns

    def _load(self, context: ssl.SSLContext) -> None:
        """Raises `OSError` (`ssl.SSLError` is one) or `ValueError`."""
        context.load_cert_chain(self._certificate, self._key, password=_no_pass_phrase)
        from cryptography import x509  # slow to import, and most nodes have no certificate

        self._ends = x509.load_pem_x509_certificate(Path(self._certificate).read_bytes()).not_valid_after_utc

    def seconds_left(self) -> float:
        """Time until expiry; negative afterwards."""
        return (self._ends - datetime.now(UTC)).total_seconds()

    def refresh(self) -> None:
        """Load changed files, for new connections. If they cannot be used, log it and keep the old certificate."""
        try:
            seen = self._versions()
            if seen != self._seen:
                self._seen = seen
                self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
                self._load(self.context)
                log("certificate_read", "warning", {"file": self._certificate, "ends": self._ends.isoformat()})
        except (OSError, ValueError) as error:
            log("certificate_unusable", "error", {"file": self._certificate, "why": f"{error}: the old one stays"})

    def warn(self, now_s: float) -> None:
        """`now_s`: time of a monotonic clock."""
        if self.seconds_left() < WARN_BEFORE_S and now_s - _warned_s.get(self._certificate, -inf) >= WARN_EVERY_S:
            _warned_s[self._certificate] = now_s
            log("certificate_ends", "error", {"file": self._certificate, "ends": self._ends.isoformat()})

    async def follow(self) -> None:
        """Check the files and the expiry until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.warn(loop.time())
            await asyncio.sleep(CHECK_EVERY_S)
            self.refresh()


def _no_pass_phrase() -> str:
    raise ValueError("the key is encrypted")
