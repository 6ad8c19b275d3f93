"""Texts of the services of a workshop."""

from typing import Final

from node.rules.texts.form import rows

SERVICES: Final = rows("""
ENGINE_OIL | engine oil and oil filter | Motoröl und Ölfilter | 机油及机油滤清器
OIL_TOP_UP | engine oil topped up | Motoröl nachgefüllt | 补充机油
BRAKE_FLUID | brake fluid | Bremsflüssigkeit | 制动液
COOLANT | coolant | Kühlmittel | 冷却液
GEARBOX_OIL | gearbox oil | Getriebeöl | 变速器油
TRANSFER_CASE_OIL | transfer case oil | Verteilergetriebeöl | 分动器油
DIFFERENTIAL_OIL | differential oil | Differenzialöl | 差速器油
POWER_STEERING_FLUID | power steering fluid | Servolenkungsöl | 助力转向液
WASHER_FLUID | washer fluid | Scheibenwaschflüssigkeit | 风窗清洗液
ADBLUE | diesel exhaust fluid refilled | AdBlue nachgefüllt | 加注车用尿素
MICROFILTER | cabin microfilter | Innenraumfilter | 空调滤清器
AIR_FILTER | engine air filter | Luftfilter | 空气滤清器
FUEL_FILTER | fuel filter | Kraftstofffilter | 燃油滤清器
BRAKE_PADS_FRONT | front brake pads | Bremsbeläge vorn | 前制动摩擦片
BRAKE_PADS_REAR | rear brake pads | Bremsbeläge hinten | 后制动摩擦片
BRAKE_DISCS_FRONT | front brake discs | Bremsscheiben vorn | 前制动盘
BRAKE_DISCS_REAR | rear brake discs | Bremsscheiben hinten | 后制动盘
BRAKE_CALIPER | brake caliper | Bremssattel | 制动钳
BRAKE_HOSES | brake hoses and lines | Bremsschläuche und -leitungen | 制动软管和管路
PARKING_BRAKE | parking brake adjusted or repaired | Feststellbremse eingestellt oder repariert | 调整或修理驻车制动
SPARK_PLUGS | spark plugs | Zündkerzen | 火花塞
IGNITION_COILS | ignition coils | Zündspulen | 点火线圈
GLOW_PLUGS | glow plugs | Glühkerzen | 预热塞
DRIVE_BELT | auxiliary drive belt and tensioner | Keilrippenriemen und Spanner | 附件传动带及张紧器
TIMING_DRIVE | timing chain or belt | Steuerkette oder Zahnriemen | 正时链条或正时带
WATER_PUMP | coolant pump | Kühlmittelpumpe | 冷却液泵
THERMOSTAT | thermostat | Thermostat | 节温器
TURBOCHARGER | turbocharger | Turbolader | 涡轮增压器
FUEL_INJECTION | injectors or high-pressure pump | Injektoren oder Hochdruckpumpe | 喷油器或高压油泵
ENGINE_REPAIR | engine repaired | Motor instand gesetzt | 发动机维修
ENGINE_REPLACED | engine replaced | Motor ersetzt | 更换发动机
EXHAUST_SYSTEM | exhaust system | Abgasanlage | 排气系统
PARTICULATE_FILTER | particulate filter cleaned or replaced | Partikelfilter gereinigt, ersetzt | 清洗或更换颗粒捕集器
CATALYTIC_CONVERTER | catalytic converter | Katalysator | 催化转化器
EMISSION_SENSORS | oxygen or nitrogen oxide sensors | Lambda- oder Stickoxidsonden | 氧传感器或氮氧传感器
CLUTCH | clutch | Kupplung | 离合器
GEARBOX_REPAIR | gearbox repaired | Getriebe instand gesetzt | 变速器维修
GEARBOX_REPLACED | gearbox replaced | Getriebe ersetzt | 更换变速器
DRIVE_SHAFTS | drive shafts and joints | Antriebswellen und Gelenke | 传动轴及万向节
WHEEL_BEARINGS | wheel bearings | Radlager | 轮毂轴承
SUSPENSION | springs, dampers, arms and bushes | Federn, Dämpfer, Lenker und Lager | 弹簧、减振器、摆臂及衬套
AIR_SUSPENSION | air suspension | Luftfederung | 空气悬架
STEERING | steering gear and tie rods | Lenkgetriebe und Spurstangen | 转向器及横拉杆
WHEEL_ALIGNMENT | wheel alignment | Achsvermessung | 四轮定位
TYRES_FRONT | front tyres replaced | Reifen vorn ersetzt | 更换前轮胎
TYRES_REAR | rear tyres replaced | Reifen hinten ersetzt | 更换后轮胎
TYRES_SEASONAL | seasonal change of wheels | Räderwechsel zur Saison | 季节性换轮
TYRE_REPAIR | tyre repaired | Reifen repariert | 补胎
TYRE_PRESSURE_SENSORS | tyre pressure sensors | Reifendrucksensoren | 胎压传感器
BATTERY_12V | 12 V battery | 12-V-Batterie | 12 V 蓄电池
HV_BATTERY_CHECK | high-voltage battery check | Prüfung der Hochvoltbatterie | 动力电池检测
HV_BATTERY_MODULE | high-voltage battery module replaced | Modul der Hochvoltbatterie ersetzt | 更换动力电池模块
HV_BATTERY_REPLACED | high-voltage battery replaced | Hochvoltbatterie ersetzt | 更换动力电池
HV_COOLANT | coolant of the high-voltage system | Kühlmittel des Hochvoltsystems | 高压系统冷却液
HV_ISOLATION_CHECK | high-voltage isolation measured | Isolation des Hochvoltsystems gemessen | 测量高压系统绝缘电阻
ELECTRIC_MOTOR | electric drive motor or its electronics | Elektroantrieb oder seine Elektronik | 驱动电机或电机控制器
CHARGING_SYSTEM | charging socket, cable or charger | Ladedose, Kabel oder Ladegerät | 充电口、充电线或充电机
ALTERNATOR_STARTER | alternator or starter | Generator oder Anlasser | 发电机或起动机
LIGHTING | lamps and headlight adjustment | Leuchten und Scheinwerfereinstellung | 灯具及前照灯调整
CONTROL_UNIT | control unit replaced | Steuergerät ersetzt | 更换控制单元
INSTRUMENT_CLUSTER | instrument cluster repaired or replaced | Instrumentenkombination erneuert | 修理或更换组合仪表
SOFTWARE_UPDATE | vehicle software updated | Fahrzeugsoftware aktualisiert | 车辆软件升级
DRIVER_ASSIST_CALIBRATE | cameras and radars calibrated | Kameras und Radare kalibriert | 摄像头和雷达标定
WIPER_BLADES | wiper blades | Wischerblätter | 雨刮片
WINDSCREEN | windscreen | Windschutzscheibe | 前风窗玻璃
AIR_CONDITIONING | air conditioning serviced | Klimaanlage gewartet | 空调保养
AIRBAGS_BELTS | airbags or seat belts replaced | Airbags oder Sicherheitsgurte ersetzt | 更换安全气囊或安全带
BODY_REPAIR | body panels repaired or replaced | Karosserieteile instand gesetzt oder ersetzt | 修理或更换车身覆盖件
PAINT | paint | Lackierung | 喷漆
CORROSION_PROTECTION | corrosion protection | Korrosionsschutz | 防腐处理
VEHICLE_CHECK | vehicle check | Fahrzeug-Check | 车辆检查
RUNNING_IN_CHECK | running-in check | Einfahrkontrolle | 走合检查
PRE_DELIVERY_CHECK | pre-delivery inspection | Übergabeinspektion | 交车前检查
PRE_SALE_CHECK | used-car check before sale | Gebrauchtwagen-Check vor Verkauf | 二手车售前检测
STATUTORY_PREPARATION | prepared for the statutory inspection | Vorbereitung zur Hauptuntersuchung | 法定检验前准备
EMISSION_CHECK | exhaust emission check | Abgasuntersuchung | 尾气排放检测
DIAGNOSIS | fault memory read and diagnosed | Fehlerspeicher ausgelesen, Diagnose | 读取故障码并诊断
RECALL_WORK | work of a recall campaign | Arbeit einer Rückrufaktion | 召回作业
""")
