"""The names of message attributes: SQS and SNS have the same rule, in the same words.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_RESERVED = ("aws.", "amazon.")
MAX_NAME = 256


def name_problem(name: str) -> str | None:
    """What is wrong with the name of a message attribute, in AWS's words; `None` if nothing is."""
    if not name:
        return "The request must contain non-empty message attribute name."
    if len(name) > MAX_NAME:
        return f"Length of message attribute name '{name}' must be less than 256 bytes."
    if not _NAME.fullmatch(name) or name[0] == "." or name[-1] == "." or ".." in name:
        return (
            f"The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore "
            "(_), hyphen (-), and period (.) characters; it must not start or end with a period or have successive "
            "periods."
        )
    if name.lower().startswith(_RESERVED):
        return (
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.' because these strings are "
            f"reserved for internal use: '{name}'."
        )
    return None
