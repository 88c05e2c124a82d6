"""What a distributed Map has of its own: ItemReader, ItemBatcher and ResultWriter.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html,
input-output-itembatcher.html, input-output-resultwriter.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fogbank.services.states._language._batches import MAX_BYTES, Batcher, Writer
from fogbank.services.states._language._checks import Checks
from fogbank.services.states._language.definition import State
from fogbank.services.states._language.jsonata import expression_text

Json = Any
_READER = re.compile(r"arn:aws[\w-]*:states:::s3:(getObject|listObjectsV2)")
_WRITER = re.compile(r"arn:aws[\w-]*:states:::s3:putObject")
_MAX_ITEMS = 100_000_000
_INPUTS = ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET")
_TRANSFORMATIONS = ("NONE", "COMPACT", "FLATTEN")


class DistributedFields(Checks):
    """Reads the fields of a distributed Map."""

    def distributed(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """All of them, each of which only a distributed Map may have."""
        for name, read in (
            ("ItemReader", self.reader),
            ("ItemBatcher", self.batcher),
            ("ResultWriter", self.writer),
        ):
            if name not in document:
                continue
            place = f"{at}/{name}"
            if not state.branches[0].distributed:
                self.wrong(f"The field '{name}' is only supported in a Distributed Map", place)
            elif not isinstance(document[name], dict):
                self.wrong("Expected value of type Object", place)
            else:
                read(state, document[name], place)

    def only(self, document: Mapping[str, Json], at: str, *names: str) -> None:
        """Refuse other fields than these."""
        for name in document:
            if name not in names:
                self.wrong(f"Field '{name}' is not supported", at)

    def reader(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """ItemReader: which objects the items are read from."""
        given = "Arguments" if state.jsonata else "Parameters"
        self.only(document, at, "Resource", "ReaderConfig", given)
        resource = document.get("Resource")
        if not isinstance(resource, str) or not _READER.fullmatch(resource):
            self.wrong("Value is not a valid resource ARN", f"{at}/Resource")
        if given in document:
            make = self.query if state.jsonata else self.template
            make(document, given, at)
        config = document.get("ReaderConfig", {})
        place = f"{at}/ReaderConfig"
        if not isinstance(config, dict):
            self.wrong("Expected value of type Object", place)
            return
        if "InputType" in config and config["InputType"] not in _INPUTS:
            self.wrong(f"Value is not one of [{', '.join(_INPUTS)}]", f"{place}/InputType")
        self.exclusive(config, place, "MaxItems", "MaxItemsPath")
        if "MaxItemsPath" in config:
            self.path(config["MaxItemsPath"], f"{place}/MaxItemsPath")
        elif "MaxItems" in config and not (state.jsonata and expression_text(config["MaxItems"]) is not None):
            self.integer(config, "MaxItems", place, most=_MAX_ITEMS)
        state.reader = document

    def batcher(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """ItemBatcher: how items are grouped."""
        limits = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
        paths = () if state.jsonata else tuple(f"{name}Path" for name in limits)
        self.only(document, at, *limits, *paths, "BatchInput")
        if not any(name in document for name in (*limits, *paths)):
            self.wrong(f"At least one of these fields is required: [{', '.join(limits)}]", at)
        most = self.batch_limit(state, document, "MaxItemsPerBatch", at, 1 << 31)
        size = self.batch_limit(state, document, "MaxInputBytesPerBatch", at, MAX_BYTES)
        given = None
        if "BatchInput" in document:
            make = self.query if state.jsonata else self.template
            given = make(document, "BatchInput", at)
        state.batcher = Batcher(most, size, given)

    def batch_limit(self, state: State, document: Mapping[str, Json], name: str, at: str, most: int) -> Any:
        """A limit of batches: a number, a path, or an expression."""
        given = self.exclusive(document, at, name, f"{name}Path")
        if not given:
            return None
        if given[0] != name:
            return self.path(document[given[0]], f"{at}/{given[0]}")
        if state.jsonata and expression_text(document[name]) is not None:
            return self.query(document, name, at, "integer")
        return self.integer(document, name, at, least=1, most=most)

    def writer(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """ResultWriter: how results are shown, and the bucket that they go to."""
        given = "Arguments" if state.jsonata else "Parameters"
        self.only(document, at, "Resource", "WriterConfig", given)
        if "WriterConfig" not in document and not ("Resource" in document and given in document):
            self.wrong(f"Must specify 'WriterConfig', or both 'Resource' and '{given}'", at)
        config = document.get("WriterConfig", {})
        place = f"{at}/WriterConfig"
        if not isinstance(config, dict):
            self.wrong("Expected value of type Object", place)
            return
        self.only(config, place, "Transformation", "OutputType")
        transformation = config.get("Transformation", "NONE")
        if transformation not in _TRANSFORMATIONS:
            self.wrong(f"Value is not one of [{', '.join(_TRANSFORMATIONS)}]", f"{place}/Transformation")
        if config.get("OutputType", "JSON") not in ("JSON", "JSONL"):
            self.wrong("Value is not one of [JSON, JSONL]", f"{place}/OutputType")
        bucket = ""
        if "Resource" in document:
            if not isinstance(document["Resource"], str) or not _WRITER.fullmatch(document["Resource"]):
                self.wrong("Value is not a valid resource ARN", f"{at}/Resource")
            bucket = "Fogbank does not have S3 yet, which ResultWriter writes to"
        if given in document:
            make = self.query if state.jsonata else self.template
            make(document, given, at)
        state.writer = Writer(transformation, bucket)
