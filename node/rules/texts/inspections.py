"""Texts of inspections. Items 0.1 to 8.4.1 after the headings of Directive 2014/45/EU, Annex I, in the words of the
trade; Chinese after GB 38900 and GB 7258 where these have the item."""

from typing import Final

from node.rules.texts.form import rows

ITEMS: Final = rows("""
0.1 | registration plates | Kennzeichen | 号牌
0.2 | vehicle identification number | Fahrzeug-Identifizierungsnummer | 车辆识别代号
1.1.1 | service brake pedal pivot | Lagerung des Betriebsbremspedals | 行车制动踏板铰接
1.1.2 | brake pedal condition and travel | Zustand und Weg des Bremspedals | 制动踏板状况及行程
1.1.3 | vacuum pump, compressor, reservoirs | Vakuumpumpe, Kompressor, Behälter | 真空泵、空压机及储能装置
1.1.4 | low-pressure warning | Warneinrichtung für niedrigen Druck | 低压报警装置
1.1.5 | hand-operated brake valve | handbetätigtes Bremsventil | 手制动阀
1.1.6 | parking brake control | Betätigung der Feststellbremse | 驻车制动操纵装置
1.1.7 | brake valves | Bremsventile | 制动阀
1.1.8 | brake couplings for the trailer | Bremskupplungen für Anhänger | 挂车制动接头
1.1.9 | pressure reservoir | Druckbehälter | 储气筒
1.1.10 | brake servo, master cylinder | Bremskraftverstärker, Hauptbremszylinder | 制动助力器、制动主缸
1.1.11 | rigid brake pipes | Bremsleitungen | 制动硬管
1.1.12 | brake hoses | Bremsschläuche | 制动软管
1.1.13 | brake linings and pads | Bremsbeläge | 制动衬片
1.1.14 | brake discs and drums | Bremsscheiben und -trommeln | 制动盘、制动鼓
1.1.15 | brake cables and linkages | Bremsseile und Gestänge | 制动拉索及拉杆
1.1.16 | brake actuators, calipers | Bremszylinder, Bremssättel | 制动轮缸、制动钳
1.1.17 | load-sensing valve | lastabhängiger Bremskraftregler | 感载阀
1.1.18 | slack adjusters | Gestängesteller | 间隙调整臂
1.1.19 | endurance braking system | Dauerbremsanlage | 缓速器
1.1.21 | complete braking system | gesamte Bremsanlage | 制动系统整体
1.1.22 | test connections | Prüfanschlüsse | 检测接口
1.2.1 | service brake performance | Wirkung der Betriebsbremse | 行车制动性能
1.2.2 | service brake efficiency | Abbremsung der Betriebsbremse | 行车制动率
1.3.1 | secondary brake performance | Wirkung der Hilfsbremse | 应急制动性能
1.3.2 | secondary brake efficiency | Abbremsung der Hilfsbremse | 应急制动率
1.4.1 | parking brake performance | Wirkung der Feststellbremse | 驻车制动性能
1.4.2 | parking brake efficiency | Abbremsung der Feststellbremse | 驻车制动率
1.5 | endurance brake performance | Wirkung der Dauerbremse | 缓速器性能
1.6 | anti-lock braking system | Antiblockiersystem | 防抱制动系统
1.7 | electronic braking system | elektronisches Bremssystem | 电子制动系统
1.8 | brake fluid | Bremsflüssigkeit | 制动液
2.1.1 | steering gear | Lenkgetriebe | 转向器
2.1.2 | steering gear attachment | Befestigung des Lenkgetriebes | 转向器固定
2.1.3 | steering linkage | Lenkgestänge | 转向拉杆
2.1.4 | steering linkage operation | Funktion des Lenkgestänges | 转向拉杆动作
2.1.5 | power steering | Lenkhilfe | 转向助力装置
2.2.1 | steering wheel | Lenkrad | 转向盘
2.2.2 | steering column | Lenksäule | 转向柱
2.3 | steering play | Lenkungsspiel | 转向盘自由转动量
2.4 | wheel alignment | Spureinstellung | 车轮定位
2.6 | electronic power steering | elektrische Lenkhilfe | 电动助力转向
3.1 | field of vision | Sichtfeld | 驾驶人视野
3.2 | glass | Scheiben | 车窗玻璃
3.3 | mirrors and cameras for the rear view | Rückspiegel und Kamerasysteme | 后视镜及间接视野装置
3.4 | windscreen wipers | Scheibenwischer | 刮水器
3.5 | windscreen washers | Scheibenwaschanlage | 风窗洗涤器
3.6 | demisting | Antibeschlageinrichtung | 除雾装置
4.1.1 | headlamps: condition | Scheinwerfer: Zustand | 前照灯：状况
4.1.2 | headlamps: alignment | Scheinwerfer: Einstellung | 前照灯：光束照射位置
4.1.3 | headlamps: switching | Scheinwerfer: Schaltung | 前照灯：开关
4.1.4 | headlamps: compliance | Scheinwerfer: Ausführung | 前照灯：符合性
4.1.5 | headlamp levelling | Leuchtweitenregelung | 前照灯光束调节
4.1.6 | headlamp cleaning | Scheinwerferreinigung | 前照灯清洗装置
4.2.1 | position and daytime lamps: condition | Begrenzungs-, Tagfahrleuchten: Zustand | 位置灯、日间行车灯：状况
4.2.2 | position and daytime lamps: switching | Begrenzungs-, Tagfahrleuchten: Schaltung | 位置灯、日间行车灯：开关
4.2.3 | position and daytime lamps: compliance | Begrenzungs-, Tagfahrleuchten: Ausführung | 位置灯、日间行车灯：符合性
4.3.1 | stop lamps: condition | Bremsleuchten: Zustand | 制动灯：状况
4.3.2 | stop lamps: switching | Bremsleuchten: Schaltung | 制动灯：开关
4.3.3 | stop lamps: compliance | Bremsleuchten: Ausführung | 制动灯：符合性
4.4.1 | direction indicators: condition | Fahrtrichtungsanzeiger: Zustand | 转向信号灯：状况
4.4.2 | direction indicators: switching | Fahrtrichtungsanzeiger: Schaltung | 转向信号灯：开关
4.4.3 | direction indicators: compliance | Fahrtrichtungsanzeiger: Ausführung | 转向信号灯：符合性
4.4.4 | direction indicators: frequency | Fahrtrichtungsanzeiger: Blinkfrequenz | 转向信号灯：闪烁频率
4.5.1 | fog lamps: condition | Nebelleuchten: Zustand | 雾灯：状况
4.5.2 | front fog lamps: alignment | Nebelscheinwerfer: Einstellung | 前雾灯：照射位置
4.5.3 | fog lamps: switching | Nebelleuchten: Schaltung | 雾灯：开关
4.5.4 | fog lamps: compliance | Nebelleuchten: Ausführung | 雾灯：符合性
4.6.1 | reversing lamps: condition | Rückfahrscheinwerfer: Zustand | 倒车灯：状况
4.6.2 | reversing lamps: compliance | Rückfahrscheinwerfer: Ausführung | 倒车灯：符合性
4.6.3 | reversing lamps: switching | Rückfahrscheinwerfer: Schaltung | 倒车灯：开关
4.7.1 | plate lamp: condition | Kennzeichenbeleuchtung: Zustand | 后牌照灯：状况
4.7.2 | plate lamp: compliance | Kennzeichenbeleuchtung: Ausführung | 后牌照灯：符合性
4.8.1 | reflectors: condition | Rückstrahler: Zustand | 回复反射器：状况
4.8.2 | reflectors: compliance | Rückstrahler: Ausführung | 回复反射器：符合性
4.9.1 | tell-tales of the lighting: condition | Kontrollleuchten der Beleuchtung: Zustand | 灯光指示灯：状况
4.9.2 | tell-tales of the lighting: compliance | Kontrollleuchten der Beleuchtung: Ausführung | 灯光指示灯：符合性
4.10 | electrical connection to the trailer | elektrische Verbindung zum Anhänger | 挂车电气连接
4.11 | wiring | elektrische Leitungen | 电气线路
4.12 | optional lamps and reflectors | nicht vorgeschriebene Leuchten und Rückstrahler | 非强制灯具及反射器
4.13 | battery | Batterie | 蓄电池
5.1.1 | axles | Achsen | 车轴
5.1.2 | stub axles | Achsschenkel | 转向节
5.1.3 | wheel bearings | Radlager | 轮毂轴承
5.2.1 | wheel hub | Radnabe | 轮毂
5.2.2 | wheels | Felgen | 车轮
5.2.3 | tyres | Reifen | 轮胎
5.3.1 | springs and stabilisers | Federn und Stabilisatoren | 弹簧及稳定杆
5.3.2 | shock absorbers | Stoßdämpfer | 减振器
5.3.3 | control arms and links | Lenker und Streben | 控制臂及推力杆
5.3.4 | suspension joints | Gelenke der Radaufhängung | 悬架球头及衬套
5.3.5 | air suspension | Luftfederung | 空气悬架
6.1.1 | chassis: general condition | Rahmen: allgemeiner Zustand | 车架：总体状况
6.1.2 | exhaust pipes and silencers | Auspuffrohre und Schalldämpfer | 排气管及消声器
6.1.3 | fuel tank and pipes | Kraftstofftank und -leitungen | 燃料箱及管路
6.1.4 | bumpers, underrun protection | Stoßfänger, Unterfahrschutz | 保险杠及防护装置
6.1.5 | spare wheel carrier | Reserveradhalterung | 备胎架
6.1.6 | towing device | Anhängevorrichtung | 牵引连接装置
6.1.7 | transmission | Kraftübertragung | 传动系
6.1.8 | engine mountings | Motoraufhängung | 发动机悬置
6.1.9 | engine performance | Motorleistung | 发动机性能
6.2.1 | cab and body: condition | Aufbau: Zustand | 车身：状况
6.2.2 | cab and body: mounting | Aufbau: Befestigung | 车身：固定
6.2.3 | doors and door catches | Türen und Schlösser | 车门及门锁
6.2.4 | floor | Bodenblech | 地板
6.2.5 | driver's seat | Fahrersitz | 驾驶人座椅
6.2.6 | other seats | übrige Sitze | 其他座椅
6.2.7 | driving controls | Bedienelemente | 驾驶操纵件
6.2.8 | cab steps | Einstiegstritte | 踏步
6.2.9 | other fittings | sonstige Ausrüstung | 其他内外附件
6.2.10 | mudguards | Radabdeckungen | 挡泥板
7.1.1 | seat belt mounting | Befestigung der Sicherheitsgurte | 安全带固定
7.1.2 | seat belts and buckles | Sicherheitsgurte und Schlösser | 安全带及锁扣
7.1.3 | seat belt load limiter | Gurtkraftbegrenzer | 安全带限力装置
7.1.4 | seat belt pre-tensioner | Gurtstraffer | 安全带预紧装置
7.1.5 | airbag | Airbag | 安全气囊
7.1.6 | restraint system | Rückhaltesystem | 辅助约束系统
7.2 | fire extinguisher | Feuerlöscher | 灭火器
7.3 | locks and anti-theft device | Schlösser und Diebstahlsicherung | 门锁及防盗装置
7.4 | warning triangle | Warndreieck | 三角警告牌
7.5 | first aid kit | Verbandkasten | 急救箱
7.6 | wheel chocks | Unterlegkeile | 停车楔
7.7 | horn | Hupe | 喇叭
7.8 | speedometer | Geschwindigkeitsmesser | 车速表
7.9 | tachograph | Fahrtenschreiber | 行驶记录装置
7.10 | speed limiter | Geschwindigkeitsbegrenzer | 限速装置
7.11 | odometer | Kilometerzähler | 里程表
7.12 | electronic stability control | elektronische Stabilitätskontrolle | 电子稳定性控制系统
7.13 | eCall | eCall | 车载紧急呼叫
8.1.1 | noise suppression | Geräuschdämpfung | 降噪装置
8.2.1.1 | emission control equipment, petrol | Abgasminderung, Ottomotor | 排放控制装置（点燃式）
8.2.1.2 | gaseous emissions | gasförmige Emissionen | 气态污染物排放
8.2.2.1 | emission control equipment, diesel | Abgasminderung, Dieselmotor | 排放控制装置（压燃式）
8.2.2.2 | opacity | Abgastrübung | 排气烟度
8.3 | electromagnetic interference suppression | Funkentstörung | 电磁干扰抑制
8.4.1 | fluid leaks | Flüssigkeitsverlust | 液体渗漏
H1 | battery housing and mounting | Batteriegehäuse und Befestigung | 动力电池箱体及固定
H2 | high-voltage cables and connectors | Hochvoltleitungen und Stecker | 高压线束及连接器
H3 | insulation resistance | Isolationswiderstand | 绝缘电阻
H4 | charging socket and cable | Ladedose und Ladekabel | 充电插座及充电线
H5 | warning labels and service disconnect | Warnhinweise und Servicetrennstelle | 高压警告标记及维修开关
H6 | warnings and faults of the high-voltage system | Warnungen und Fehler des Hochvoltsystems | 高压系统报警及故障
S1 | software identification | Softwarestand | 软件标识
S2 | faults of safety systems | Fehler in Sicherheitssystemen | 安全系统故障
S3 | sensors of driver assistance | Sensoren der Fahrerassistenz | 驾驶辅助传感器
S4 | emergency braking and lane keeping | Notbremsung und Spurhaltung | 自动紧急制动及车道保持
O1 | odometer agrees with its history | Kilometerstand passt zur Historie | 里程读数与历史一致性
O2 | odometer agrees with control units | Kilometerstand passt zu den Steuergeräten | 里程读数与控制单元一致性
O3 | signs of odometer tampering | Spuren von Tachomanipulation | 里程表调改痕迹
O4 | odometer past its last digit | Kilometerzähler übergelaufen | 里程表超出计数上限
""")

