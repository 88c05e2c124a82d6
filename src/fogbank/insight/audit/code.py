"""What a function's source says: which modules it imports, what it does to the world, how it guards against repetition.

Python is read by its syntax tree, JavaScript by its text: hints for rules, not proofs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

HEAVY: Mapping[str, str] = {
    "pandas": "about 0.6 s and 60 MB",
    "numpy": "about 0.15 s and 25 MB",
    "scipy": "about 0.3 s and 40 MB",
    "sklearn": "about 1 s and 100 MB",
    "torch": "about 2 s and 250 MB",
    "tensorflow": "about 3 s and 400 MB",
    "matplotlib": "about 0.4 s and 40 MB",
    "nltk": "about 0.5 s and 50 MB",
    "spacy": "about 1 s and 100 MB",
    "sqlalchemy": "about 0.25 s and 20 MB",
    "django": "about 0.3 s and 30 MB",
    "aws-sdk": "all of SDK v2: about 0.3 s; import single clients of v3",
}
"""Modules that are heavy to import, with what that costs on one virtual processor, roughly."""
EFFECTS = frozenset(
    {
        "put_item", "update_item", "delete_item", "batch_write_item", "batch_writer", "transact_write_items",
        "send_message", "send_message_batch", "put_events", "publish", "start_execution", "put_object", "put_record",
        "put_records",
    }
)  # fmt: skip
"""Calls of boto3 that change something."""
_JS_EFFECTS = {
    "PutCommand": "put_item", "PutItemCommand": "put_item", "UpdateCommand": "update_item",
    "UpdateItemCommand": "update_item", "SendMessageCommand": "send_message", "PutEventsCommand": "put_events",
    "PublishCommand": "publish", "StartExecutionCommand": "start_execution", "PutObjectCommand": "put_object",
}  # fmt: skip
_GUARDS = re.compile(
    r"idempoten|ConditionExpression|attribute_not_exists|if_not_exists|ClientRequestToken|MessageDeduplicationId",
    re.IGNORECASE,
)
_JS_IMPORT = re.compile(r"""(?:require\(|from\s+|import\s+)['"]([@\w./-]+)['"]""")


@dataclass(frozen=True, slots=True)
class Code:
    """A function's source, without what it depends on: texts by their paths, and a digest of all."""

    digest: str
    files: Mapping[str, str]
    handler: str = ""

    def imports(self) -> set[str]:
        """The top-level modules that its files import when they are loaded."""
        return {name for path, text in self.files.items() for name in _imports(path, text)}

    def effects(self) -> set[str]:
        """What it does to the world."""
        return {name for path, text in self.files.items() for name in _effects(path, text)}

    def guarded(self) -> bool:
        """Whether anything in it speaks of repetition: idempotency keys, conditions, deduplication."""
        return any(_GUARDS.search(text) for text in self.files.values())


def _imports(path: str, text: str) -> Iterator[str]:
    if not path.endswith(".py"):
        yield from (match[1] for match in _JS_IMPORT.finditer(text))
        return
    for node in _loaded(_tree(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _loaded(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is loaded: not what is within functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _loaded(child)


def _effects(path: str, text: str) -> Iterator[str]:
    if not path.endswith(".py"):
        yield from (effect for command, effect in _JS_EFFECTS.items() if re.search(rf"\b{command}\b", text))
        return
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in EFFECTS:
            yield node.func.attr


def _tree(text: str) -> ast.AST:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])
