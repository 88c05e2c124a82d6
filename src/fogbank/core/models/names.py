"""The Python name of an operation: `SendMessage` is the method `send_message`, as in boto3."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD_AFTER_ANY = re.compile(r"(.)([A-Z][a-z]+)")
_CAPITAL_AFTER_SMALL = re.compile(r"([a-z0-9])([A-Z])")
_PLURAL_ACRONYM = re.compile(r"[A-Z]{2,}s$")
_WORDS = {"OTel": "Otel", "PartiQL": "Partiql"}  # one word each, whatever their capitals say


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """`ListTagsForResource` as `list_tags_for_resource`, `GetQueueURLs` as `get_queue_urls`.

    The rule is botocore's (`xform_name`); a test compares both over every operation of every service.
    """
    if "_" in name:
        return name
    for spelled, word in _WORDS.items():
        name = name.replace(spelled, word)
    plural = _PLURAL_ACRONYM.search(name)
    if plural is not None:
        name = f"{name[: plural.start()]}_{plural.group().lower()}"
    spaced = _WORD_AFTER_ANY.sub(r"\1_\2", name)
    return _CAPITAL_AFTER_SMALL.sub(r"\1_\2", spaced).lower()
