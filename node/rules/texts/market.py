"""Texts of payments, recalls, and what a sale sees."""

from typing import Final

from node.rules.texts.form import rows

RAILS: Final = rows("""
card | card | Karte | 银行卡
bank_transfer | bank transfer | Überweisung | 银行转账
instant_transfer | instant transfer | Echtzeitüberweisung | 实时转账
bitcoin | Bitcoin | Bitcoin | 比特币
ether | Ether | Ether | 以太币
finance | finance | Finanzierung | 贷款
trade_in | trade-in | Inzahlungnahme | 置换
""")

RECALL_AUTHORITIES: Final = rows("""
KBA | Federal Motor Transport Authority, Germany | Kraftfahrt-Bundesamt | 德国联邦机动车运输管理局
NHTSA | National Highway Traffic Safety Administration | Verkehrssicherheitsbehörde der USA | 美国国家公路交通安全管理局
SAMR | State Administration for Market Regulation, China | Marktaufsichtsbehörde Chinas | 国家市场监督管理总局
DVSA | Driver and Vehicle Standards Agency, Great Britain | Fahrzeugbehörde Großbritanniens | 英国驾驶员和车辆标准局
RDW | Netherlands Vehicle Authority | Fahrzeugbehörde der Niederlande | 荷兰车辆管理局
TC | Transport Canada | Verkehrsministerium Kanadas | 加拿大交通部
MLIT | Ministry of Land, Infrastructure and Transport, Japan | Verkehrsministerium Japans | 日本国土交通省
""")

RECALL_CLASSES: Final = rows("""
stop_drive | do not drive | nicht fahren | 停止驾驶
park_outside | park outside | im Freien parken | 停放室外
safety | safety recall | Sicherheitsrückruf | 安全召回
compliance | recall for compliance | Rückruf zur Vorschriftsmäßigkeit | 合规召回
quality | service campaign | Serviceaktion | 服务活动
""")

SALE_EFFECTS: Final = rows("""
free | free | frei | 不限制
disclosed | must be disclosed | muss offengelegt werden | 须披露
acknowledged | the buyer must agree | Käufer muss zustimmen | 须买方确认
trade_only | only to the trade | nur an den Handel | 仅限行业内
blocked | blocked | gesperrt | 禁止
""")

SALE_DISCLOSURES: Final = rows("""
odometer | odometer doubtful | Kilometerstand zweifelhaft | 里程存疑
unroadworthy | not roadworthy | nicht verkehrssicher | 不得上道路行驶
duty | an inspection is owed | Prüfung steht aus | 检验待完成
total_loss | total loss | Totalschaden | 全损
""")

DUTIES: Final = rows("""
structural_release | structural repair to be released | Freigabe der Strukturreparatur steht aus | 结构修复待检验放行
rebuild | rebuild to be inspected | Prüfung des Wiederaufbaus steht aus | 修复待检验
retest | retest due | Nachprüfung fällig | 待复检
""")

SALE_RULES: Final = rows("""
verdict_illogical | odometer readings contradict each other | Kilometerstände widersprechen sich | 里程读数相互矛盾
verdict_contested | odometer readings contested | Kilometerstände umstritten | 里程读数有争议
brand_open | brand pending or undecided | Vermerk offen oder unentschieden | 标注待确认或未裁定
alert_confirmed | confirmed alert | bestätigte Warnung | 已确认预警
registration_claim | claimed by another country | von anderem Land beansprucht | 他国申请登记
alert_reported | reported alert | gemeldete Warnung | 已报告预警
dispute_open | open dispute | offener Streitfall | 争议未决
duty_structural_release | structural repair not released | Strukturreparatur nicht freigegeben | 结构修复未放行
duty_rebuild | rebuild not inspected | Wiederaufbau nicht geprüft | 修复未检验
retest_overdue | retest overdue | Nachprüfung überfällig | 复检逾期
unroadworthy | not roadworthy | nicht verkehrssicher | 不得上道路行驶
recall_stop_drive | open recall: do not drive | offener Rückruf: nicht fahren | 未完成召回：停止驾驶
recall_park_outside | open recall: park outside | offener Rückruf: im Freien parken | 未完成召回：停放室外
recall_safety | open safety recall | offener Sicherheitsrückruf | 未完成安全召回
recall_compliance | open recall for compliance | offener Rückruf zur Vorschriftsmäßigkeit | 未完成合规召回
recall_quality | open service campaign | offene Serviceaktion | 未完成服务活动
total_loss | total loss | Totalschaden | 全损
total_loss_provisional | total loss, one report | Totalschaden, eine Meldung | 全损（单方报告）
clearance_void | released by a fraudulent inspector | Freigabe durch betrügerischen Prüfer | 放行人因欺诈被除名
""")
