"""The words of the report's page in English, German and Chinese, and how each writes numbers, shares and durations."""

from __future__ import annotations

from typing import Final, Literal

from node.rules.texts.form import Text, rows
from node.rules.texts.tables import TEXTS

Tag = Literal["en", "de", "zh"]
LANGUAGES: Final[dict[Tag, str]] = {"en": "English", "de": "Deutsch", "zh": "中文"}

WORDS: Final = rows("""
title | Audit report | Prüfbericht | 审计报告
valid | Every block was replayed and is valid | Jeder Block wurde nachgerechnet und ist gültig | 所有区块均已重放并验证有效
valid_more | From the genesis on: certificates, signatures, rules, effects and state roots, up to this height. | Vom Genesis an: Zertifikate, Signaturen, Regeln, Wirkungen und Zustandswurzeln, bis zu dieser Höhe. | 自创世起逐一核对证书、签名、规则、效果与状态根，直至此高度。
height | height | Höhe | 高度
block | block | Block | 区块
blocks | blocks | Blöcke | 区块
transactions | transactions | Transaktionen | 交易
records | records | Einträge | 记录
cars | cars | Fahrzeuge | 车辆
validators | validators | Validatoren | 验证者
median | median between blocks | Median zwischen Blöcken | 区块间隔中位数
from_to | from {} to {} | von {} bis {} | {} 至 {}
contents | Contents | Inhalt | 目录
finality | Blocks and finality | Blöcke und Finalität | 区块与最终性
finality_more | A block is final as soon as it is decided, so the time between blocks is the time to finality. A block of a later round was delayed: the proposer before it was late, or its block was not accepted. | Ein Block ist endgültig, sobald er entschieden ist; die Zeit zwischen Blöcken ist also die Zeit bis zur Finalität. Ein Block einer späteren Runde kam verzögert: Der Vorschlagende davor war zu spät, oder sein Block wurde nicht angenommen. | 区块一经决定即为最终，因此区块间隔就是达到最终性的时间。在后续轮次决定的区块有所延迟：先前的提议者超时，或其区块未被接受。
interval | Time between blocks | Zeit zwischen Blöcken | 区块间隔
p50 | median | Median | 中位数
p99 | 99 % below | 99 % darunter | 99% 低于
max | longest | längste | 最长
log_axis | logarithmic axis | logarithmische Achse | 对数坐标
transactions_over | Transactions | Transaktionen | 交易数量
late | Blocks decided after the first round | Blöcke nach der ersten Runde entschieden | 首轮之后才决定的区块
round | round {} | Runde {} | 第 {} 轮
power_signed | Power in the certificates | Stimmkraft in den Zertifikaten | 证书中的投票权重
by_type | Records by type | Einträge nach Art | 按类型统计的记录
by_type_more | Records are what was written into the histories of cars. They are never deleted; one that was annulled is counted here too. | Einträge sind, was in die Geschichte der Fahrzeuge geschrieben wurde. Keiner wird gelöscht; auch aufgehobene zählen hier. | 记录即写入车辆历史的内容，永不删除；被撤销的记录亦计入。
over_time | Over time | Im Lauf der Zeit | 随时间变化
per_day | per day | je Tag | 每日
per_week | per week | je Woche | 每周
per_month | per month | je Monat | 每月
others | others | übrige | 其他
verdicts | Odometer verdicts | Urteile über Kilometerstände | 里程判定
verdicts_more | The verdict over each car's readings, as it counts now. | Das Urteil über die Stände jedes Fahrzeugs, wie es jetzt gilt. | 各车辆读数的现行判定。
existence | What the cars are | Was die Fahrzeuge sind | 车辆状态
open_recall | with an open recall | mit offenem Rückruf | 有未完成的召回
disputes | Disputes | Streitfälle | 争议
disputes_more | Disputes about records, by outcome. Arbiters of at least two groups decide; a dispute alone changes nothing. | Streitfälle über Einträge, nach Ausgang. Schlichter aus mindestens zwei Gruppen entscheiden; ein Streitfall allein ändert nichts. | 关于记录的争议，按结果统计。由至少两个组的仲裁员裁定；仅提出争议不改变任何内容。
by_outcome | By outcome | Nach Ausgang | 按结果
by_ground | By ground | Nach Grund | 按理由
by_author | By author of the record | Nach Autor des Eintrags | 按记录作者
conduct | Conduct | Verhalten | 行为
conduct_more | Accounts with anything counted against them in the last eight quarters, the most first. | Konten, gegen die in den letzten acht Quartalen etwas gezählt wurde, die meisten zuerst. | 最近八个季度内有不良计数的账户，多者在前。
account | account | Konto | 账户
annulled | records annulled | aufgehobene Einträge | 被撤销的记录
unanswered | disputes unanswered | unbeantwortete Streitfälle | 未答复的争议
dismissed | own disputes dismissed | eigene abgewiesene | 被驳回的自提争议
defaulted | orders left as seller | als Verkäufer verlassen | 卖方违约订单
refunds_overdue | refunds overdue | überfällige Erstattungen | 逾期退款
hold_until | on hold until | gesperrt bis | 暂停至
barred_until | no disputes until | keine Streitfälle bis | 禁止提争议至
uptime | Validators: uptime and missed proposals | Validatoren: Verfügbarkeit und verpasste Vorschläge | 验证者：在线率与错过的提议
uptime_more | Uptime is the share of certificates that have the validator's vote. Certificates take votes only until the quorum is reached and a little longer, so some absence is normal. | Verfügbarkeit ist der Anteil der Zertifikate mit der Stimme des Validators. Zertifikate nehmen Stimmen nur bis zum Quorum und ein wenig darüber hinaus, etwas Fehlen ist also normal. | 在线率为含该验证者投票的证书比例。证书只收集到法定多数及其后短时间内的投票，少量缺席属正常。
votes_over | Votes, from the first to the last block | Stimmen, vom ersten bis zum letzten Block | 投票情况，自首个至最新区块
all_votes | all | alle | 全部
most_votes | 95 % and more | ab 95 % | 95% 以上
some_votes | two thirds and more | ab zwei Dritteln | 三分之二以上
few_votes | fewer | weniger | 更少
not_in_set | not in the set | nicht im Satz | 不在集合中
validator | validator | Validator | 验证者
power | power | Stimmkraft | 权重
signed | votes | Stimmen | 投票
uptime_share | uptime | Verfügbarkeit | 在线率
proposed | proposed | vorgeschlagen | 已提议
missed | missed proposals | verpasste Vorschläge | 错过的提议
concentration | Concentration of power | Konzentration der Macht | 权力集中度
concentration_more | Whoever has a third of the power can stop the chain; more than two thirds decide alone. Members of one group count as one. | Wer ein Drittel der Stimmkraft hat, kann die Kette anhalten; mehr als zwei Drittel entscheiden allein. Mitglieder einer Gruppe zählen als eines. | 拥有三分之一权重者可使链停止；超过三分之二者可独自决定。同一组成员视为一体。
cumulative | Share of the largest together | Anteil der größten zusammen | 最大者合计占比
rank | number of the largest | Anzahl der größten | 最大者数量
third | one third | ein Drittel | 三分之一
two_thirds | two thirds | zwei Drittel | 三分之二
groups | groups | Gruppen | 组
authors | authors of records | Autoren von Einträgen | 记录作者
count | number | Anzahl | 数量
to_third | together above a third | zusammen über ein Drittel | 合计超过三分之一
to_two_thirds | together above two thirds | zusammen über zwei Drittel | 合计超过三分之二
largest | largest share | größter Anteil | 最大占比
hhi | Herfindahl index | Herfindahl-Index | 赫芬达尔指数
hhi_more | 10,000 is one alone | 10.000 ist einer allein | 10,000 表示独占
largest_authors | Authors with the most records | Autoren mit den meisten Einträgen | 记录最多的作者
nothing | none | keine | 无
table | Table | Tabelle | 表格
proof | What this report rests on | Worauf dieser Bericht beruht | 本报告的依据
proof_more | The figures are in report.json, signed. The same chain and the same key give the same bytes; anybody can replay the chain and compare. Check the signature with: | Die Zahlen stehen signiert in report.json. Dieselbe Kette und derselbe Schlüssel ergeben dieselben Bytes; jeder kann die Kette nachrechnen und vergleichen. Die Signatur prüft: | 数据已签名，保存在 report.json 中。相同的链与密钥产生相同的字节；任何人都可重放该链并比对。验证签名的命令：
proof_limits | A replay shows who signed what and when, not whether it is true. | Ein Nachrechnen zeigt, wer was wann signiert hat, nicht, ob es wahr ist. | 重放可证明何人于何时签署了什么，但不能证明其内容属实。
chain | chain | Kette | 链
genesis_hash | genesis hash | Genesis-Hash | 创世哈希
block_id | block id | Block-ID | 区块 ID
state_root | state root | Zustandswurzel | 状态根
signer | signer | Unterzeichner | 签署者
public_key | public key | öffentlicher Schlüssel | 公钥
signature | signature | Signatur | 签名
digest | SHA-256 of the figures | SHA-256 der Zahlen | 数据的 SHA-256
""")

