"""What the operations share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fogbank.core.call import Call
from fogbank.core.errors import ApiError
from fogbank.core.models import OperationModel
from fogbank.core.paging import InvalidTokenError, decode_token
from fogbank.core.validation import Constraint, Problem, describe
from fogbank.services.kit import Kit, Service
from fogbank.services.sns import storage as rows
from fogbank.services.sns._metrics import TopicMetrics
from fogbank.services.sns._signing import Signer
from fogbank.services.sns._topics import Topics
from fogbank.services.sns.errors import (
    EmptyBatchRequestError,
    InvalidParameterError,
    SnsValidationError,
    TopicDoesNotExistError,
)
from fogbank.services.sns.model import Topic, TopicKey, topic_key
from fogbank.storage import Tx


class SnsBase(Service):
    """The parts of the service that its operations work with."""

    name: ClassVar[str] = "sns"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.clock = kit.clock
        self.topics = Topics(kit.storage)
        self.signer = Signer(kit)
        self.counts = TopicMetrics(kit.metrics)

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError | None:
        """SNS's own words for a request that breaks the model. A batch without entries is an empty one."""
        if operation.name == "PublishBatch" and any(
            problem.path == ("PublishBatchRequestEntries",) and problem.constraint is Constraint.REQUIRED
            for problem in problems
        ):
            return EmptyBatchRequestError()
        return SnsValidationError(describe(problems))

    async def find_topic(self, call: Call, arn: str) -> Topic:
        """A topic by its ARN, as it is stored."""
        key = topic_key(arn, call.scope)
        return await self.kit.storage.read(lambda tx: need_topic(tx, key))


async def need_topic(tx: Tx, key: TopicKey) -> Topic:
    """A topic; `TopicDoesNotExistError` if there is none."""
    topic = await rows.find_topic(tx, key)
    if topic is None:
        raise TopicDoesNotExistError
    return topic


def after(request: Mapping[str, Any]) -> str:
    """Where a listing goes on."""
    token = request.get("NextToken")
    if not token:
        return ""
    try:
        return decode_token(token, str)
    except InvalidTokenError:
        raise InvalidParameterError("NextToken") from None
