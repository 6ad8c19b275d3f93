"""Every guard that a transaction can fail: stable codes, and texts for people in English, German and Chinese.

`permission` guards are about who may do it: a refusal made of nothing else is answered 403, any other 422.
"""

from __future__ import annotations

from typing import NamedTuple

from node.codec import Value
from node.errors import Rejected


class Unmet(Value, frozen=True):
    """One guard that does not hold: what it is about, what there is, what is needed."""

    code: str
    subject: str
    have: str
    need: str

    @property
    def is_permission(self) -> bool:
        return TEXTS[self.code].permission

    def text(self, language: str = "en") -> str:
        """One sentence in `en`, `de` or `zh`."""
        texts = TEXTS[self.code]
        sentence = {"de": texts.de, "zh": texts.zh}.get(language, texts.en)
        have, need = {"de": ("vorhanden", "nötig"), "zh": ("现有", "需要")}.get(language, ("have", "need"))
        details = ", ".join(f"{name}: {value}" for name, value in ((have, self.have), (need, self.need)) if value)
        return (f"{self.subject}: " if self.subject else "") + sentence + (f" ({details})" if details else "")


class GuardsUnmet(Rejected):
    """A transaction does not hold now: every unmet guard, in the order they were found."""

    code = "guards_unmet"

    def __init__(self, unmet: tuple[Unmet, ...]) -> None:
        super().__init__("; ".join(guard.text() for guard in unmet))
        self.unmet = unmet

    @property
    def is_permission(self) -> bool:
        return all(guard.is_permission for guard in self.unmet)


class Text(NamedTuple):
    permission: bool
    en: str
    de: str
    zh: str


