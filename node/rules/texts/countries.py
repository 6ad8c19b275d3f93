"""Names of countries, of the Unicode Common Locale Data Repository (CLDR)."""

from typing import Final

from node.rules.texts.form import rows

COUNTRIES: Final = rows("""
AD | Andorra | Andorra | 安道尔
AE | United Arab Emirates | Vereinigte Arabische Emirate | 阿拉伯联合酋长国
AF | Afghanistan | Afghanistan | 阿富汗
AG | Antigua & Barbuda | Antigua und Barbuda | 安提瓜和巴布达
AI | Anguilla | Anguilla | 安圭拉
AL | Albania | Albanien | 阿尔巴尼亚
AM | Armenia | Armenien | 亚美尼亚
AO | Angola | Angola | 安哥拉
AQ | Antarctica | Antarktis | 南极洲
AR | Argentina | Argentinien | 阿根廷
AS | American Samoa | Amerikanisch-Samoa | 美属萨摩亚
AT | Austria | Österreich | 奥地利
AU | Australia | Australien | 澳大利亚
AW | Aruba | Aruba | 阿鲁巴
AX | Åland Islands | Ålandinseln | 奥兰群岛
AZ | Azerbaijan | Aserbaidschan | 阿塞拜疆
BA | Bosnia & Herzegovina | Bosnien und Herzegowina | 波斯尼亚和黑塞哥维那
BB | Barbados | Barbados | 巴巴多斯
BD | Bangladesh | Bangladesch | 孟加拉国
BE | Belgium | Belgien | 比利时
BF | Burkina Faso | Burkina Faso | 布基纳法索
BG | Bulgaria | Bulgarien | 保加利亚
BH | Bahrain | Bahrain | 巴林
BI | Burundi | Burundi | 布隆迪
BJ | Benin | Benin | 贝宁
BL | St. Barthélemy | St. Barthélemy | 圣巴泰勒米
BM | Bermuda | Bermuda | 百慕大
BN | Brunei | Brunei Darussalam | 文莱
BO | Bolivia | Bolivien | 玻利维亚
BQ | Caribbean Netherlands | Karibische Niederlande | 荷属加勒比区
BR | Brazil | Brasilien | 巴西
BS | Bahamas | Bahamas | 巴哈马
BT | Bhutan | Bhutan | 不丹
BV | Bouvet Island | Bouvetinsel | 布韦岛
BW | Botswana | Botsuana | 博茨瓦纳
BY | Belarus | Belarus | 白俄罗斯
BZ | Belize | Belize | 伯利兹
CA | Canada | Kanada | 加拿大
CC | Cocos (Keeling) Islands | Kokosinseln | 科科斯（基林）群岛
CD | Congo - Kinshasa | Kongo-Kinshasa | 刚果（金）
CF | Central African Republic | Zentralafrikanische Republik | 中非共和国
CG | Congo - Brazzaville | Kongo-Brazzaville | 刚果（布）
CH | Switzerland | Schweiz | 瑞士
CI | Côte d’Ivoire | Côte d’Ivoire | 科特迪瓦
CK | Cook Islands | Cookinseln | 库克群岛
CL | Chile | Chile | 智利
CM | Cameroon | Kamerun | 喀麦隆
CN | China | China | 中国
CO | Colombia | Kolumbien | 哥伦比亚
CR | Costa Rica | Costa Rica | 哥斯达黎加
CU | Cuba | Kuba | 古巴
CV | Cape Verde | Cabo Verde | 佛得角
CW | Curaçao | Curaçao | 库拉索
CX | Christmas Island | Weihnachtsinsel | 圣诞岛
CY | Cyprus | Zypern | 塞浦路斯
CZ | Czechia | Tschechien | 捷克
DE | Germany | Deutschland | 德国
DJ | Djibouti | Dschibuti | 吉布提
DK | Denmark | Dänemark | 丹麦
DM | Dominica | Dominica | 多米尼克
DO | Dominican Republic | Dominikanische Republik | 多米尼加共和国
DZ | Algeria | Algerien | 阿尔及利亚
EC | Ecuador | Ecuador | 厄瓜多尔
EE | Estonia | Estland | 爱沙尼亚
EG | Egypt | Ägypten | 埃及
EH | Western Sahara | Westsahara | 西撒哈拉
ER | Eritrea | Eritrea | 厄立特里亚
ES | Spain | Spanien | 西班牙
ET | Ethiopia | Äthiopien | 埃塞俄比亚
FI | Finland | Finnland | 芬兰
FJ | Fiji | Fidschi | 斐济
FK | Falkland Islands | Falklandinseln | 福克兰群岛
FM | Micronesia | Mikronesien | 密克罗尼西亚
FO | Faroe Islands | Färöer | 法罗群岛
FR | France | Frankreich | 法国
GA | Gabon | Gabun | 加蓬
GB | United Kingdom | Vereinigtes Königreich | 英国
GD | Grenada | Grenada | 格林纳达
GE | Georgia | Georgien | 格鲁吉亚
GF | French Guiana | Französisch-Guayana | 法属圭亚那
GG | Guernsey | Guernsey | 根西岛
GH | Ghana | Ghana | 加纳
GI | Gibraltar | Gibraltar | 直布罗陀
GL | Greenland | Grönland | 格陵兰
GM | Gambia | Gambia | 冈比亚
GN | Guinea | Guinea | 几内亚
GP | Guadeloupe | Guadeloupe | 瓜德罗普
GQ | Equatorial Guinea | Äquatorialguinea | 赤道几内亚
GR | Greece | Griechenland | 希腊
GS | South Georgia & South Sandwich Islands | Südgeorgien und die Südlichen Sandwichinseln | 南乔治亚和南桑威奇群岛
GT | Guatemala | Guatemala | 危地马拉
GU | Guam | Guam | 关岛
GW | Guinea-Bissau | Guinea-Bissau | 几内亚比绍
GY | Guyana | Guyana | 圭亚那
HK | Hong Kong SAR China | Sonderverwaltungsregion Hongkong | 中国香港特别行政区
HM | Heard Island & McDonald Islands | Heard und McDonaldinseln | 赫德岛和麦克唐纳群岛
HN | Honduras | Honduras | 洪都拉斯
HR | Croatia | Kroatien | 克罗地亚
HT | Haiti | Haiti | 海地
HU | Hungary | Ungarn | 匈牙利
ID | Indonesia | Indonesien | 印度尼西亚
IE | Ireland | Irland | 爱尔兰
IL | Israel | Israel | 以色列
IM | Isle of Man | Isle of Man | 马恩岛
IN | India | Indien | 印度
IO | British Indian Ocean Territory | Britisches Territorium im Indischen Ozean | 英属印度洋领地
IQ | Iraq | Irak | 伊拉克
IR | Iran | Iran | 伊朗
IS | Iceland | Island | 冰岛
IT | Italy | Italien | 意大利
JE | Jersey | Jersey | 泽西岛
JM | Jamaica | Jamaika | 牙买加
JO | Jordan | Jordanien | 约旦
JP | Japan | Japan | 日本
KE | Kenya | Kenia | 肯尼亚
KG | Kyrgyzstan | Kirgisistan | 吉尔吉斯斯坦
KH | Cambodia | Kambodscha | 柬埔寨
KI | Kiribati | Kiribati | 基里巴斯
KM | Comoros | Komoren | 科摩罗
KN | St. Kitts & Nevis | St. Kitts und Nevis | 圣基茨和尼维斯
KP | North Korea | Nordkorea | 朝鲜
KR | South Korea | Südkorea | 韩国
KW | Kuwait | Kuwait | 科威特
KY | Cayman Islands | Kaimaninseln | 开曼群岛
KZ | Kazakhstan | Kasachstan | 哈萨克斯坦
LA | Laos | Laos | 老挝
LB | Lebanon | Libanon | 黎巴嫩
LC | St. Lucia | St. Lucia | 圣卢西亚
LI | Liechtenstein | Liechtenstein | 列支敦士登
LK | Sri Lanka | Sri Lanka | 斯里兰卡
LR | Liberia | Liberia | 利比里亚
LS | Lesotho | Lesotho | 莱索托
LT | Lithuania | Litauen | 立陶宛
LU | Luxembourg | Luxemburg | 卢森堡
LV | Latvia | Lettland | 拉脱维亚
LY | Libya | Libyen | 利比亚
MA | Morocco | Marokko | 摩洛哥
MC | Monaco | Monaco | 摩纳哥
MD | Moldova | Republik Moldau | 摩尔多瓦
ME | Montenegro | Montenegro | 黑山
MF | St. Martin | St. Martin | 法属圣马丁
MG | Madagascar | Madagaskar | 马达加斯加
MH | Marshall Islands | Marshallinseln | 马绍尔群岛
MK | North Macedonia | Nordmazedonien | 北马其顿
ML | Mali | Mali | 马里
MM | Myanmar (Burma) | Myanmar | 缅甸
MN | Mongolia | Mongolei | 蒙古
MO | Macao SAR China | Sonderverwaltungsregion Macau | 中国澳门特别行政区
MP | Northern Mariana Islands | Nördliche Marianen | 北马里亚纳群岛
MQ | Martinique | Martinique | 马提尼克
MR | Mauritania | Mauretanien | 毛里塔尼亚
MS | Montserrat | Montserrat | 蒙特塞拉特
MT | Malta | Malta | 马耳他
MU | Mauritius | Mauritius | 毛里求斯
MV | Maldives | Malediven | 马尔代夫
MW | Malawi | Malawi | 马拉维
MX | Mexico | Mexiko | 墨西哥
MY | Malaysia | Malaysia | 马来西亚
MZ | Mozambique | Mosambik | 莫桑比克
NA | Namibia | Namibia | 纳米比亚
NC | New Caledonia | Neukaledonien | 新喀里多尼亚
NE | Niger | Niger | 尼日尔
NF | Norfolk Island | Norfolkinsel | 诺福克岛
NG | Nigeria | Nigeria | 尼日利亚
NI | Nicaragua | Nicaragua | 尼加拉瓜
NL | Netherlands | Niederlande | 荷兰
NO | Norway | Norwegen | 挪威
NP | Nepal | Nepal | 尼泊尔
NR | Nauru | Nauru | 瑙鲁
NU | Niue | Niue | 纽埃
NZ | New Zealand | Neuseeland | 新西兰
OM | Oman | Oman | 阿曼
PA | Panama | Panama | 巴拿马
PE | Peru | Peru | 秘鲁
PF | French Polynesia | Französisch-Polynesien | 法属波利尼西亚
PG | Papua New Guinea | Papua-Neuguinea | 巴布亚新几内亚
PH | Philippines | Philippinen | 菲律宾
PK | Pakistan | Pakistan | 巴基斯坦
PL | Poland | Polen | 波兰
PM | St. Pierre & Miquelon | St. Pierre und Miquelon | 圣皮埃尔和密克隆群岛
PN | Pitcairn Islands | Pitcairninseln | 皮特凯恩群岛
PR | Puerto Rico | Puerto Rico | 波多黎各
PS | Palestinian Territories | Palästinensische Autonomiegebiete | 巴勒斯坦领土
PT | Portugal | Portugal | 葡萄牙
PW | Palau | Palau | 帕劳
PY | Paraguay | Paraguay | 巴拉圭
QA | Qatar | Katar | 卡塔尔
RE | Réunion | Réunion | 留尼汪
RO | Romania | Rumänien | 罗马尼亚
RS | Serbia | Serbien | 塞尔维亚
RU | Russia | Russland | 俄罗斯
RW | Rwanda | Ruanda | 卢旺达
SA | Saudi Arabia | Saudi-Arabien | 沙特阿拉伯
SB | Solomon Islands | Salomonen | 所罗门群岛
SC | Seychelles | Seychellen | 塞舌尔
SD | Sudan | Sudan | 苏丹
SE | Sweden | Schweden | 瑞典
SG | Singapore | Singapur | 新加坡
SH | St. Helena, Ascension & Tristan da Cunha | St. Helena | 圣赫勒拿
SI | Slovenia | Slowenien | 斯洛文尼亚
SJ | Svalbard & Jan Mayen | Spitzbergen und Jan Mayen | 斯瓦尔巴和扬马延
SK | Slovakia | Slowakei | 斯洛伐克
SL | Sierra Leone | Sierra Leone | 塞拉利昂
SM | San Marino | San Marino | 圣马力诺
SN | Senegal | Senegal | 塞内加尔
SO | Somalia | Somalia | 索马里
SR | Suriname | Suriname | 苏里南
SS | South Sudan | Südsudan | 南苏丹
ST | São Tomé & Príncipe | São Tomé und Príncipe | 圣多美和普林西比
SV | El Salvador | El Salvador | 萨尔瓦多
SX | Sint Maarten | Sint Maarten | 荷属圣马丁
SY | Syria | Syrien | 叙利亚
SZ | Eswatini | Eswatini | 斯威士兰
TC | Turks & Caicos Islands | Turks- und Caicosinseln | 特克斯和凯科斯群岛
TD | Chad | Tschad | 乍得
TF | French Southern and Antarctic Lands | Französische Süd- und Antarktisgebiete | 法属南部领地
TG | Togo | Togo | 多哥
TH | Thailand | Thailand | 泰国
TJ | Tajikistan | Tadschikistan | 塔吉克斯坦
TK | Tokelau | Tokelau | 托克劳
TL | Timor-Leste | Timor-Leste | 东帝汶
TM | Turkmenistan | Turkmenistan | 土库曼斯坦
TN | Tunisia | Tunesien | 突尼斯
TO | Tonga | Tonga | 汤加
TR | Türkiye | Türkei | 土耳其
TT | Trinidad & Tobago | Trinidad und Tobago | 特立尼达和多巴哥
TV | Tuvalu | Tuvalu | 图瓦卢
TW | Taiwan | Taiwan | 台湾
TZ | Tanzania | Tansania | 坦桑尼亚
UA | Ukraine | Ukraine | 乌克兰
UG | Uganda | Uganda | 乌干达
UM | U.S. Outlying Islands | Amerikanische Überseeinseln | 美国本土外小岛屿
US | United States | Vereinigte Staaten | 美国
UY | Uruguay | Uruguay | 乌拉圭
UZ | Uzbekistan | Usbekistan | 乌兹别克斯坦
VA | Vatican City | Vatikanstadt | 梵蒂冈
VC | St. Vincent & Grenadines | St. Vincent und die Grenadinen | 圣文森特和格林纳丁斯
VE | Venezuela | Venezuela | 委内瑞拉
VG | British Virgin Islands | Britische Jungferninseln | 英属维尔京群岛
VI | U.S. Virgin Islands | Amerikanische Jungferninseln | 美属维尔京群岛
VN | Vietnam | Vietnam | 越南
VU | Vanuatu | Vanuatu | 瓦努阿图
WF | Wallis & Futuna | Wallis und Futuna | 瓦利斯和富图纳
WS | Samoa | Samoa | 萨摩亚
XK | Kosovo | Kosovo | 科索沃
YE | Yemen | Jemen | 也门
YT | Mayotte | Mayotte | 马约特
ZA | South Africa | Südafrika | 南非
ZM | Zambia | Sambia | 赞比亚
ZW | Zimbabwe | Simbabwe | 津巴布韦
""")
