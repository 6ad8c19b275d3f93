"""Texts of deals and payments."""

from typing import Final

from node.rules.texts.form import rows

ATTESTATIONS: Final = rows("""
authorised | authorised | autorisiert | 已授权
voided | authorisation given back | Autorisierung zurückgegeben | 授权已撤销
captured | captured | eingezogen | 已请款
pending | under way | unterwegs | 处理中
settled | received | gutgeschrieben | 已入账
failed | failed | fehlgeschlagen | 失败
returned | sent back | zurücküberwiesen | 已退回
refunded | refunded | erstattet | 已退款
charged_back | charged back | rückbelastet | 已拒付
represented | charge-back won | Rückbelastung abgewehrt | 拒付申诉成功
""")

RAIL_SCHEMES: Final = rows("""
visa | Visa | Visa | Visa
mastercard | Mastercard | Mastercard | 万事达卡
amex | American Express | American Express | 美国运通
unionpay | UnionPay | UnionPay | 银联
jcb | JCB | JCB | JCB
discover | Discover | Discover | Discover
girocard | girocard | girocard | girocard
sct | SEPA credit transfer | SEPA-Überweisung | SEPA 转账
target | TARGET transfer | TARGET-Überweisung | TARGET 转账
swift | SWIFT transfer | SWIFT-Überweisung | SWIFT 转账
domestic | domestic transfer | Inlandsüberweisung | 境内转账
sct_inst | SEPA instant transfer | SEPA-Echtzeitüberweisung | SEPA 实时转账
credit | credit | Kredit | 贷款
lease | lease | Leasing | 融资租赁
""")

CARD_CHECKS: Final = rows("""
challenge | confirmed by the holder | vom Inhaber bestätigt | 持卡人已验证
frictionless | checked by data | anhand von Daten geprüft | 无感验证
exempt | not checked | nicht geprüft | 豁免验证
""")

PAYMENT_REASONS: Final = rows("""
declined | declined | abgelehnt | 拒绝
expired | expired | abgelaufen | 过期
holder_cancelled | given up by the holder | vom Inhaber abgebrochen | 持卡人取消
fraud | fraud | Betrug | 欺诈
authorisation | authorisation error | Autorisierungsfehler | 授权错误
processing | processing error | Verarbeitungsfehler | 处理错误
not_received | goods not received | Ware nicht erhalten | 未收到货物
not_as_described | not as described | nicht wie beschrieben | 与描述不符
cancelled_contract | contract cancelled | Vertrag aufgehoben | 合同已取消
credit_not_processed | refund not made | Erstattung fehlt | 未退款
AC01 | account number wrong | Kontonummer falsch | 账号错误
AC03 | creditor account wrong | Empfängerkonto falsch | 收款账号无效
AC04 | account closed | Konto aufgelöst | 账户已销户
AC06 | account blocked | Konto gesperrt | 账户被冻结
AG01 | transfer forbidden on this account | auf diesem Konto nicht zulässig | 该账户禁止此类转账
AG02 | operation code wrong | Vorgangscode falsch | 业务代码错误
AM02 | amount not allowed | Betrag nicht zulässig | 金额不允许
AM04 | too little on the account | Deckung fehlt | 余额不足
AM05 | sent twice | doppelt gesendet | 重复支付
AM09 | amount wrong | Betrag falsch | 金额错误
BE04 | creditor address missing | Empfängeranschrift fehlt | 缺少收款人地址
CNOR | creditor bank unknown | Empfängerbank unbekannt | 收款行未登记
CUST | recalled by the payer | vom Zahler zurückgerufen | 付款人要求撤回
DUPL | duplicate | Duplikat | 重复
FOCR | returned after a recall | nach Rückruf zurück | 应撤回请求退回
FRAD | recalled as fraud | als Betrug zurückgerufen | 因欺诈撤回
MD07 | account holder deceased | Kontoinhaber verstorben | 账户所有人已故
MS02 | refused by the receiver | vom Empfänger abgelehnt | 收款人拒收
MS03 | refused, no reason given | abgelehnt ohne Angabe | 拒绝，未说明原因
NOAS | no answer of the receiver | keine Antwort des Empfängers | 收款人未答复
RC01 | bank identifier wrong | Bankkennung falsch | 银行代码错误
RR01 | payer's account missing | Zahlerkonto fehlt | 缺少付款账户
RR02 | payer's name missing | Zahlername fehlt | 缺少付款人名称
RR03 | receiver's name missing | Empfängername fehlt | 缺少收款人名称
RR04 | regulatory reason | aufsichtlicher Grund | 监管原因
TECH | technical error | technischer Fehler | 技术故障
TM01 | after the cut-off time | nach Annahmeschluss | 超过截止时间
credit_refused | credit refused | Kredit abgelehnt | 贷款被拒
credit_withdrawn | credit withdrawn | Kredit widerrufen | 贷款已撤回
documents_missing | documents missing | Unterlagen fehlen | 资料不全
credit_revoked | credit revoked by the lender | Kredit vom Geber beendet | 贷款人撤销贷款
""")

