"""The sentences of a certificate on paper, in three languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from node.rules.texts.form import Text, rows

Language = Literal["en", "de", "zh"]
NAMES: Final = rows("""
title history | Vehicle history certificate | Zertifikat der Fahrzeughistorie | 车辆历史证书
title absence | Certificate of absence | Negativbescheinigung | 无登记证书
title order | Order certificate | Auftragszertifikat | 订单证书
as of | As of {time} UTC | Stand {time} UTC | 截至 {time} UTC
height | block height {height} | Blockhöhe {height} | 区块高度 {height}
page | page {page} of {pages} | Seite {page} von {pages} | 第 {page} 页，共 {pages} 页
newer | A newer certificate | Ein neueres Zertifikat | 获取最新证书
findings | At a glance | Auf einen Blick | 概览
model | Model | Modell | 车型
existence | Status | Zustand | 状态
origin | Origin | Herkunft | 来源
holder | Title held by | Eigentümerkonto | 所有权账户
odometer | Odometer | Kilometerstand | 里程表
newest | Newest reading shown | Letzte gezeigte Ablesung | 所示最近读数
flags | Stop-flags | Sperrvermerke | 禁止标记
brands | Lasting brands | Bleibende Vermerke | 永久标记
recalls | Open recalls | Offene Rückrufe | 未完成召回
alerts | Alerts | Hinweise | 警示
accidents | Accident reports | Unfallmeldungen | 事故报告
transfers | Changes of title | Eigentümerwechsel | 所有权变更次数
fraud | Authors revoked for fraud | Wegen Betrugs ausgeschlossene Autoren | 因欺诈被撤销的作者
fraud none | None among the records shown | Keine unter den gezeigten Einträgen | 所示记录中没有
fraud some | Records {records} | Einträge {records} | 记录 {records}
none | None | Keine | 无
proven | What is proven | Was bewiesen ist | 已证明的内容
unproven | What is not proven | Was nicht bewiesen ist | 未证明的内容
trust | How it is trusted | Worauf das Vertrauen beruht | 信任依据
chain | Chain (hash of genesis) | Kette (Hash der Genesis) | 区块链（创世哈希）
block | Block | Block | 区块
signed | Signed by | Unterschrieben von | 签名
root | Trust root | Vertrauensanker | 信任根
file | Attached file | Angehängte Datei | 附件
file size | {name}, {size} bytes | {name}, {size} Byte | {name}，{size} 字节
timeline | Records | Einträge | 历史记录
column record | Record | Eintrag | 记录
column day | Date | Datum | 日期
column author | Author | Autor | 作者
column distance | Distance | Kilometerstand | 里程
redacted | Content withheld, its digest is proven | Inhalt zurückgehalten, Hash bewiesen | 内容未公开，摘要已证明
hidden | Withheld: only its digest is shown | Zurückgehalten: nur der Hash ist gezeigt | 未公开，仅显示摘要
marked | Author revoked for fraud | Autor wegen Betrugs ausgeschlossen | 作者因欺诈被撤销
late | entered on {day} | eingetragen am {day} | 录入于 {day}
other car | about the car {vin} | über das Fahrzeug {vin} | 关于车辆 {vin}
verify | Verify this paper | Dieses Papier prüfen | 验证本证书
code | Code {number} of {count} | Code {number} von {count} | 第 {number} 个码，共 {count} 个
order | Order | Auftrag | 订单
order state | State | Stand | 状态
cause | Cause | Grund | 原因
seller | Seller | Verkäufer | 卖方
buyer | Buyer | Käufer | 买方
payments | Payments | Zahlungen | 付款
""")
SENTENCES: Final[Mapping[str, Text]] = {
    "doubtful": Text(
        "Judged with readings of authors revoked since",
        "Mit Ablesungen seither ausgeschlossener Autoren",
        "判断时含其后被撤销作者的读数",
    ),
    "signed by": Text(
        "{power} of {total} of the validators' voting power",
        "{power} von {total} der Stimmkraft der Validatoren",
        "验证者权重 {total} 中的 {power}",
    ),
    "root genesis": Text(
        "Genesis document; headers in between: {links}",
        "Genesis-Dokument; Köpfe dazwischen: {links}",
        "创世文件；中间区块头：{links}",
    ),
    "root height": Text(
        "Checkpoint at height {height}; headers in between: {links}",
        "Checkpoint der Höhe {height}; Köpfe dazwischen: {links}",
        "高度 {height} 的检查点；中间区块头：{links}",
    ),
    "age": Text(
        "It proves the past up to this time, and nothing after it. Count the days since: if they are more "
        "than 60, it is old; ask for a new one.",
        "Es beweist die Vergangenheit bis zu dieser Zeit und nichts danach. Zählen Sie die Tage seither: sind es "
        "mehr als 60, ist es alt; verlangen Sie ein neues.",
        "本证书只证明截至该时间的历史，不涉及此后。请计算距今天数：超过 60 天即为过旧，应索取新证书。",
    ),
    "complete": Text(
        "The history is complete for what was submitted to this chain: {count} records, none left out, added or "
        "changed.",
        "Die Historie ist vollständig für das, was dieser Kette vorgelegt wurde: {count} Einträge, keiner weggelassen, "
        "hinzugefügt oder verändert.",
        "就提交到本链的内容而言，历史完整：共 {count} 条记录，无遗漏、无添加、无改动。",
    ),
    "withheld": Text(
        "{count} of them are not shown in full. That they exist, and where, is proven.",
        "{count} davon sind nicht vollständig gezeigt. Dass es sie gibt und wo, ist bewiesen.",
        "其中 {count} 条未完整显示，但其存在和位置已得到证明。",
    ),
    "unseen": Text(
        "What the withheld records say. One of them may correct or annul another.",
        "Was die zurückgehaltenen Einträge sagen. Einer kann einen anderen berichtigen oder aufheben.",
        "未公开记录的内容。其中可能有更正或撤销其他记录者。",
    ),
    "state": Text(
        "The state of the car shown above is signed by more than two thirds of the validators' voting power.",
        "Den oben gezeigten Zustand des Fahrzeugs haben mehr als zwei Drittel der Stimmkraft der Validatoren "
        "unterschrieben.",
        "上述车辆状态由超过三分之二权重的验证者签名。",
    ),
    "absent": Text(
        "No car with the VIN {vin} was born on this chain up to this time.",
        "Bis zu dieser Zeit gab es auf dieser Kette kein Fahrzeug mit der Fahrgestellnummer {vin}.",
        "截至该时间，本链上没有车辆识别代号为 {vin} 的车辆。",
    ),
    "absent elsewhere": Text(
        "That the car does not exist: it may never have been entered here, or under another VIN.",
        "Dass es das Fahrzeug nicht gibt: es kann hier nie oder unter einer anderen Nummer eingetragen worden sein.",
        "该车不存在：它可能从未在此登记，或以其他代号登记。",
    ),
    "order proven": Text(
        "The state of the order and of its {count} payments was signed by more than two thirds of the validators' "
        "voting power.",
        "Den Stand des Auftrags und seiner {count} Zahlungen haben mehr als zwei Drittel der Stimmkraft der "
        "Validatoren unterschrieben.",
        "该订单及其 {count} 笔付款的状态由超过三分之二权重的验证者签名。",
    ),
    "unsubmitted": Text(
        "What nobody ever submitted is not here.",
        "Was niemand je vorgelegt hat, steht nicht hier.",
        "从未有人提交的内容不在其中。",
    ),
    "truth": Text(
        "That every author told the truth. Disputes, corrections and authors revoked for fraud are marked.",
        "Dass jeder Autor die Wahrheit gesagt hat. Streitfälle, Berichtigungen und wegen Betrugs ausgeschlossene "
        "Autoren sind gekennzeichnet.",
        "每位作者所述属实。争议、更正和因欺诈被撤销的作者均有标注。",
    ),
    "after": Text(
        "Anything that happened after the time above.",
        "Was nach der oben genannten Zeit geschah.",
        "上述时间之后发生的任何事情。",
    ),
    "print": Text(
        "This print: paper can be forged. Verify it as the last page says.",
        "Dieser Ausdruck: Papier lässt sich fälschen. Prüfen Sie es, wie die letzte Seite es beschreibt.",
        "本打印件：纸张可以伪造。请按末页所述验证。",
    ),
    "scan": Text(
        "Scan the code and save its text as a file, one line for each code. Or save {name}, the file attached to this "
        "PDF.",
        "Scannen Sie den Code und speichern Sie seinen Text als Datei, eine Zeile je Code. Oder speichern Sie {name}, "
        "den Anhang dieser PDF-Datei.",
        "扫描二维码并将文本存为文件，每个码一行；或保存本 PDF 的附件 {name}。",
    ),
    "take": Text(
        "Save {name}, the file that is attached to this PDF.",
        "Speichern Sie {name}, den Anhang dieser PDF-Datei.",
        "保存本 PDF 的附件 {name}。",
    ),
    "genesis": Text(
        "Get the genesis file of the chain from somebody you trust, and compare its hash with the one on page 1.",
        "Holen Sie die Genesis-Datei der Kette von jemandem, dem Sie vertrauen, und vergleichen Sie ihren Hash mit dem "
        "auf Seite 1.",
        "从您信任的人处取得该链的创世文件，并核对其哈希与第 1 页所示一致。",
    ),
    "command": Text(
        "Run the command below, with the file of the first step. It needs no network.",
        "Führen Sie den Befehl unten mit der Datei des ersten Schritts aus. Er braucht kein Netz.",
        "对第一步的文件运行下面的命令，无需网络。",
    ),
    "pins": Text(
        "The code has the state of the car and the head of its history. Which authors were revoked for fraud only the "
        "attached file proves.",
        "Der Code enthält den Zustand des Fahrzeugs und den Kopf seiner Historie. Welche Autoren wegen Betrugs "
        "ausgeschlossen wurden, beweist nur die angehängte Datei.",
        "二维码包含车辆状态和历史链的末端。哪些作者因欺诈被撤销，只有附件能够证明。",
    ),
    "no code": Text(
        "There is no code: since genesis the validators have changed, or the proof is too large for one. The attached "
        "file proves all of it.",
        "Es gibt keinen Code: die Validatoren haben seit der Genesis gewechselt, oder der Beweis ist zu groß dafür. "
        "Die angehängte Datei beweist alles.",
        "没有二维码：自创世以来验证者已变更，或证明过大。附件可证明全部内容。",
    ),
}
PHRASES: Final[Mapping[str, Text]] = {**NAMES, **SENTENCES}


def say(language: Language, code: str, **values: object) -> str:
    """The phrase in the language, with the values put in."""
    text: str = getattr(PHRASES[code], language)
    return text.format(**values)


def number(language: Language, value: int) -> str:
    """12000 as `12,000`; in German as `12.000`."""
    return f"{value:,}".replace(",", "." if language == "de" else ",")


def distance(language: Language, value: int, unit: str) -> str:
    """A distance with its unit, as an instrument shows it."""
    if language == "zh":
        return f"{number(language, value)} {'英里' if unit == 'mi' else '公里'}"
    return f"{number(language, value)} {unit}"
