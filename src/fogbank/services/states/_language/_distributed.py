"""What a distributed Map has of its own: ItemReader, ItemBatcher and ResultWriter.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html,
input-output-itembatcher.html, input-output-resultwriter.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fogbank.services.states._language._batches import MAX_BYTES, Batcher, Reader, Writer
from fogbank.services.states._language._checks import Checks
from fogbank.services.states._language._datasets import DELIMITERS, MAX_ITEMS, InputType
from fogbank.services.states._language.definition import State
from fogbank.services.states._language.jsonata import expression_text

Json = Any
_READER = re.compile(r"arn:aws[\w-]*:states:::s3:(getObject|listObjectsV2)")
_WRITER = re.compile(r"arn:aws[\w-]*:states:::s3:putObject")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "InputType": tuple(InputType),
    "CSVHeaderLocation": ("FIRST_ROW", "GIVEN"),
    "CSVDelimiter": tuple(DELIMITERS),
    "Transformation": ("NONE", "LOAD_AND_FLATTEN"),
    "ManifestType": ("ATHENA_DATA", "S3_INVENTORY"),
}
_OF_CSV = ("CSVHeaderLocation", "CSVHeaders", "CSVDelimiter")
_CONFIG = (*_CHOICES, "CSVHeaders", "ItemsPointer", "MaxItems", "MaxItemsPath")
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
            read = make(document, given, at)
        else:
            self.wrong(f"The field '{given}' is required but was missing", at)
            read = None
        config = document.get("ReaderConfig", {})
        place = f"{at}/ReaderConfig"
        if not isinstance(config, dict):
            self.wrong("Expected value of type Object", place)
            return
        lists = isinstance(resource, str) and resource.endswith(":listObjectsV2")
        self._reader_config(config, place, lists=lists)
        most: Any = 0
        self.exclusive(config, place, "MaxItems", "MaxItemsPath")
        if "MaxItemsPath" in config:
            most = self.path(config["MaxItemsPath"], f"{place}/MaxItemsPath")
        elif "MaxItems" in config and state.jsonata and expression_text(config["MaxItems"]) is not None:
            most = self.query(config, "MaxItems", place, "integer", label="ItemReader/ReaderConfig/MaxItems")
        elif "MaxItems" in config:
            most = self.integer(config, "MaxItems", place, most=MAX_ITEMS)
        state.reader = Reader(lists, config, read, most or 0)

    def _reader_config(self, config: Mapping[str, Json], place: str, *, lists: bool) -> None:
        """What a ReaderConfig says of the objects."""
        self.only(config, place, *_CONFIG)
        for name, choices in _CHOICES.items():
            if name in config and config[name] not in choices:
                self.wrong(f"Value is not one of [{', '.join(choices)}]", f"{place}/{name}")
        flattens = config.get("Transformation", "NONE") != "NONE"
        if "Transformation" in config and not lists:
            self.wrong("The field 'Transformation' is only supported with 's3:listObjectsV2'", place)
        kind = config.get("InputType", "CSV" if config.get("ManifestType") == "S3_INVENTORY" else None)
        if kind is None and flattens:
            self.wrong("The field 'InputType' is required but was missing", place)
        if kind == "CSV" and "ManifestType" not in config:
            self._csv(config, place)
        elif any(name in config for name in _OF_CSV) and "ManifestType" not in config:
            self.wrong("CSV fields are only supported when InputType is CSV", place)
        pointer = config.get("ItemsPointer")
        if "ItemsPointer" not in config:
            return
        if kind != "JSON":
            self.wrong("The field 'ItemsPointer' is only supported when InputType is JSON", place)
        elif not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
            self.wrong("Value is not a valid JSON pointer", f"{place}/ItemsPointer")

    def _csv(self, config: Mapping[str, Json], place: str) -> None:
        location = config.get("CSVHeaderLocation")
        if location is None:
            self.wrong("The field 'CSVHeaderLocation' is required but was missing", place)
        headers = config.get("CSVHeaders")
        if location == "GIVEN" and headers is None:
            self.wrong("The field 'CSVHeaders' is required but was missing", place)
        elif location == "FIRST_ROW" and headers is not None:
            self.wrong("The field 'CSVHeaders' is only supported when CSVHeaderLocation is GIVEN", place)
        elif headers is not None and not (isinstance(headers, list) and all(isinstance(h, str) for h in headers)):
            self.wrong("Expected value of type Array of Strings", f"{place}/CSVHeaders")

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
        if "Resource" in document and (
            not isinstance(document["Resource"], str) or not _WRITER.fullmatch(document["Resource"])
        ):
            self.wrong("Value is not a valid resource ARN", f"{at}/Resource")
        target = None
        if given in document:
            make = self.query if state.jsonata else self.template
            target = make(document, given, at)
        if ("Resource" in document) is not (given in document):
            self.wrong(f"Must specify both 'Resource' and '{given}'", at)
        state.writer = Writer(transformation, config.get("OutputType") == "JSONL", target)