DEFECT_SEVERITIES: Final = rows("""
minor | minor defect | Geringer Mangel | 轻微缺陷
major | major defect | Erheblicher Mangel | 严重缺陷
dangerous | dangerous defect | Gefährlicher Mangel | 危险缺陷
""")

RESULTS: Final = rows("""
pass | passed | bestanden | 合格
fail | failed | nicht bestanden | 不合格
""")

KINDS: Final = rows("""
periodic | periodic inspection | Hauptuntersuchung | 定期检验
roadside | roadside inspection | Unterwegskontrolle | 路检
retest | retest | Nachprüfung | 复检
structural_release | release after structural repair | Freigabe nach Strukturreparatur | 结构修复后检验
rebuild | inspection after a rebuild | Prüfung nach Wiederaufbau | 修复后检验
import | inspection for import | Prüfung zur Einfuhr | 进口检验
odometer | odometer inspection | Prüfung des Kilometerstands | 里程核查
buyer | inspection for a buyer | Prüfung für Käufer | 购车检测
""")

INDEPENDENCE: Final = rows("""
none | no distance needed | keine Unabhängigkeit verlangt | 不要求独立
repairer | has not repaired the car | nicht vom Reparaturbetrieb | 非维修方
full | independent of repairer, holder and seller | unabhängig von Werkstatt, Halter, Verkäufer | 独立于各利害关系方
""")

CHECKLISTS: Final = rows("""
EU-PTI-2014/45 | periodic test, European Union | Regelmäßige technische Überwachung, EU | 欧盟定期技术检验
DE-HU | Hauptuntersuchung, Germany | Hauptuntersuchung | 德国主检验（HU）
GB-MOT | MOT test, Great Britain | MOT-Prüfung, Großbritannien | 英国 MOT 检验
CN-GB38900 | safety inspection, China (GB 38900) | Sicherheitsprüfung, China (GB 38900) | 机动车安全技术检验（GB 38900）
US-SAFETY | state safety inspection, United States | Sicherheitsprüfung der US-Bundesstaaten | 美国州安全检验
PDI | pre-delivery inspection | Übergabeinspektion | 交车前检查
USED-CAR | used-car check | Gebrauchtwagenprüfung | 二手车检测
REBUILD | inspection after a rebuild | Prüfung nach Wiederaufbau | 修复后检验
STRUCTURAL | inspection of a structural repair | Prüfung einer Strukturreparatur | 结构修复检验
IMPORT | inspection for import | Prüfung zur Einfuhr | 进口车辆检验
ODOMETER | odometer inspection | Prüfung des Kilometerstands | 里程核查
""")