CANCEL_REASONS: Final = rows("""
mutual | both agree | beide einig | 双方同意
changed_mind | change of mind | Meinung geändert | 反悔
buyer_default | not paid in time | nicht rechtzeitig bezahlt | 逾期未付款
late_delivery | delivered too late | zu spät geliefert | 交付逾期
vehicle_changed | the car has changed | Fahrzeug hat sich verändert | 车辆状况已变
vehicle_lost | the car is lost | Fahrzeug verloren | 车辆灭失
refused | refused at the door | bei Lieferung abgelehnt | 拒收
financing_failed | credit failed | Finanzierung gescheitert | 融资失败
time_over | time over | Zeit abgelaufen | 期限已过
decided | decided by arbiters | von Schlichtern entschieden | 仲裁裁决
seller_default | left by the seller | vom Verkäufer verlassen | 卖方违约
""")

CONTRACTS: Final = rows("""
private | private sale | Privatverkauf | 个人交易
business | between businesses | zwischen Unternehmen | 企业间交易
on_premises | on the premises | im Geschäft | 店内合同
distance | distance contract | Fernabsatz | 远程合同
""")

FEE_CODES: Final = rows("""
REGISTRATION | registration | Zulassung | 注册费
TRANSPORT | transport | Überführung | 运输费
PREPARATION | preparation | Aufbereitung | 整备费
PLATES | number plates | Kennzeichen | 号牌费
DOCUMENTS | documents | Unterlagen | 文件费
EXTENDED_WARRANTY | extended warranty | Anschlussgarantie | 延长质保
FINANCE_COST | cost of the credit | Finanzierungskosten | 融资费用
""")

LEG_KINDS: Final = rows("""
deposit | deposit | Anzahlung | 定金
part | part payment | Teilzahlung | 部分付款
balance | balance | Restzahlung | 尾款
finance | financed part | finanzierter Teil | 贷款部分
trade_in | car in payment | Fahrzeug in Zahlung | 置换车辆
""")

TAX_SCHEMES: Final = rows("""
standard | standard taxation | Regelbesteuerung | 一般计税
margin | margin scheme | Differenzbesteuerung | 差额计税
export | export | Ausfuhr | 出口
intra_eu | supply within the EU | innergemeinschaftliche Lieferung | 欧盟内供货
private | private sale, no tax | privat, ohne Steuer | 个人，无税
""")

CASE_CATEGORIES: Final = rows("""
DELIVERY | delivery | Lieferung | 交付
PAYMENT | payment | Zahlung | 付款
REFUND | refund | Erstattung | 退款
DEFECT | defect | Mangel | 缺陷
WARRANTY | warranty | Garantie | 质保
RECALL | recall | Rückruf | 召回
DATA | personal data | personenbezogene Daten | 个人数据
COMPLAINT | complaint | Beschwerde | 投诉
OTHER | other | Sonstiges | 其他
""")
