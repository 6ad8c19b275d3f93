"""Texts of damage, repair and odometers."""

from typing import Final

from node.rules.texts.form import rows

ZONES: Final = rows("""
front | front | Front | 前部
front_left | front left | vorn links | 左前部
front_right | front right | vorn rechts | 右前部
left_side | left side | linke Seite | 左侧
right_side | right side | rechte Seite | 右侧
rear | rear | Heck | 后部
rear_left | rear left | hinten links | 左后部
rear_right | rear right | hinten rechts | 右后部
bonnet | bonnet | Motorhaube | 发动机罩
boot | boot lid | Heckklappe | 行李舱盖
roof | roof | Dach | 车顶
windscreen | windscreen | Windschutzscheibe | 前风窗玻璃
rear_window | rear window | Heckscheibe | 后风窗玻璃
underbody | underbody | Unterboden | 底部
interior | interior | Innenraum | 车内
engine_bay | engine bay | Motorraum | 发动机舱
drivetrain | drive train | Antriebsstrang | 传动系
suspension | suspension | Fahrwerk | 悬架
wheels | wheels and tyres | Räder und Reifen | 车轮和轮胎
hv_battery | high-voltage battery | Hochvoltbatterie | 动力电池
""")

DAMAGE_CLASSES: Final = rows("""
cosmetic | cosmetic | optisch | 外观损伤
bolt_on | bolted parts | Anbauteile | 可拆卸件损伤
structural | structure | Struktur | 结构件损伤
""")

SEVERITIES: Final = rows("""
minor | minor | gering | 轻微
moderate | moderate | mittel | 中等
severe | severe | schwer | 严重
total_candidate | may be a total loss | möglicher Totalschaden | 可能全损
""")

COST_BANDS: Final = rows("""
not_estimated | not estimated | nicht geschätzt | 未估损
under_1000 | under 1,000 EUR | unter 1.000 EUR | 1,000 欧元以下
1000_to_2999 | 1,000 to 2,999 EUR | 1.000 bis 2.999 EUR | 1,000 至 2,999 欧元
3000_to_7999 | 3,000 to 7,999 EUR | 3.000 bis 7.999 EUR | 3,000 至 7,999 欧元
8000_to_14999 | 8,000 to 14,999 EUR | 8.000 bis 14.999 EUR | 8,000 至 14,999 欧元
15000_to_29999 | 15,000 to 29,999 EUR | 15.000 bis 29.999 EUR | 15,000 至 29,999 欧元
30000_to_59999 | 30,000 to 59,999 EUR | 30.000 bis 59.999 EUR | 30,000 至 59,999 欧元
60000_and_over | 60,000 EUR and over | ab 60.000 EUR | 60,000 欧元及以上
""")

CAUSES: Final = rows("""
collision | collision with another road user | Zusammenstoß mit anderem Verkehrsteilnehmer | 与其他交通参与者碰撞
single_vehicle | single-vehicle accident | Alleinunfall | 单方事故
animal | collision with an animal | Wildunfall | 与动物碰撞
falling_object | falling or flying object | herabfallender oder hochgeschleuderter Gegenstand | 坠落物或飞溅物
storm | storm | Sturm | 暴风
hail | hail | Hagel | 冰雹
flood_fresh | flood, fresh water | Überschwemmung, Süßwasser | 水淹（淡水）
flood_salt | flood, salt water | Überschwemmung, Salzwasser | 水淹（海水）
fire | fire or explosion | Brand oder Explosion | 火灾或爆炸
vandalism | vandalism | Vandalismus | 人为破坏
theft | theft or attempted theft | Diebstahl oder Diebstahlversuch | 盗抢或盗抢未遂
unknown | unknown | unbekannt | 原因不明
""")

POWERTRAINS: Final = rows("""
petrol | petrol | Benzin | 汽油
diesel | diesel | Diesel | 柴油
""")

REPAIR_METHODS: Final = rows("""
refinish | painted | lackiert | 喷漆
dent_removal | dent removed without painting | Delle lackschadenfrei entfernt | 免喷漆凹陷修复
panel_repair | panel repaired | Außenhaut instand gesetzt | 覆盖件修复
replace_part | part replaced | Teil ersetzt | 更换零件
replace_glass | glass replaced | Scheibe ersetzt | 更换玻璃
replace_airbag | airbag replaced | Airbag ersetzt | 更换安全气囊
mechanical | mechanical repair | mechanisch instand gesetzt | 机械维修
electrical | electrical repair | elektrisch instand gesetzt | 电气维修
adjust | adjusted | eingestellt | 调整
calibrate | sensors calibrated | Sensorik kalibriert | 传感器标定
clean_dry | cleaned and dried | gereinigt und getrocknet | 清洁烘干
straighten | structure straightened | Struktur rückverformt | 结构件校正
section | structural part replaced in section | Strukturteil abschnittsweise ersetzt | 结构件局部切割更换
weld | structure welded | Struktur geschweißt | 结构件焊接
bond_rivet | bonded and riveted | geklebt und genietet | 粘接铆接
replace_structure | structural part replaced | Strukturteil ersetzt | 更换结构件
hv_lines | high-voltage lines repaired | Hochvoltleitungen instand gesetzt | 高压线束维修
hv_module | battery module replaced | Batteriemodul ersetzt | 更换电池模块
hv_battery | high-voltage battery replaced | Hochvoltbatterie ersetzt | 更换动力电池
hv_housing | battery housing repaired | Batteriegehäuse instand gesetzt | 电池箱体修复
""")

ODOMETER_CONTEXTS: Final = rows("""
reading | reading | Ablesung | 读取
inspection | inspection | Untersuchung | 检验
sale | sale | Verkauf | 销售
transfer | transfer | Übertragung | 转移
telematics | telematics | Telematik | 远程信息
""")

ODOMETER_SOURCES: Final = rows("""
cluster | instrument cluster | Instrumentenkombination | 组合仪表
body_computer | body computer | Karosseriesteuergerät | 车身控制器
engine_computer | engine computer | Motorsteuergerät | 发动机控制器
telematics | telematics | Telematik | 远程信息
visual | read by eye | abgelesen | 目视读取
history | told at the import | bei der Einfuhr angegeben | 进口时申报
""")

ODOMETER_UNITS: Final = rows("""
km | kilometres | Kilometer | 公里
mi | miles | Meilen | 英里
""")

ODOMETER_WINDOWS: Final = rows("""
day | day | Tag | 日
week | week | Woche | 周
month | month | Monat | 月
quarter | quarter | Quartal | 季度
year | year | Jahr | 年
""")

ODOMETER_REPLACE_CAUSES: Final = rows("""
cluster_failed | instrument cluster failed | Instrumentenkombination ausgefallen | 组合仪表失效
cluster_replaced | instrument cluster replaced | Instrumentenkombination ersetzt | 更换组合仪表
control_unit | control unit replaced | Steuergerät ersetzt | 更换控制单元
unit_converted | unit converted | Einheit umgestellt | 里程单位转换
recall | recall | Rückruf | 召回
""")
