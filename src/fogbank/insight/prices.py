"""The price book: what AWS's public price lists say, one data file for each region.

A file of the user's own has the same form; its prices go before these. A unit that a region's file lacks is priced
as in `us-east-1`, and the bill says so.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from fogbank.insight.units import UNITS

FALLBACK = "us-east-1"
"""The region whose prices stand in for those that are missing."""
_ABOUT = frozenset({"source", "date", "checked"})


class PriceBookError(ValueError):
    """A price file is not of the form that it should be; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit costs. `tiers` are (up to this quantity a month, dollars for each `per`); the last has no end."""

    unit: str
    per: float
    tiers: tuple[tuple[float, float], ...]
    free: float
    share: str
    """Units with the same `share` have one free tier together; else the unit itself."""
    region: str
    source: str
    date: str
    checked: str

    def list_price(self, quantity: float) -> float:
        """Dollars for a quantity at the price of the first tier, without the free tier: what one more of it costs."""
        return quantity / self.per * self.tiers[0][1]

    def month(self, quantity: float, free: float = 0.0) -> float:
        """Dollars for what is used in a month, of which `free` is free, tier by tier."""
        left = max(0.0, quantity - free)
        amount = begun = 0.0
        for end, price in self.tiers:
            part = left if not end else min(left, end - begun)
            amount += part / self.per * price
            left -= part
            begun = end
            if left <= 0:
                break
        return amount


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of one region; `missing` are taken from another."""

    region: str
    prices: Mapping[str, Price]
    missing: frozenset[str] = field(default_factory=frozenset)

    def price(self, unit: str) -> Price:
        """What a unit costs; `KeyError` if no book knows."""
        return self.prices[unit]

    def with_file(self, text: str, name: str) -> PriceBook:
        """The same with a user's own prices before these; `PriceBookError` says what is wrong in them."""
        own = _parsed(text, name, self.region)
        return PriceBook(self.region, {**self.prices, **own}, self.missing - own.keys())


@cache
def regions() -> tuple[str, ...]:
    """The regions that have a file."""
    folder = resources.files("fogbank.insight").joinpath("price_book")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


@cache
def price_book(region: str) -> PriceBook:
    """The prices of a region: those of its file, and where that has none, those of `us-east-1`."""
    whole = _of_file(FALLBACK)
    if region == FALLBACK:
        return PriceBook(region, whole)
    own = _of_file(region) if region in regions() else {}
    return PriceBook(region, {**whole, **own}, frozenset(whole.keys() - own.keys()))


def _of_file(region: str) -> dict[str, Price]:
    name = f"{region}.toml"
    text = resources.files("fogbank.insight").joinpath("price_book", name).read_text(encoding="utf-8")
    return _parsed(text, name, region)


def _parsed(text: str, name: str, region: str) -> dict[str, Price]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PriceBookError(f"{name}: not TOML: {error}") from None
    if document.get("currency", "USD") != "USD":
        raise PriceBookError(f"{name}: expected prices in USD, got currency = {document['currency']!r}")
    prices: dict[str, Price] = {}
    for service, section in document.items():
        if service in ("region", "currency"):
            continue
        if not isinstance(section, dict):
            raise PriceBookError(f"{name}: expected a table [{service}], got {section!r}")
        about = {key: str(section.get(key, "")) for key in _ABOUT}
        for unit, given in section.items():
            if unit not in _ABOUT:
                full = f"{service}.{unit}"
                prices[full] = _price(full, given, name, document.get("region", region), about)
    return prices


def _price(unit: str, given: Any, name: str, region: str, about: Mapping[str, str]) -> Price:
    if unit not in UNITS:
        raise PriceBookError(f"{name}: {unit} is no billed unit; there are {', '.join(sorted(UNITS))}")
    if isinstance(given, int | float) and not isinstance(given, bool):
        given = {"tiers": [[0, given]]}
    try:
        tiers = tuple((float(end), float(price)) for end, price in given["tiers"])
        per = float(given.get("per", 1))
        free = float(given.get("free", 0))
    except (TypeError, ValueError, KeyError, AttributeError):
        raise PriceBookError(
            f"{name}: {unit}: expected a number or {{ per = 1, tiers = [[0, 0.20]], free = 0 }}, got {given!r}"
        ) from None
    ends = [end for end, _ in tiers[:-1]]
    if not tiers or per <= 0 or tiers[-1][0] != 0 or ends != sorted(set(ends)) or 0.0 in ends:
        raise PriceBookError(
            f"{name}: {unit}: expected tiers whose ends rise, the last of them 0 (without end), got {given!r}"
        )
    return Price(unit, per, tiers, free, str(given.get("share", unit)), region, **about)
