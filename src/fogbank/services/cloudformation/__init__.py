"""CloudFormation: stacks of resources that are created, changed and deleted together, as a template describes them.

The service owns stacks, their resources' rows, their history, change sets and exports, and a worker that carries out
operations. What it does not know is templates and resource types: those are a `TemplateEngine` (`engine.py`), which
`fogbank.templates` implements and the assembly sets on the service before it is started:

    cloud.services["cloudformation"].engine = Engine(cloud, clock)

An operation is journaled step by step: a physical name is written down before anything of that name is made, and a
step that was under way when the process died is repeated with the same name and token. So a SIGKILL in the middle of a
deployment costs nothing: the next start goes on with it, or rolls it back.

| file | idea |
| --- | --- |
| `engine.py` | the protocol of template engines and the values that are exchanged |
| `model.py` | stacks, resources, operations: their states and what moves them, pure |
| `worker.py` | the phases of an operation |
| `_deploy.py`, `_undo.py` | one resource's step forward, and back |
| `_journal.py`, `_walk.py` | what is written before and after a step; many steps at once in dependency order |
| `_changes.py`, `_aim.py` | what a deployment would change |
| `_policy.py` | stack policies |
| `_api/` | the operations |

Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/ and the user guide.
"""

from fogbank.services.cloudformation.api import CloudFormation
from fogbank.services.cloudformation.engine import TemplateEngine

__all__ = ["CloudFormation", "TemplateEngine"]