TEXTS: dict[str, Text] = {
    # envelope
    "transaction_expired": Text(False, "the transaction has expired", "die Transaktion ist abgelaufen", "交易已过期"),
    "expiry_too_far": Text(False, "the transaction would live longer than allowed", "die Transaktion würde länger gelten als erlaubt", "交易有效期过长"),
    "already_committed": Text(False, "this transaction is on the chain already", "diese Transaktion ist schon auf der Kette", "该交易已上链"),
    "account_unknown": Text(True, "there is no such account", "dieses Konto gibt es nicht", "账户不存在"),
    "signature_missing": Text(True, "a required signature is missing", "eine nötige Unterschrift fehlt", "缺少必需的签名"),
    "signature_superfluous": Text(True, "a signature is not needed here", "eine Unterschrift gehört nicht hierher", "存在多余的签名"),
    "not_judged": Text(False, "judging it failed, so it is set aside", "die Prüfung schlug fehl, sie wird zurückgestellt", "检验失败，已搁置"),
    "quota_exhausted": Text(False, "the daily quota of new entries is used up", "das Tageskontingent neuer Einträge ist erschöpft", "当日新增配额已用完"),
    # permissions
    "not_a_member": Text(True, "the account is not an active member", "das Konto ist kein aktives Mitglied", "该账户不是有效成员"),
    "not_a_validator": Text(True, "the account is not a validator's", "das Konto gehört keinem Validator", "该账户不是验证者"),
    "role_missing": Text(True, "the account does not hold the role now", "das Konto hat die Rolle jetzt nicht", "该账户当前没有此角色"),
    "role_scope": Text(True, "the role does not cover this", "die Rolle deckt das nicht ab", "角色范围不包括此项"),
    "not_the_holder": Text(True, "the account does not hold the title", "das Konto ist nicht der Titelinhaber", "该账户不是所有权人"),
    "not_a_party": Text(True, "the account is not a party to this", "das Konto ist hier keine Partei", "该账户不是当事方"),
    "not_your_turn": Text(True, "it is the other party who has to answer", "die andere Partei muss antworten", "应由另一方答复"),
    "not_the_provider": Text(True, "the account is not the payment's provider", "das Konto ist nicht der Zahlungsdienst dieser Zahlung", "该账户不是此付款的服务商"),
    # accounts, members, governance
    "account_exists": Text(False, "the address was opened before", "die Adresse wurde schon eröffnet", "该地址已开户"),
    "member_exists": Text(False, "the account is a member already", "das Konto ist schon Mitglied", "该账户已是成员"),
    "member_unknown": Text(False, "there is no such member", "dieses Mitglied gibt es nicht", "成员不存在"),
    "member_name_taken": Text(False, "another member has this name", "ein anderes Mitglied hat diesen Namen", "名称已被占用"),
    "proposal_unknown": Text(False, "there is no such proposal", "diesen Vorschlag gibt es nicht", "提案不存在"),
    "proposal_closed": Text(False, "the proposal is not open any more", "der Vorschlag ist nicht mehr offen", "提案已关闭"),
    "proposals_open": Text(False, "the member has too many open proposals", "das Mitglied hat zu viele offene Vorschläge", "未决提案过多"),
    "already_voted": Text(False, "the member has voted on this", "das Mitglied hat hierüber abgestimmt", "已投过票"),
    "grant_unknown": Text(False, "the member does not hold this role", "das Mitglied hat diese Rolle nicht", "成员没有此角色"),
    "grant_exists": Text(False, "the member holds this role already", "das Mitglied hat diese Rolle schon", "成员已有此角色"),
    "grants_full": Text(False, "the member has too many roles", "das Mitglied hat zu viele Rollen", "角色过多"),
    "consensus_key_used": Text(False, "the consensus key has served before", "der Konsensschlüssel wurde schon benutzt", "共识密钥已被使用"),
    "possession_unproven": Text(False, "the consensus key's proof of possession is wrong", "der Besitznachweis des Konsensschlüssels ist falsch", "共识密钥持有证明无效"),
    "power_above_third": Text(False, "no member may be lifted above a third of the power", "kein Mitglied darf über ein Drittel der Stimmkraft kommen", "任何成员的权重不得超过三分之一"),
    "power_moves_third": Text(False, "one height may move less than a third of the power", "eine Höhe darf weniger als ein Drittel der Stimmkraft bewegen", "单个高度的权重变动须小于三分之一"),
    "power_total": Text(False, "the total power is out of bounds", "die gesamte Stimmkraft liegt außerhalb der Grenzen", "总权重越界"),
    "parameter_unknown": Text(False, "there is no such chain parameter", "diesen Kettenparameter gibt es nicht", "链参数不存在"),
    "parameter_range": Text(False, "the value is out of the parameter's range", "der Wert liegt außerhalb des Bereichs", "参数值越界"),
    "not_paused": Text(False, "the validator has not paused", "der Validator pausiert nicht", "该验证者未暂停"),
    "ruleset_not_newer": Text(False, "the ruleset is not newer than the one in force", "das Regelwerk ist nicht neuer als das geltende", "规则集不比现行的新"),
    "height_passed": Text(False, "the height has passed", "die Höhe ist vorbei", "高度已过"),
    "last_member": Text(False, "the chain would be left without power", "der Kette bliebe keine Stimmkraft", "链将失去全部权重"),
    # vehicles
    "vehicle_unknown": Text(False, "there is no such vehicle on this chain", "dieses Fahrzeug gibt es auf der Kette nicht", "链上没有该车辆"),
    "vehicle_exists": Text(False, "the vehicle was born before", "das Fahrzeug ist schon registriert", "车辆已登记"),
    "vehicle_ended": Text(False, "the vehicle's life has ended", "das Leben des Fahrzeugs ist beendet", "车辆已终结"),
    "vin_check_digit": Text(False, "the check digit is wrong", "die Prüfziffer ist falsch", "校验位错误"),
    "vin_year_code": Text(False, "the model year code is not allowed", "der Modelljahrcode ist nicht erlaubt", "年款代码无效"),
    "event_in_future": Text(False, "the event lies in the future", "das Ereignis liegt in der Zukunft", "事件时间在未来"),
    "event_before_birth": Text(False, "the event lies before the vehicle's birth", "das Ereignis liegt vor der Geburt des Fahrzeugs", "事件早于车辆诞生"),
    "readings_today": Text(False, "too many readings of this author today", "zu viele Ablesungen dieses Autors heute", "该作者当日读数过多"),
    "unit_differs": Text(False, "the odometer counts in another unit", "der Kilometerzähler hat eine andere Einheit", "里程单位不符"),
    "stop_flag": Text(False, "a stop-flag blocks this", "ein Sperrvermerk verhindert das", "存在禁止标记"),
    "verdict_illogical": Text(False, "the odometer readings contradict each other", "die Kilometerstände widersprechen sich", "里程读数矛盾"),
    "odometer_missing": Text(False, "an odometer reading is missing", "ein Kilometerstand fehlt", "缺少里程读数"),
    "odometer_stale": Text(False, "the newest odometer reading is too old", "der neueste Kilometerstand ist zu alt", "里程读数过旧"),
    "market_live": Text(False, "the vehicle is listed or reserved", "das Fahrzeug ist inseriert oder reserviert", "车辆已挂牌或已预定"),
    "same_holder": Text(False, "giver and receiver are the same", "Geber und Empfänger sind gleich", "转让双方相同"),
    "service_unknown": Text(False, "the service code is not in the table", "der Servicecode steht nicht in der Tabelle", "服务代码未知"),
    "country_unknown": Text(False, "the country is not in the table", "das Land steht nicht in der Tabelle", "国家代码未知"),
    "currency_unknown": Text(False, "the currency is not in the table", "die Währung steht nicht in der Tabelle", "货币代码未知"),
    "zone_unknown": Text(False, "the damage zone is not in the table", "die Schadenzone steht nicht in der Tabelle", "损伤部位未知"),
    # sale
    "listing_unknown": Text(False, "there is no such listing", "dieses Inserat gibt es nicht", "挂牌不存在"),
    "listing_closed": Text(False, "the listing is not open", "das Inserat ist nicht offen", "挂牌未开放"),
    "listing_version": Text(False, "the listing has changed", "das Inserat hat sich geändert", "挂牌已变更"),
    "listing_versions_full": Text(False, "the listing was changed too often", "das Inserat wurde zu oft geändert", "挂牌修改次数过多"),
    "expiry_passed": Text(False, "the deadline lies in the past", "die Frist liegt in der Vergangenheit", "期限已过"),
    "rail_not_accepted": Text(False, "the seller does not accept this rail with this provider", "der Verkäufer nimmt diesen Zahlweg mit diesem Dienst nicht an", "卖方不接受该支付方式"),
    "rail_forbidden": Text(False, "the rail is forbidden in this country", "der Zahlweg ist in diesem Land verboten", "该国禁止此支付方式"),
    "provider_unaccredited": Text(False, "the provider does not hold the role payment_provider", "der Dienst hat die Rolle payment_provider nicht", "服务商没有支付资质"),
    "disclosure_stale": Text(False, "what was shown is not what is", "das Gezeigte ist nicht mehr der Stand", "披露信息已过时"),
    "offers_live": Text(False, "the account has too many live offers", "das Konto hat zu viele offene Angebote", "有效报价过多"),
    "own_listing": Text(False, "the seller cannot buy from himself", "der Verkäufer kann nicht bei sich kaufen", "不能购买自己的挂牌"),
    "order_unknown": Text(False, "there is no such order", "diesen Auftrag gibt es nicht", "订单不存在"),
    "order_status": Text(False, "the order is not in the right state", "der Auftrag ist nicht im richtigen Zustand", "订单状态不符"),
    "order_expired": Text(False, "the order's deadline has passed", "die Frist des Auftrags ist vorbei", "订单已过期"),
    "order_not_reserving": Text(False, "the vehicle is not reserved by this order", "das Fahrzeug ist nicht durch diesen Auftrag reserviert", "该订单未预定此车辆"),
    "order_reserved": Text(False, "the vehicle is reserved by another order", "das Fahrzeug ist durch einen anderen Auftrag reserviert", "车辆已被其他订单预定"),
    "order_has_money": Text(False, "money of this order is under way or settled", "Geld dieses Auftrags ist unterwegs oder eingegangen", "订单已有款项"),
    "acknowledgement_missing": Text(False, "the buyer has not acknowledged what has changed", "der Käufer hat die Änderung nicht bestätigt", "买方未确认变更"),
    "nothing_to_acknowledge": Text(False, "nothing has changed since the buyer agreed", "seit der Zustimmung hat sich nichts geändert", "没有需要确认的变更"),
    # payment, delivery, handover
    "payment_unknown": Text(False, "there is no such payment", "diese Zahlung gibt es nicht", "付款不存在"),
    "payment_currency": Text(False, "the payment is in another currency", "die Zahlung hat eine andere Währung", "付款货币不符"),
    "payment_exceeds_price": Text(False, "the payments would exceed the price", "die Zahlungen überstiegen den Preis", "付款超过价格"),
    "payment_amount": Text(False, "the amount is not the payment's", "der Betrag ist nicht der der Zahlung", "金额不符"),
    "payment_transition": Text(False, "the rail does not allow this step", "der Zahlweg erlaubt diesen Schritt nicht", "该支付方式不允许此步骤"),
    "payment_not_final": Text(False, "the money is not final for the whole price", "das Geld ist nicht in voller Höhe endgültig", "款项未最终到账"),
    "payments_full": Text(False, "the order has too many payments", "der Auftrag hat zu viele Zahlungen", "付款次数过多"),
    "reference_used": Text(False, "the payment reference was used before", "die Zahlungsreferenz wurde schon benutzt", "付款凭证已被使用"),
    "reference_missing": Text(False, "the payment reference is missing", "die Zahlungsreferenz fehlt", "缺少付款凭证"),
    "reference_differs": Text(False, "the payment has another reference", "die Zahlung hat eine andere Referenz", "付款凭证不符"),
    "deliveries_full": Text(False, "the order has too many delivery events", "der Auftrag hat zu viele Lieferereignisse", "交付记录过多"),
    "delivery_order": Text(False, "the delivery steps are out of order", "die Lieferschritte sind nicht in Reihenfolge", "交付步骤次序错误"),
    "delivery_window": Text(False, "the delivery window is not a window ahead", "das Lieferfenster liegt nicht vor uns", "交付时间窗无效"),
}  # fmt: skip
