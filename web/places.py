"""Cities that a reader can name instead of a point: names in three languages, and the centre in degrees."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from web.words import TAGS, Tag


class Place(NamedTuple):
    """A point with a name."""

    name: str
    latitude: float
    longitude: float


_ROWS: Final = """
Amsterdam | Amsterdam | 阿姆斯特丹 | 52.37 4.90
Athens | Athen | 雅典 | 37.98 23.73
Barcelona | Barcelona | 巴塞罗那 | 41.39 2.17
Beijing | Peking | 北京 | 39.90 116.41
Berlin | Berlin | 柏林 | 52.52 13.41
Brussels | Brüssel | 布鲁塞尔 | 50.85 4.35
Budapest | Budapest | 布达佩斯 | 47.50 19.04
Chengdu | Chengdu | 成都 | 30.57 104.07
Chicago | Chicago | 芝加哥 | 41.88 -87.63
Chongqing | Chongqing | 重庆 | 29.56 106.55
Cologne | Köln | 科隆 | 50.94 6.96
Copenhagen | Kopenhagen | 哥本哈根 | 55.68 12.57
Dresden | Dresden | 德累斯顿 | 51.05 13.74
Dublin | Dublin | 都柏林 | 53.35 -6.26
Düsseldorf | Düsseldorf | 杜塞尔多夫 | 51.23 6.77
Frankfurt | Frankfurt am Main | 法兰克福 | 50.11 8.68
Guangzhou | Guangzhou | 广州 | 23.13 113.26
Hamburg | Hamburg | 汉堡 | 53.55 9.99
Hangzhou | Hangzhou | 杭州 | 30.27 120.16
Hanover | Hannover | 汉诺威 | 52.38 9.73
Helsinki | Helsinki | 赫尔辛基 | 60.17 24.94
Hong Kong | Hongkong | 香港 | 22.32 114.17
Istanbul | Istanbul | 伊斯坦布尔 | 41.01 28.98
Leipzig | Leipzig | 莱比锡 | 51.34 12.37
Lisbon | Lissabon | 里斯本 | 38.72 -9.14
London | London | 伦敦 | 51.51 -0.13
Los Angeles | Los Angeles | 洛杉矶 | 34.05 -118.24
Lyon | Lyon | 里昂 | 45.76 4.84
Madrid | Madrid | 马德里 | 40.42 -3.70
Milan | Mailand | 米兰 | 45.46 9.19
Munich | München | 慕尼黑 | 48.14 11.58
Nanjing | Nanjing | 南京 | 32.06 118.80
New York | New York | 纽约 | 40.71 -74.01
Nuremberg | Nürnberg | 纽伦堡 | 49.45 11.08
Oslo | Oslo | 奥斯陆 | 59.91 10.75
Paris | Paris | 巴黎 | 48.86 2.35
Prague | Prag | 布拉格 | 50.08 14.44
Rome | Rom | 罗马 | 41.90 12.50
Shanghai | Shanghai | 上海 | 31.23 121.47
Shenyang | Shenyang | 沈阳 | 41.80 123.43
Shenzhen | Shenzhen | 深圳 | 22.54 114.06
Singapore | Singapur | 新加坡 | 1.35 103.82
Stockholm | Stockholm | 斯德哥尔摩 | 59.33 18.07
Stuttgart | Stuttgart | 斯图加特 | 48.78 9.18
Tianjin | Tianjin | 天津 | 39.08 117.20
Tokyo | Tokio | 东京 | 35.68 139.69
Vienna | Wien | 维也纳 | 48.21 16.37
Warsaw | Warschau | 华沙 | 52.23 21.01
Wuhan | Wuhan | 武汉 | 30.59 114.31
Xi'an | Xi'an | 西安 | 34.34 108.94
Zurich | Zürich | 苏黎世 | 47.37 8.54
"""
_POINT: Final = re.compile(r"(-?[0-9]{1,2}(?:\.[0-9]{1,6})?)\s*[,，]\s*(-?[0-9]{1,3}(?:\.[0-9]{1,6})?)")


def _read(row: str) -> dict[Tag, Place]:
    *names, point = (part.strip() for part in row.split("|"))
    latitude, longitude = map(float, point.split())
    return {tag: Place(name, latitude, longitude) for tag, name in zip(TAGS, names, strict=True)}


_CITIES: Final = [_read(row) for row in _ROWS.strip().splitlines()]


def cities(tag: Tag) -> list[Place]:
    """All cities, by their names in a language."""
    return sorted((city[tag] for city in _CITIES), key=lambda city: city.name)


def city(text: str, tag: Tag) -> Place | None:
    """The city that has this name in any of the languages, with its name in one of them."""
    sought = text.casefold()
    found = (city[tag] for city in _CITIES if sought in {place.name.casefold() for place in city.values()})
    return next(found, None)


def point(text: str) -> Place | None:
    """`48.177,11.559`, degrees of latitude and longitude."""
    read = _POINT.fullmatch(text)
    if read is None or abs(float(read[1])) > 90 or abs(float(read[2])) > 180:
        return None
    return Place(f"{float(read[1]):.3f}, {float(read[2]):.3f}", float(read[1]), float(read[2]))
