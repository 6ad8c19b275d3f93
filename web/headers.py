"""Headers of every answer. Pages run nothing but the modules of this origin, and no script draws HTML."""

from __future__ import annotations

from typing import Final

CONTENT_SECURITY_POLICY: Final = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "connect-src 'self'",
    "form-action 'self'", "worker-src 'self'", "manifest-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    "require-trusted-types-for 'script'", "trusted-types bmw", "report-uri /report",
))  # fmt: skip
_OUR_OWN: Final = ("camera", "geolocation", "publickey-credentials-get", "publickey-credentials-create")
_NOT_USED: Final = (
    "accelerometer", "autoplay", "display-capture", "encrypted-media", "fullscreen", "gyroscope", "hid",
    "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock", "serial", "usb",
    "xr-spatial-tracking",
)  # fmt: skip
SECURITY: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": ", ".join((
        *(f"{name}=(self)" for name in _OUR_OWN),
        *(f"{name}=()" for name in _NOT_USED),
    )),
}  # fmt: skip
STRICT_TRANSPORT: Final = {"Strict-Transport-Security": "max-age=31536000"}
IMMUTABLE: Final = "public, max-age=31536000, immutable"
KEPT: Final = "public, max-age=5"
NOT_KEPT: Final = "no-store"
