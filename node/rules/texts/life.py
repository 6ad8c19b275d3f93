"""Texts of registration, import, parts, warranty, alerts and disputes."""

from typing import Final

from node.rules.texts.form import rows

REGISTRATION_STATES: Final = rows("""
none | not registered | nicht zugelassen | 未登记
registered | registered | zugelassen | 已登记
suspended | suspended | Betrieb untersagt | 暂停使用
deregistered | deregistered | außer Betrieb gesetzt | 已注销
export_pending | leaving the country | Ausfuhr läuft | 出口办理中
exported | exported | ausgeführt | 已出口
""")

REGISTRATION_KINDS: Final = rows("""
permanent | permanent | dauerhaft | 正式号牌
temporary | temporary | Kurzzeitkennzeichen | 临时号牌
trade | trade plates | Händlerkennzeichen | 经销商号牌
""")

REGISTRATION_USAGES: Final = rows("""
private | private | privat | 非营运（个人）
company | company car | Firmenwagen | 非营运（单位）
rental | rental car | Mietwagen | 租赁
taxi | taxi | Taxi | 出租客运
driving_school | driving school | Fahrschule | 教练
police | police | Polizei | 警用
ambulance | ambulance | Krankenwagen | 救护
""")

REGISTRATION_SUSPENSIONS: Final = rows("""
insurance | no insurance | keine Versicherung | 无保险
tax | tax unpaid | Steuer nicht bezahlt | 欠缴税款
inspection | inspection overdue | Untersuchung überfällig | 逾期未检验
owner | at the owner's request | auf Antrag des Halters | 车主申请
court | court order | gerichtliche Anordnung | 法院裁定
recall | recall not carried out | Rückruf nicht durchgeführt | 召回未实施
""")

REGISTRATION_END_REASONS: Final = rows("""
owner | at the owner's request | auf Antrag des Halters | 车主申请
export_confirmed | export confirmed | Ausfuhr bestätigt | 出口确认
total_loss | total loss | Totalschaden | 全损
theft | theft | Diebstahl | 盗抢
scrapped | scrapped | verschrottet | 报废
official | by the authority | von Amts wegen | 依职权注销
""")

ASSIGNMENT_REASONS: Final = rows("""
gift | gift | Schenkung | 赠与
inheritance | inheritance | Erbschaft | 继承
court | court order | gerichtliche Anordnung | 法院裁定
divorce | divorce | Scheidung | 离婚分割
repossession | repossession by the bank | Verwertung durch die Bank | 银行收回
""")

VEHICLE_ORIGINS: Final = rows("""
born | registered by its maker | vom Hersteller angemeldet | 生产企业登记
imported | imported with an earlier history | mit Vorgeschichte übernommen | 自链外导入
""")

IMPORT_GRADES: Final = rows("""
A | confirmed by the maker | vom Hersteller bestätigt | 生产企业确认
B | extract of a registry | Registerauszug | 登记机关证明
C | documents | Unterlagen | 凭证资料
D | inspection only | nur Untersuchung | 仅检验
""")

HISTORY_KINDS: Final = rows("""
first_registration | first registration | Erstzulassung | 初次登记
registration | registration | Zulassung | 注册登记
deregistration | deregistration | Außerbetriebsetzung | 注销登记
inspection | inspection | Untersuchung | 检验
service | service | Wartung | 保养
repair | repair | Reparatur | 维修
damage | damage | Schaden | 损伤
sale | sale | Verkauf | 交易
odometer_reading | odometer reading | Kilometerstand | 里程读数
""")

PART_CLASSES: Final = rows("""
engine | engine | Motor | 发动机
gearbox | gearbox | Getriebe | 变速器
hv_battery | high-voltage battery | Hochvoltbatterie | 动力电池
airbag | airbag | Airbag | 安全气囊
control_unit | control unit | Steuergerät | 控制单元
cluster | instrument cluster | Instrumentenkombination | 组合仪表
steering | steering | Lenkung | 转向系统
headlight | headlamp | Scheinwerfer | 前照灯
catalyst | catalytic converter | Katalysator | 催化转化器
""")

PART_ACTIONS: Final = rows("""
fit | fitted | eingebaut | 装上
remove | removed | ausgebaut | 拆下
""")

PART_SOURCES: Final = rows("""
new | new | neu | 全新件
remanufactured | remanufactured | aufgearbeitet | 再制造件
used | used | gebraucht | 拆车件
unknown | unknown | unbekannt | 来源不明
""")

BATTERY_STATES: Final = rows("""
original | original | original | 原装
reused | re-used | wiederverwendet | 再使用
repurposed | repurposed | umgenutzt | 梯次利用
remanufactured | remanufactured | wiederaufgearbeitet | 再制造
waste | waste | Altbatterie | 废旧
""")

