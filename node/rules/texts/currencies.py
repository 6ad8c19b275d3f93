"""Names of currencies, of the Unicode Common Locale Data Repository (CLDR)."""

from typing import Final

from node.rules.texts.form import rows

CURRENCIES: Final = rows("""
AED | United Arab Emirates Dirham | VAE-Dirham | 阿联酋迪拉姆
AFN | Afghan Afghani | Afghanischer Afghani | 阿富汗尼
ALL | Albanian Lek | Albanischer Lek | 阿尔巴尼亚列克
AMD | Armenian Dram | Armenischer Dram | 亚美尼亚德拉姆
AOA | Angolan Kwanza | Angolanischer Kwanza | 安哥拉宽扎
ARS | Argentine Peso | Argentinischer Peso | 阿根廷比索
AUD | Australian Dollar | Australischer Dollar | 澳大利亚元
AWG | Aruban Florin | Aruba-Florin | 阿鲁巴弗罗林
AZN | Azerbaijani Manat | Aserbaidschan-Manat | 阿塞拜疆马纳特
BAM | Bosnia-Herzegovina Convertible Mark | Konvertible Mark Bosnien und Herzegowina | 波斯尼亚-黑塞哥维那可兑换马克
BBD | Barbadian Dollar | Barbados-Dollar | 巴巴多斯元
BDT | Bangladeshi Taka | Bangladesch-Taka | 孟加拉塔卡
BHD | Bahraini Dinar | Bahrain-Dinar | 巴林第纳尔
BIF | Burundian Franc | Burundi-Franc | 布隆迪法郎
BMD | Bermudan Dollar | Bermuda-Dollar | 百慕大元
BND | Brunei Dollar | Brunei-Dollar | 文莱元
BOB | Bolivian Boliviano | Bolivianischer Boliviano | 玻利维亚诺
BRL | Brazilian Real | Brasilianischer Real | 巴西雷亚尔
BSD | Bahamian Dollar | Bahamas-Dollar | 巴哈马元
BTN | Bhutanese Ngultrum | Bhutan-Ngultrum | 不丹努尔特鲁姆
BWP | Botswanan Pula | Botswanischer Pula | 博茨瓦纳普拉
BYN | Belarusian Ruble | Weißrussischer Rubel | 白俄罗斯卢布
BZD | Belize Dollar | Belize-Dollar | 伯利兹元
CAD | Canadian Dollar | Kanadischer Dollar | 加拿大元
CDF | Congolese Franc | Kongo-Franc | 刚果法郎
CHF | Swiss Franc | Schweizer Franken | 瑞士法郎
CLP | Chilean Peso | Chilenischer Peso | 智利比索
CNY | Chinese Yuan | Renminbi Yuan | 人民币
COP | Colombian Peso | Kolumbianischer Peso | 哥伦比亚比索
CRC | Costa Rican Colón | Costa-Rica-Colón | 哥斯达黎加科朗
CUP | Cuban Peso | Kubanischer Peso | 古巴比索
CVE | Cape Verdean Escudo | Cabo-Verde-Escudo | 佛得角埃斯库多
CZK | Czech Koruna | Tschechische Krone | 捷克克朗
DJF | Djiboutian Franc | Dschibuti-Franc | 吉布提法郎
DKK | Danish Krone | Dänische Krone | 丹麦克朗
DOP | Dominican Peso | Dominikanischer Peso | 多米尼加比索
DZD | Algerian Dinar | Algerischer Dinar | 阿尔及利亚第纳尔
EGP | Egyptian Pound | Ägyptisches Pfund | 埃及镑
ERN | Eritrean Nakfa | Eritreischer Nakfa | 厄立特里亚纳克法
ETB | Ethiopian Birr | Äthiopischer Birr | 埃塞俄比亚比尔
EUR | Euro | Euro | 欧元
FJD | Fijian Dollar | Fidschi-Dollar | 斐济元
FKP | Falkland Islands Pound | Falkland-Pfund | 福克兰群岛镑
GBP | British Pound | Britisches Pfund | 英镑
GEL | Georgian Lari | Georgischer Lari | 格鲁吉亚拉里
GHS | Ghanaian Cedi | Ghanaischer Cedi | 加纳塞地
GIP | Gibraltar Pound | Gibraltar-Pfund | 直布罗陀镑
GMD | Gambian Dalasi | Gambia-Dalasi | 冈比亚达拉西
GNF | Guinean Franc | Guinea-Franc | 几内亚法郎
GTQ | Guatemalan Quetzal | Guatemaltekischer Quetzal | 危地马拉格查尔
GYD | Guyanaese Dollar | Guyana-Dollar | 圭亚那元
HKD | Hong Kong Dollar | Hongkong-Dollar | 港元
HNL | Honduran Lempira | Honduras-Lempira | 洪都拉斯伦皮拉
HTG | Haitian Gourde | Haitianische Gourde | 海地古德
HUF | Hungarian Forint | Ungarischer Forint | 匈牙利福林
IDR | Indonesian Rupiah | Indonesische Rupiah | 印度尼西亚卢比
ILS | Israeli New Shekel | Israelischer Neuer Schekel | 以色列新谢克尔
INR | Indian Rupee | Indische Rupie | 印度卢比
IQD | Iraqi Dinar | Irakischer Dinar | 伊拉克第纳尔
IRR | Iranian Rial | Iranischer Rial | 伊朗里亚尔
ISK | Icelandic Króna | Isländische Krone | 冰岛克朗
JMD | Jamaican Dollar | Jamaika-Dollar | 牙买加元
JOD | Jordanian Dinar | Jordanischer Dinar | 约旦第纳尔
JPY | Japanese Yen | Japanischer Yen | 日元
KES | Kenyan Shilling | Kenia-Schilling | 肯尼亚先令
KGS | Kyrgyz Som | Kirgisischer Som | 吉尔吉斯斯坦索姆
KHR | Cambodian Riel | Kambodschanischer Riel | 柬埔寨瑞尔
KMF | Comorian Franc | Komoren-Franc | 科摩罗法郎
KPW | North Korean Won | Nordkoreanischer Won | 朝鲜元
KRW | South Korean Won | Südkoreanischer Won | 韩元
KWD | Kuwaiti Dinar | Kuwait-Dinar | 科威特第纳尔
KYD | Cayman Islands Dollar | Kaiman-Dollar | 开曼元
KZT | Kazakhstani Tenge | Kasachischer Tenge | 哈萨克斯坦坚戈
LAK | Laotian Kip | Laotischer Kip | 老挝基普
LBP | Lebanese Pound | Libanesisches Pfund | 黎巴嫩镑
LKR | Sri Lankan Rupee | Sri-Lanka-Rupie | 斯里兰卡卢比
LRD | Liberian Dollar | Liberianischer Dollar | 利比里亚元
LSL | Lesotho Loti | Loti | 莱索托洛蒂
LYD | Libyan Dinar | Libyscher Dinar | 利比亚第纳尔
MAD | Moroccan Dirham | Marokkanischer Dirham | 摩洛哥迪拉姆
MDL | Moldovan Leu | Moldau-Leu | 摩尔多瓦列伊
MGA | Malagasy Ariary | Madagaskar-Ariary | 马达加斯加阿里亚里
MKD | Macedonian Denar | Mazedonischer Denar | 马其顿第纳尔
MMK | Myanmar Kyat | Myanmarischer Kyat | 缅甸元
MNT | Mongolian Tugrik | Mongolischer Tögrög | 蒙古图格里克
MOP | Macanese Pataca | Macao-Pataca | 澳门币
MRU | Mauritanian Ouguiya | Mauretanischer Ouguiya | 毛里塔尼亚乌吉亚
MUR | Mauritian Rupee | Mauritius-Rupie | 毛里求斯卢比
MVR | Maldivian Rufiyaa | Malediven-Rufiyaa | 马尔代夫卢菲亚
MWK | Malawian Kwacha | Malawi-Kwacha | 马拉维克瓦查
MXN | Mexican Peso | Mexikanischer Peso | 墨西哥比索
MYR | Malaysian Ringgit | Malaysischer Ringgit | 马来西亚林吉特
MZN | Mozambican Metical | Mosambikanischer Metical | 莫桑比克美提卡
NAD | Namibian Dollar | Namibia-Dollar | 纳米比亚元
NGN | Nigerian Naira | Nigerianischer Naira | 尼日利亚奈拉
NIO | Nicaraguan Córdoba | Nicaragua-Córdoba | 尼加拉瓜科多巴
NOK | Norwegian Krone | Norwegische Krone | 挪威克朗
NPR | Nepalese Rupee | Nepalesische Rupie | 尼泊尔卢比
NZD | New Zealand Dollar | Neuseeland-Dollar | 新西兰元
OMR | Omani Rial | Omanischer Rial | 阿曼里亚尔
PAB | Panamanian Balboa | Panamaischer Balboa | 巴拿马巴波亚
PEN | Peruvian Sol | Peruanischer Sol | 秘鲁索尔
PGK | Papua New Guinean Kina | Papua-neuguineischer Kina | 巴布亚新几内亚基那
PHP | Philippine Peso | Philippinischer Peso | 菲律宾比索
PKR | Pakistani Rupee | Pakistanische Rupie | 巴基斯坦卢比
PLN | Polish Zloty | Polnischer Złoty | 波兰兹罗提
PYG | Paraguayan Guarani | Paraguayischer Guaraní | 巴拉圭瓜拉尼
QAR | Qatari Riyal | Katar-Riyal | 卡塔尔里亚尔
RON | Romanian Leu | Rumänischer Leu | 罗马尼亚列伊
RSD | Serbian Dinar | Serbischer Dinar | 塞尔维亚第纳尔
RUB | Russian Ruble | Russischer Rubel | 俄罗斯卢布
RWF | Rwandan Franc | Ruanda-Franc | 卢旺达法郎
SAR | Saudi Riyal | Saudi-Rial | 沙特里亚尔
SBD | Solomon Islands Dollar | Salomonen-Dollar | 所罗门群岛元
SCR | Seychellois Rupee | Seychellen-Rupie | 塞舌尔卢比
SDG | Sudanese Pound | Sudanesisches Pfund | 苏丹镑
SEK | Swedish Krona | Schwedische Krone | 瑞典克朗
SGD | Singapore Dollar | Singapur-Dollar | 新加坡元
SHP | St. Helena Pound | St.-Helena-Pfund | 圣赫勒拿群岛磅
SLE | Sierra Leonean Leone | Sierra-leonischer Leone | 塞拉利昂新利昂
SOS | Somali Shilling | Somalia-Schilling | 索马里先令
SRD | Surinamese Dollar | Suriname-Dollar | 苏里南元
SSP | South Sudanese Pound | Südsudanesisches Pfund | 南苏丹镑
STN | São Tomé & Príncipe Dobra | São-toméischer Dobra | 圣多美和普林西比多布拉
SVC | Salvadoran Colón | El Salvador Colon | 萨尔瓦多科朗
SYP | Syrian Pound | Syrisches Pfund | 叙利亚镑
SZL | Swazi Lilangeni | Swasiländischer Lilangeni | 斯威士兰里兰吉尼
THB | Thai Baht | Thailändischer Baht | 泰铢
TJS | Tajikistani Somoni | Tadschikistan-Somoni | 塔吉克斯坦索莫尼
TMT | Turkmenistani Manat | Turkmenistan-Manat | 土库曼斯坦马纳特
TND | Tunisian Dinar | Tunesischer Dinar | 突尼斯第纳尔
TOP | Tongan Paʻanga | Tongaischer Paʻanga | 汤加潘加
TRY | Turkish Lira | Türkische Lira | 土耳其里拉
TTD | Trinidad & Tobago Dollar | Trinidad-und-Tobago-Dollar | 特立尼达和多巴哥元
TWD | New Taiwan Dollar | Neuer Taiwan-Dollar | 新台币
TZS | Tanzanian Shilling | Tansania-Schilling | 坦桑尼亚先令
UAH | Ukrainian Hryvnia | Ukrainische Hrywnja | 乌克兰格里夫纳
UGX | Ugandan Shilling | Uganda-Schilling | 乌干达先令
USD | US Dollar | US-Dollar | 美元
UYU | Uruguayan Peso | Uruguayischer Peso | 乌拉圭比索
UZS | Uzbekistani Som | Usbekistan-Sum | 乌兹别克斯坦苏姆
VED | Digital Bolívar | Bolívar (digital) | 委内瑞拉数字玻利瓦尔
VES | Venezuelan Bolívar | Venezolanischer Bolívar | 委内瑞拉玻利瓦尔
VND | Vietnamese Dong | Vietnamesischer Dong | 越南盾
VUV | Vanuatu Vatu | Vanuatu-Vatu | 瓦努阿图瓦图
WST | Samoan Tala | Samoanischer Tala | 萨摩亚塔拉
XAF | Central African CFA Franc | CFA-Franc (BEAC) | 中非法郎
XCD | East Caribbean Dollar | Ostkaribischer Dollar | 东加勒比元
XCG | Caribbean guilder | Karibischer Gulden | 加勒比盾
XOF | West African CFA Franc | CFA-Franc (BCEAO) | 西非法郎
XPF | CFP Franc | CFP-Franc | 太平洋法郎
YER | Yemeni Rial | Jemen-Rial | 也门里亚尔
ZAR | South African Rand | Südafrikanischer Rand | 南非兰特
ZMW | Zambian Kwacha | Kwacha | 赞比亚克瓦查
ZWG | Zimbabwean Gold | Simbabwe-Gold | 津巴布韦金元
""")
