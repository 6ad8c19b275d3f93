"""Texts of roles, stop-flags and what they block, brands."""

from typing import Final

from node.rules.texts.form import rows

ROLES: Final = rows("""
manufacturer | manufacturer | Hersteller | 生产企业
dealer | dealer | Händler | 经销商
workshop | workshop | Werkstatt | 维修企业
inspector | inspector | Prüfer | 检验机构
insurer | insurer | Versicherer | 保险公司
registrar | registration authority | Zulassungsbehörde | 车辆管理所
police | police | Polizei | 公安机关
bank | bank | Bank | 银行
payment_provider | payment provider | Zahlungsdienstleister | 支付机构
carrier | carrier | Spediteur | 承运人
dismantler | dismantler | Demontagebetrieb | 报废机动车回收拆解企业
identity_attestor | identity attestor | Identitätsprüfer | 身份核验机构
arbiter | arbiter | Schiedsrichter | 仲裁人
""")

STOP_FLAGS: Final = rows("""
stolen | stolen | gestohlen | 被盗抢
lien | financed, pledged to a bank | finanziert, sicherungsübereignet | 抵押登记
court_hold | held by a court | gerichtlich beschlagnahmt | 法院查封
unroadworthy | not roadworthy | nicht verkehrssicher | 不得上道路行驶
recall_do_not_drive | recall: do not drive | Rückruf: nicht fahren | 召回：停止驾驶
title_dispute | title in dispute | Eigentum strittig | 所有权争议
odometer_investigation | odometer under investigation | Kilometerstand wird untersucht | 里程表调查中
identity_suspect | identity in doubt | Identität zweifelhaft | 车辆身份存疑
""")

OPERATIONS: Final = rows("""
list | offering for sale | Inserieren | 挂牌出售
offer | making an offer | Angebot | 报价
accept | accepting an offer | Annahme | 接受报价
offer_accept | making and accepting an offer | Angebot und Annahme | 报价与接受
handover | handover to a buyer | Übergabe an den Käufer | 向买方交车
transfer | transfer of title | Eigentumsübertragung | 所有权转移
register_country | registration in a country | Zulassung in einem Land | 在一国注册登记
export | export | Ausfuhr | 出口
rebuild | return to the road after a rebuild | Wiederzulassung nach Wiederaufbau | 修复后恢复上路
scrap | scrapping | Verschrottung | 报废
odometer_replace | replacing the odometer | Austausch des Kilometerzählers | 更换里程表
part_fit | fitting its parts to other cars | Einbau seiner Teile in andere Fahrzeuge | 其零部件装入其他车辆
""")

SIGNERS: Final = rows("""
holder | holder of the title | Eigentümer | 所有人
presenter | who presents the car | Vorführer | 送检人
decision | a decision of arbiters | Entscheidung der Schiedsrichter | 仲裁决定
inspection | a passed inspection | bestandene Untersuchung | 检验合格
recall | a recall campaign | Rückrufaktion | 召回活动
same_member | the member that set it | das Mitglied, das ihn gesetzt hat | 设置该标记的成员
same_country | of the country that set it | aus dem Land, das ihn gesetzt hat | 设置该标记的国家
other_group | of another group | aus einer anderen Gruppe | 属于另一集团
""")

BRANDS: Final = rows("""
flood_fresh | flood damage | Hochwasserschaden | 水淹车（淡水）
fire | fire damage | Brandschaden | 火烧车
hail | hail damage | Hagelschaden | 冰雹损伤
flood_salt | salt water damage | Salzwasserschaden | 水淹车（海水）
vandalism | vandalism | Vandalismusschaden | 人为破坏
collision_structural | collision, structure damaged | Unfall mit Strukturschaden | 碰撞事故（结构件损伤）
hv_battery_hit | high-voltage battery hit | Hochvoltbatterie getroffen | 动力电池受损
airbag_deployed | airbag deployed | Airbag ausgelöst | 安全气囊曾起爆
structural_repair | structure repaired | Struktur instand gesetzt | 结构件修复
theft_recovered | stolen and recovered | nach Diebstahl wiederaufgefunden | 盗抢找回
dismantled | dismantled | zerlegt | 已拆解
junk | scrap, never to return | Schrott, keine Wiederzulassung | 报废，不得恢复
salvage | salvage | Totalschadenfahrzeug | 全损车
salvage_kept | salvage kept by the owner | Totalschaden, beim Halter verblieben | 全损车由车主留存
totalled | total loss | Totalschaden | 推定全损
parts_only | for parts only | nur zur Teileverwertung | 仅供拆件
rebuilt | rebuilt after a total loss | nach Totalschaden wiederaufgebaut | 全损后修复
reconstructed | reconstructed from several cars | aus mehreren Fahrzeugen aufgebaut | 多车拼装
remanufactured | remanufactured | werksseitig aufgearbeitet | 再制造
kit | kit car | Bausatzfahrzeug | 组装套件车
vin_reissued | VIN reissued | Fahrgestellnummer neu vergeben | 车辆识别代号重新打刻
grey_import | grey import | Grauimport | 平行进口
manufacturer_buyback | bought back by the manufacturer | vom Hersteller zurückgekauft | 厂家回购
test_vehicle | test vehicle | Erprobungsfahrzeug | 试验车
taxi | former taxi | ehemaliges Taxi | 曾为出租车
police | former police car | ehemaliges Polizeifahrzeug | 曾为警车
rental | former rental car | ehemaliger Mietwagen | 曾为租赁车
driving_school | former driving school car | ehemaliges Fahrschulfahrzeug | 曾为教练车
not_actual | odometer not actual | Kilometerstand nicht zutreffend | 里程表读数不实
tampering_verified | odometer tampering proven | Tachomanipulation nachgewiesen | 里程表调改属实
exceeds_limits | odometer past its last digit | Kilometerzähler übergelaufen | 里程表超出计数上限
odometer_altered | odometer may be altered | Kilometerstand möglicherweise verändert | 里程表可能被调改
odometer_replaced | odometer replaced | Kilometerzähler ersetzt | 里程表已更换
odometer_discrepancy | odometer readings disagree | Kilometerstände widersprüchlich | 里程读数不一致
""")

BRAND_STATES: Final = rows("""
pending | reported, not yet confirmed | gemeldet, noch nicht bestätigt | 已报告，待确认
confirmed | confirmed | bestätigt | 已确认
undecided | disputed and not decided | bestritten und nicht entschieden | 有争议，未裁定
annulled | annulled | aufgehoben | 已撤销
""")

TOTAL_LOSS_CATEGORIES: Final = rows("""
A | scrap: to be crushed whole | A: vollständig zu verschrotten | A 类：整车报废
B | break: parts usable, the body is crushed | B: Teile verwertbar, Karosserie verschrottet | B 类：可拆件，车身报废
S | structurally damaged, repairable | S: Strukturschaden, reparabel | S 类：结构损伤，可修复
N | not structurally damaged, repairable | N: kein Strukturschaden, reparabel | N 类：非结构损伤，可修复
""")
