"""CloudFormation's operations: see `_api/stacks.py`, `_api/change_sets.py` and `_api/describe.py`."""

from __future__ import annotations

from fogbank.services.cloudformation._api.describe import Descriptions


class CloudFormation(Descriptions):
    """Stacks of resources, described by templates. `engine` must be set before it is started."""
