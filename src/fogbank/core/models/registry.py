"""Where models are found: the shipped data, loaded lazily, and a card of each service."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.models.service import Protocol, ServiceModel

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA = files("fogbank.core.models").joinpath("data")


class UnknownServiceError(KeyError):
    """No model is shipped for this service."""


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """What a request says of the service it is for, known without loading the service's model.

    `signing_name` is in the credential scope of a signature (several services may share one),
    `target_prefix` stands before the dot of `X-Amz-Target`, `endpoint_prefix` begins the host's name,
    `api_version` is the `Version` of the query protocol.
    """

    name: str
    signing_name: str
    target_prefix: str | None
    endpoint_prefix: str
    api_version: str
    protocols: tuple[Protocol, ...]


@lru_cache(maxsize=1)
def service_cards() -> Mapping[str, ServiceCard]:
    """The card of every service, by botocore's name."""
    index: dict[str, Any] = msgspec.json.decode(_DATA.joinpath("index.json").read_bytes())
    return {name: _card(name, metadata) for name, metadata in index["services"].items()}


def service_names() -> frozenset[str]:
    """Botocore's names of the services that have a model."""
    return frozenset(service_cards())


@lru_cache(maxsize=64)
def service_model(name: str) -> ServiceModel:
    """The model of a service by botocore's name; `UnknownServiceError` if none is shipped."""
    if name not in service_cards():
        raise UnknownServiceError(name)
    data = gzip.decompress(_DATA.joinpath(f"{name}.json.gz").read_bytes())
    return ServiceModel(name, msgspec.json.decode(data))


@lru_cache(maxsize=64)
def wire_model(name: str, protocol: Protocol) -> ServiceModel:
    """The model with the names that a protocol has on the wire: the service's, but for SQS in the query protocol."""
    file = _DATA.joinpath(f"{name}.{protocol}.json.gz")
    if not file.is_file():
        return service_model(name)
    return ServiceModel(name, msgspec.json.decode(gzip.decompress(file.read_bytes())))


def _card(name: str, metadata: Mapping[str, Any]) -> ServiceCard:
    return ServiceCard(
        name=name,
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        target_prefix=metadata.get("targetPrefix"),
        endpoint_prefix=metadata["endpointPrefix"],
        api_version=metadata.get("apiVersion", ""),
        protocols=tuple(Protocol(text) for text in metadata.get("protocols") or [metadata["protocol"]]),
    )