CODES: Final = rows("""
LOGICAL | logical: the readings rise | schlüssig: die Stände steigen | 合理：读数递增
CONTESTED | contested: one mistake would explain it | strittig: ein Fehler würde es erklären | 存疑：一处错误可解释
ILLOGICAL | illogical: no single mistake explains it | widersprüchlich: kein einzelner Fehler erklärt es | 矛盾：单一错误无法解释
NO_VERDICT | no verdict: too few readings | kein Urteil: zu wenige Stände | 无判定：读数过少
born | new, not yet in service | neu, noch nicht in Betrieb | 新车，尚未使用
in_service | in service | in Betrieb | 使用中
total_loss | total loss | Totalschaden | 全损
rebuilt | rebuilt | wieder aufgebaut | 重建
scrapped | scrapped | verschrottet | 已报废
voided | voided import | annullierter Import | 已作废的进口登记
open | open | offen | 未结
withdrawn | withdrawn | zurückgezogen | 已撤回
""")
"""Codes of state values that no table of the ruleset has."""


class Language:
    """Texts and number formats of one language."""

    def __init__(self, tag: Tag) -> None:
        self.tag: Tag = tag
        self._index = list(LANGUAGES).index(tag)
        self._units = {"en": ("ms", "s", "min", "h", "d"), "de": ("ms", "s", "min", "h", "T"),
                       "zh": ("毫秒", "秒", "分", "时", "天")}[tag]  # fmt: skip

    def word(self, name: str, *values: object) -> str:
        return self._of(WORDS[name]).format(*values) if values else self._of(WORDS[name])

    def code(self, code: str, table: str = "") -> str:
        """The text of a code; the code itself where it has none."""
        text = TEXTS.get(table, {}).get(code) or CODES.get(code)
        return self._of(text) if text is not None else code

    def _of(self, text: Text) -> str:
        return text[self._index]

    def number(self, value: float) -> str:
        """Whole, in groups of three digits."""
        return f"{round(value):,}".replace(",", "." if self.tag == "de" else ",")

    def share(self, per_mille: float) -> str:
        text = f"{per_mille / 10:.1f}".removesuffix(".0")
        return f"{text.replace('.', ',') if self.tag == 'de' else text}{'%' if self.tag == 'zh' else ' %'}"

    def duration(self, ms: float) -> str:
        """Two or three digits and a unit."""
        for size, unit in zip((1, 1_000, 60_000, 3_600_000, 86_400_000), self._units, strict=True):
            value = ms / size
            next_size = {1: 1_000, 1_000: 60, 60_000: 60, 3_600_000: 48}.get(size)
            if next_size is None or value < next_size:
                break
        text = f"{value:.1f}".removesuffix(".0") if value < 100 and size > 1 else f"{round(value)}"
        return f"{text.replace('.', ',') if self.tag == 'de' else text}{'' if self.tag == 'zh' else ' '}{unit}"

    @staticmethod
    def day(time: str) -> str:
        """ISO 8601, which all three read."""
        return time[:10]
