"""The price book: what its files say, and what a user's own may say."""

from __future__ import annotations

import re

import pytest

from fogbank.insight.prices import PriceBookError, price_book, regions
from fogbank.insight.units import UNITS

BOOK = price_book("us-east-1")


@pytest.mark.parametrize("region", regions())
def test_every_price_has_its_source_and_date(region: str) -> None:
    """And says how far it was checked."""
    for price in price_book(region).prices.values():
        assert price.source.startswith("https://aws.amazon.com/")
        assert re.fullmatch(r"20\d\d-\d\d", price.date)
        assert price.checked


def test_every_unit_has_a_price() -> None:
    """In the region whose prices stand in for those that others lack."""
    assert BOOK.prices.keys() == UNITS.keys()


def test_a_region_without_a_file_is_priced_as_us_east_1_and_says_so() -> None:
    """No price is made up."""
    book = price_book("eu-north-1")
    assert book.missing == BOOK.prices.keys()
    assert price_book("eu-west-1").price("dynamodb.write-units").region == "eu-west-1"
    assert "lambda.streamed-gb" in price_book("eu-west-1").missing


def test_tiers_follow_each_other() -> None:
    """7 billion GB-seconds: 6 billion at the first price, 1 billion at the second."""
    price = BOOK.price("lambda.gb-seconds.x86_64")
    assert price.month(7e9) == pytest.approx(6e9 * 0.0000166667 + 1e9 * 0.000015)


def test_express_durations_as_in_awss_example() -> None:
    """62.5 million GB-s: 1,000 GB-hours at 0.06, 4,000 at 0.03, 12,361.11 at 0.01642: $382.97."""
    assert BOOK.price("stepfunctions.express-gb-seconds").month(62_500_000) == pytest.approx(382.97, abs=0.005)


def test_the_free_tier_comes_off_first() -> None:
    """3 million requests, 1 million of them free: 2 × $0.20."""
    assert BOOK.price("lambda.requests").month(3e6, free=1e6) == pytest.approx(0.40)
    assert BOOK.price("lambda.requests").month(3e5, free=1e6) == 0


def test_a_users_prices_go_first() -> None:
    """A number is a price for one; a table has tiers."""
    book = BOOK.with_file(
        '[lambda]\n"requests" = 0.5\n[sqs]\n"requests.fifo" = { per = 10, tiers = [[0, 1.0]] }\n', "p"
    )
    assert book.price("lambda.requests").list_price(2) == 1.0
    assert book.price("sqs.requests.fifo").list_price(20) == 2.0
    assert book.price("sqs.requests.standard") == BOOK.price("sqs.requests.standard")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("= 1", "not TOML"),
        ('currency = "EUR"', "expected prices in USD"),
        ("lambda = 3", r"expected a table \[lambda\]"),
        ('[lambda]\n"rquests" = 1', "lambda.rquests is no billed unit"),
        ('[lambda]\n"requests" = "cheap"', "expected a number or"),
        ('[lambda]\n"requests" = { tiers = [[10, 1.0]] }', "tiers whose ends rise"),
        ('[lambda]\n"requests" = { per = 0, tiers = [[0, 1.0]] }', "tiers whose ends rise"),
        ('[lambda]\n"requests" = { tiers = [[20, 1.0], [10, 2.0], [0, 3.0]] }', "tiers whose ends rise"),
    ],
)
def test_a_wrong_price_file_says_what_is_wrong(text: str, says: str) -> None:
    """And what was expected."""
    with pytest.raises(PriceBookError, match=says):
        BOOK.with_file(text, "prices.toml")
