"""Guards: the conditions a transaction must meet, each with a stable code and texts in English, German and Chinese.

A guard is a constant beside the family or rule that checks it. A permission guard is about who may act: a refusal made
of permission guards alone is answered 403, any other 422.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from node.codec import Value
from node.errors import Rejected

GUARDS: Final[dict[str, Guard]] = {}
"""Every guard by its code."""


@dataclass(frozen=True, eq=False, slots=True)
class Guard:
    """One condition. `code` is stable; the texts say in one clause that it is not met."""

    code: str
    en: str
    de: str
    zh: str
    is_permission: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        assert self.code not in GUARDS, f"two guards have the code {self.code}"
        GUARDS[self.code] = self


class Unmet(Value, frozen=True):
    """A guard that is not met: its subject, the present value, the value it needs."""

    code: str
    subject: str
    have: str
    need: str

    @property
    def is_permission(self) -> bool:
        return GUARDS[self.code].is_permission

    def text(self, language: str = "en") -> str:
        """One sentence in `en`, `de` or `zh`."""
        guard = GUARDS[self.code]
        sentence = {"de": guard.de, "zh": guard.zh}.get(language, guard.en)
        have, need = {"de": ("vorhanden", "nötig"), "zh": ("现有", "需要")}.get(language, ("have", "need"))
        details = ", ".join(f"{name}: {value}" for name, value in ((have, self.have), (need, self.need)) if value)
        return (f"{self.subject}: " if self.subject else "") + sentence + (f" ({details})" if details else "")


class GuardsUnmet(Rejected):
    """A transaction is not valid now: every unmet guard, in the order they were checked."""

    code = "guards_unmet"

    def __init__(self, unmet: tuple[Unmet, ...]) -> None:
        super().__init__("; ".join(guard.text() for guard in unmet))
        self.unmet = unmet

    @property
    def is_permission(self) -> bool:
        return all(guard.is_permission for guard in self.unmet)


# --- guards of every transaction ----------------------------------------------------------------------------
TYPE_NOT_ACTIVE = Guard("type_not_active", "the ruleset in force does not have this transaction type",
                        "das geltende Regelwerk hat diesen Typ nicht", "现行规则集没有此交易类型")  # fmt: skip
TRANSACTION_EXPIRED = Guard("transaction_expired", "the transaction has expired", "die Transaktion ist abgelaufen",
                            "交易已过期")  # fmt: skip
EXPIRY_TOO_FAR = Guard("expiry_too_far", "the transaction's expiry is too far ahead",
                       "die Transaktion würde länger gelten als erlaubt", "交易有效期过长")  # fmt: skip
ALREADY_COMMITTED = Guard("already_committed", "the transaction is on the chain already",
                          "diese Transaktion ist schon auf der Kette", "该交易已上链")  # fmt: skip
SIGNATURE_MISSING = Guard("signature_missing", "a required signature is missing", "eine nötige Unterschrift fehlt",
                          "缺少必需的签名", is_permission=True)  # fmt: skip
SIGNATURE_SUPERFLUOUS = Guard("signature_superfluous", "a signature is not required",
                              "eine Unterschrift ist nicht nötig", "存在多余的签名", is_permission=True)  # fmt: skip
CODE_UNKNOWN = Guard("code_unknown", "the code is not in the ruleset's table",
                     "der Code fehlt in der Tabelle des Regelwerks", "代码不在规则集的表中")  # fmt: skip
NOT_JUDGED = Guard("not_judged", "the transaction could not be checked and is set aside",
                   "die Transaktion war nicht zu prüfen und ist zurückgestellt", "检验失败，已搁置")  # fmt: skip
EXPIRY_PASSED = Guard("expiry_passed", "the deadline is not within the allowed time",
                      "die Frist liegt nicht im erlaubten Zeitraum", "期限不在允许范围内")  # fmt: skip
