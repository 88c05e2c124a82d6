"""What the clients of the examples share: ordinary boto3, pointed at a stack's server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config


@dataclass(slots=True)
class Client:
    """Somebody who uses a deployed stack, by its outputs. Against AWS it would be without the endpoint and the keys."""

    endpoint: str
    outputs: Mapping[str, str]
    clients: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def client(self, service: str) -> Any:
        """An ordinary boto3 client; any keys will do. It sends nothing twice: what is counted is what was sent."""
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name="us-east-1",
                aws_access_key_id="demo",
                aws_secret_access_key="demo",
                config=Config(
                    retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=60, max_pool_connections=32
                ),
            )
        return self.clients[service]
