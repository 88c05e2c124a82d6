"""The cloud: one process's assembly of clock, storage, delivery, runtime and services.

`call` is the only door between services: one place checks every request against its model, hands it to the service,
and gives errors their form.
"""

from fogbank.cloud.assembly import LocalCloud
from fogbank.cloud.registry import SERVICES

__all__ = ["SERVICES", "LocalCloud"]
