"""What a record is called on paper: the texts of every transaction type, in three languages."""

from typing import Final

from node.rules.texts.form import rows

KINDS: Final = rows("""
account.open | account opened | Kontoeröffnung | 开立账户
account.update_keys | keys of the account changed | Kontoschlüssel geändert | 更换账户密钥
member.update | directory entry changed | Verzeichniseintrag geändert | 更新成员资料
mandate.grant | mandate granted | Vollmacht erteilt | 授予代理权
mandate.end | mandate ended | Vollmacht beendet | 终止代理权
governance.propose | proposal | Vorschlag | 提案
governance.vote | vote on a proposal | Abstimmung über einen Vorschlag | 提案表决
validator.pause | validator paused | Validator pausiert | 验证者暂停
validator.resume | validator resumed | Validator nimmt wieder teil | 验证者恢复
vehicle.register | registered by its maker | Anmeldung durch den Hersteller | 生产企业登记
title.transfer | transfer of title | Eigentumsübertragung | 所有权转移
odometer.read | odometer reading | Ablesung des Kilometerstands | 里程读数
odometer.replace | odometer replaced | Kilometerzähler ersetzt | 更换里程表
maintenance.record | service | Wartung | 保养
accident.report | accident report | Unfallmeldung | 事故报告
recall.open | recall campaign opened | Rückrufaktion eröffnet | 发起召回
registration.set | registration | Zulassung | 注册登记
registration.suspend | registration suspended | Zulassung ruht | 暂停登记
registration.end | registration ended | Außerbetriebsetzung | 注销登记
registration.export | export | Ausfuhr | 出口
registration.accept | registration taken over | Übernahme der Zulassung | 转入登记
title.assign | assignment of title | Eigentumszuweisung | 所有权变更
recall.extend | recall: car named or taken out | Rückruf: Fahrzeug aufgenommen oder entlassen | 召回范围变更
recall.done | recall remedied | Rückruf erledigt | 召回已完成
inspection.record | inspection | Untersuchung | 检验
flag.set | stop-flag set | Sperrvermerk gesetzt | 设置禁止标记
flag.clear | stop-flag lifted | Sperrvermerk aufgehoben | 解除禁止标记
alert.close | alert closed | Hinweis geschlossen | 关闭警示
repair.record | repair | Reparatur | 维修
vehicle.total_loss | total loss reported | Totalschaden gemeldet | 报告全损
vehicle.rebuild | back on the road after a rebuild | Wiederzulassung nach Wiederaufbau | 修复后恢复上路
vehicle.scrap | scrapped | Verschrottung | 报废
vehicle.import | taken onto this chain | Übernahme auf diese Kette | 导入本链
vehicle.sighting | sighting | Sichtung | 目击报告
part.bind | part fitted or removed | Teil ein- oder ausgebaut | 零部件装拆
battery.bind | battery fitted or removed | Batterie ein- oder ausgebaut | 电池装拆
battery.health | battery health | Batteriezustand | 电池健康度
software.update | software update | Softwareaktualisierung | 软件更新
listing.create | listed for sale | Inserat | 挂牌出售
listing.build | cars offered for order | Bestellfahrzeuge angeboten | 发布订制车辆
listing.update | listing changed | Inserat geändert | 变更挂牌
listing.withdraw | listing withdrawn | Inserat zurückgezogen | 撤回挂牌
order.offer | offer | Kaufangebot | 购车报价
order.counter | counter-offer | Gegenangebot | 还价
order.accept | sale agreed, car reserved | Kauf vereinbart, Fahrzeug reserviert | 成交，车辆已预定
order.reject | offer rejected | Angebot abgelehnt | 拒绝报价
order.cancel | order cancelled | Auftrag storniert | 取消订单
order.claim_refund | refund claimed | Erstattung angemahnt | 催告退款
order.acknowledge | changes acknowledged by the buyer | Änderungen vom Käufer bestätigt | 买方确认变更
order.amend | order amended | Auftrag geändert | 修改订单
order.reinstate | order reinstated | Auftrag wiederhergestellt | 恢复订单
order.assign_vin | car assigned to an order | Fahrzeug einem Auftrag zugeordnet | 订单指定车辆
order.handover | handover to the buyer | Übergabe an den Käufer | 向买方交车
order.withdraw | buyer withdrew from the contract | Widerruf durch den Käufer | 买方撤回合同
order.return | car returned to the seller | Rückgabe an den Verkäufer | 车辆退回卖方
claim.release | claim released | Forderung erlassen | 免除债权
order.dispute | order disputed | Auftrag bestritten | 提出订单争议
order.respond | answer to an order dispute | Antwort im Streit um den Auftrag | 答复订单争议
order.resolve | vote on an order dispute | Entscheidung im Streit um den Auftrag | 裁决订单争议
order.close | order dispute closed | Streit um den Auftrag abgeschlossen | 订单争议结束
case.open | customer case opened | Kundenfall eröffnet | 开立客户案件
case.confirm | customer case confirmed | Kundenfall bestätigt | 确认客户案件
case.reply | reply to a customer case | Antwort im Kundenfall | 答复客户案件
case.close | customer case closed | Kundenfall geschlossen | 关闭客户案件
payment.initiate | payment initiated | Zahlung veranlasst | 发起付款
payment.declare | payment declared | Zahlung erklärt | 声明付款
payment.attest | payment attested | Zahlung bestätigt | 证明付款
payment.refund | refund | Erstattung | 退款
payment.confirm_refund | refund confirmed | Erstattung bestätigt | 确认退款
payment.reassign | payment reassigned | Zahlung umgebucht | 付款改派
delivery.schedule | delivery scheduled | Lieferung geplant | 安排交付
delivery.confirm | delivery window confirmed | Lieferfenster bestätigt | 确认交付时间
delivery.event | delivery step | Lieferschritt | 交付进展
delivery.refuse | delivery refused | Annahme verweigert | 拒收
record.amend | record corrected by its author | Eintrag vom Autor berichtigt | 作者更正记录
record.dispute | record disputed | Eintrag bestritten | 对记录提出争议
record.respond | author's answer to a dispute | Antwort des Autors im Streitfall | 作者答复争议
record.withdraw | dispute withdrawn | Streitfall zurückgezogen | 撤回争议
record.resolve | arbiter's vote on a dispute | Stimme eines Schlichters | 仲裁员表决
record.close | dispute closed | Streitfall abgeschlossen | 争议结束
warranty.start | warranty begins | Garantie beginnt | 质保开始
warranty.extend | warranty extended | Garantie verlängert | 延长质保
warranty.claim | warranty claim | Garantieanspruch | 质保索赔
warranty.decide | warranty claim decided | Garantieanspruch entschieden | 质保索赔裁定
""")
VERDICTS: Final = rows("""
LOGICAL | readings agree | Kilometerstände stimmig | 里程读数相符
CONTESTED | contradictory; one error explains it | widersprüchlich; ein Fehler erklärt es | 读数矛盾，一处错误可解释
ILLOGICAL | readings contradict each other | Kilometerstände widersprechen sich | 里程读数相互矛盾
NO_VERDICT | too few readings to judge | zu wenige Ablesungen für ein Urteil | 读数过少，无法判断
""")
EXISTENCE: Final = rows("""
born | built, not yet in service | gebaut, noch nicht im Verkehr | 已下线，尚未投入使用
in_service | in service | im Verkehr | 使用中
total_loss | total loss | Totalschaden | 全损车
rebuilt | rebuilt after a total loss | nach Totalschaden wiederaufgebaut | 全损后修复
scrapped | scrapped | verschrottet | 已报废
voided | import declared void | Import für nichtig erklärt | 导入已作废
""")
ORDER_STATES: Final = rows("""
offered | offered | angeboten | 已报价
countered | countered | Gegenangebot liegt vor | 已还价
accepted | accepted | angenommen | 已接受
completed | completed | abgeschlossen | 已完成
withdrawn | withdrawn from | widerrufen | 已撤回
returned | car returned | Fahrzeug zurückgegeben | 已退车
rejected | rejected | abgelehnt | 已拒绝
cancelled | cancelled | storniert | 已取消
""")
BECAME: Final = rows("""
amended | corrected by record {} | berichtigt durch Eintrag {} | 已由记录 {} 更正
disputed | disputed by record {} | bestritten durch Eintrag {} | 记录 {} 提出争议
dispute withdrawn | dispute withdrawn, record {} | Streitfall zurückgezogen, Eintrag {} | 争议已撤回，记录 {}
stands | dispute decided, stands, record {} | Streitfall entschieden, bleibt, Eintrag {} | 裁定维持，记录 {}
to be amended | to be corrected, record {} | zu berichtigen, Eintrag {} | 裁定更正，记录 {}
annulled | annulled by record {} | aufgehoben durch Eintrag {} | 已撤销，记录 {}
undecided | dispute undecided, record {} | Streitfall unentschieden, Eintrag {} | 争议未裁定，记录 {}
""")
"""What a later record, whose sequence is put in the brackets, has made of an earlier one (see `timeline.became`)."""