BATTERY_METHODS: Final = rows("""
bms_soce | certified energy by the car | zertifizierte Energie laut Fahrzeug | 车载认证能量状态
measured_charge | measured charge | gemessene Ladung | 实测充电量
tester | tester | Prüfgerät | 检测设备
telematics | telematics | Telematik | 远程信息
""")

SOFTWARE_SYSTEMS: Final = rows("""
engine | engine | Motor | 发动机
electric_drive | electric drive | Elektroantrieb | 电驱动
transmission | transmission | Getriebe | 变速器
hv_battery | high-voltage battery | Hochvoltbatterie | 动力电池
charging | charging | Laden | 充电
braking | braking | Bremsen | 制动
steering | steering | Lenkung | 转向
suspension | suspension | Fahrwerk | 悬架
airbags | airbags | Airbags | 安全气囊
driver_assistance | driver assistance | Fahrerassistenz | 驾驶辅助
automated_driving | automated driving | automatisiertes Fahren | 自动驾驶
lighting | lighting | Beleuchtung | 照明
body | body | Karosserie | 车身
cluster | instrument cluster | Instrumentenkombination | 组合仪表
infotainment | infotainment | Infotainment | 信息娱乐
connectivity | connectivity | Vernetzung | 网联通信
gateway | gateway | Gateway | 网关
""")

WARRANTY_GROUPS: Final = rows("""
complete | complete vehicle | Gesamtfahrzeug | 整车
powertrain | powertrain | Antrieb | 动力总成
hv_battery | high-voltage battery | Hochvoltbatterie | 动力电池
corrosion | corrosion | Durchrostung | 锈穿
paint | paint | Lack | 漆面
emission | emission system | Abgassystem | 排放系统
mobility | mobility | Mobilität | 出行保障
""")

WARRANTY_OUTCOMES: Final = rows("""
approved | approved | anerkannt | 同意
partly | approved in part | teilweise anerkannt | 部分同意
rejected | rejected | abgelehnt | 拒绝
""")

WARRANTY_REASONS: Final = rows("""
wear | wear | Verschleiß | 正常磨损
misuse | misuse | unsachgemäßer Gebrauch | 使用不当
missing_service | service missed | Wartung versäumt | 未按规定保养
modified | modified | verändert | 改装
out_of_term | out of term | außerhalb der Frist | 超出质保期
accident | accident | Unfall | 事故
odometer | odometer doubtful | Kilometerstand zweifelhaft | 里程存疑
not_reproducible | not reproducible | nicht nachvollziehbar | 故障未重现
""")

ALERTS: Final = rows("""
clone_vin | VIN may be cloned | Fahrgestellnummer möglicherweise kopiert | 疑似套用车辆识别代号
alive_after_scrap | seen after scrapping | nach Verschrottung gesehen | 报废后再现
alive_after_void | seen after its record was voided | nach Löschung des Eintrags gesehen | 登记作废后再现
birth_after_import | registered as new after a sighting | nach Sichtung als neu angemeldet | 出现记录早于登记
double_registration | registered in two countries | in zwei Ländern zugelassen | 两国重复登记
export_unconfirmed | export not confirmed | Ausfuhr nicht bestätigt | 出口未确认
late_disclosure | disclosed after the sale | nach dem Verkauf bekannt geworden | 售后才披露
part_elsewhere | part fitted to another car | Teil in anderem Fahrzeug verbaut | 零部件装于他车
part_from_stolen | part of a stolen car | Teil aus gestohlenem Fahrzeug | 零部件来自被盗抢车辆
battery_elsewhere | battery fitted to another car | Batterie in anderem Fahrzeug verbaut | 电池装于他车
""")

ALERT_REASONS: Final = rows("""
mistaken | reported by mistake | irrtümlich gemeldet | 误报
explained | explained, no contradiction | erklärt, kein Widerspruch | 已查明，不矛盾
settled | settled, no longer the case | erledigt, besteht nicht mehr | 已消除
""")

ALERT_STATES: Final = rows("""
reported | reported | gemeldet | 已报告
confirmed | confirmed | bestätigt | 已确认
closed | closed | geschlossen | 已关闭
""")

MATERIAL_EVENTS: Final = rows("""
incident | damage | Schaden | 损伤
structural_repair | structural repair | Strukturreparatur | 结构件修复
brand | change of a brand | geänderter Vermerk | 标注变更
flag | stop-flag set | Sperrvermerk gesetzt | 设置锁定标记
recall | recall | Rückruf | 召回
verdict | odometer verdict worse | Urteil zum Kilometerstand schlechter | 里程判定变差
odometer_replaced | odometer replaced | Kilometerzähler ersetzt | 更换里程表
total_loss | total loss | Totalschaden | 全损
rebuilt | rebuilt | wiederaufgebaut | 修复
scrapped | scrapped | verschrottet | 报废
voided | record voided | Eintrag gelöscht | 登记作废
registration_claim | claimed by another country | von anderem Land beansprucht | 他国申请登记
registration_end | registration ended | Zulassung beendet | 注销登记
alert_confirmed | alert confirmed | Warnung bestätigt | 预警确认
dispute_decided | dispute decided | Streitfall entschieden | 争议裁定
late_disclosure | disclosed after the sale | nach dem Verkauf bekannt geworden | 售后才披露
""")

DISPUTE_STANDINGS: Final = rows("""
holder | holder of the title | Eigentümer | 所有人
buyer | buyer | Käufer | 买方
seller | seller | Verkäufer | 卖方
maker | maker | Hersteller | 生产企业
bank | bank with a lien | Bank mit Sicherungsrecht | 抵押权银行
""")

DISPUTE_GROUNDS: Final = rows("""
not_this_vehicle | not this vehicle | nicht dieses Fahrzeug | 非本车
not_done | work not done | nicht ausgeführt | 未实施
wrong_reading | wrong reading | falscher Kilometerstand | 里程错误
wrong_damage | wrong damage | falscher Schaden | 损伤不实
wrong_date | wrong date | falsches Datum | 日期错误
duplicate | duplicate | doppelt | 重复记录
false_identity | false identity | falsche Identität | 身份不实
warranty_rejected | warranty rejected wrongly | Garantie zu Unrecht abgelehnt | 质保拒绝不当
flag_unfounded | stop-flag without ground | Sperrvermerk unbegründet | 锁定标记无依据
""")

DISPUTE_ANSWERS: Final = rows("""
stands | stands by it | bleibt dabei | 维持
withdraws | withdraws it | zieht zurück | 撤回
evidence | names evidence | legt Belege vor | 提交证据
""")

DISPUTE_OUTCOMES: Final = rows("""
stands | record stands | Eintrag bleibt | 维持记录
amended | record amended | Eintrag berichtigt | 更正记录
annulled | record annulled | Eintrag aufgehoben | 撤销记录
undecided | undecided | unentschieden | 未裁定
""")

DISPUTE_REASONS: Final = rows("""
proven | the ground is proven | Grund bewiesen | 理由成立
not_proven | the ground is not proven | Grund nicht bewiesen | 理由不成立
admitted | admitted by the author | vom Verfasser eingeräumt | 记录人承认
mistake | a mistake | ein Irrtum | 失误
wrong_vehicle | wrong vehicle | falsches Fahrzeug | 车辆错误
falsified | falsified | gefälscht | 伪造
contradicted | contradicted by other records | durch andere Einträge widerlegt | 与其他记录矛盾
not_competent | not for the arbiters | nicht Sache der Schiedsrichter | 不属仲裁范围
""")

VIN_SOURCES: Final = rows("""
obd | read from the control unit | aus dem Steuergerät gelesen | 车载诊断读取
scan | scanned | gescannt | 扫描
typed_twice | typed twice | zweimal eingegeben | 两次录入
document | from a document | aus einem Dokument | 取自凭证
""")

AMEND_REASONS: Final = rows("""
typing | typing error | Tippfehler | 录入错误
wrong_vehicle | wrong vehicle | falsches Fahrzeug | 车辆错误
wrong_date | wrong date | falsches Datum | 日期错误
duplicate | duplicate | doppelt | 重复记录
completed | completed | ergänzt | 补充
""")

SIGHTING_REASONS: Final = rows("""
service_request | service request | Werkstattanfrage | 维修咨询
roadside | roadside | auf der Straße | 路面
port | port | Hafen | 港口
dismantler | dismantler | Demontagebetrieb | 拆解场
offer_online | offered online | online angeboten | 网上出售
""")

MEDIA_TYPES: Final = rows("""
image/jpeg | JPEG image | JPEG-Bild | JPEG 图像
image/png | PNG image | PNG-Bild | PNG 图像
image/heic | HEIC image | HEIC-Bild | HEIC 图像
image/webp | WebP image | WebP-Bild | WebP 图像
image/tiff | TIFF image | TIFF-Bild | TIFF 图像
application/pdf | PDF document | PDF-Dokument | PDF 文档
application/json | JSON document | JSON-Dokument | JSON 文档
application/xml | XML document | XML-Dokument | XML 文档
application/zip | ZIP archive | ZIP-Archiv | ZIP 压缩包
application/octet-stream | file of another form | Datei anderer Form | 其他格式文件
text/plain | plain text | reiner Text | 纯文本
text/csv | CSV table | CSV-Tabelle | CSV 表格
video/mp4 | MP4 video | MP4-Video | MP4 视频
video/quicktime | QuickTime video | QuickTime-Video | QuickTime 视频
""")
