"""The errors of SNS.

    SnsError
    ├── InvalidParameterError           InvalidParameter, 400: nearly everything that a caller gets wrong
    │   └── UnorderedError              what a FIFO topic must know is absent: refuses a whole batch
    ├── InvalidValueError               ParameterValueInvalid, 400: of message attributes
    ├── NotFoundError                   NotFound, 404: a topic or a subscription that is not there
    ├── ResourceNotFoundError           ResourceNotFound, 404: what tags are asked of
    ├── AuthorizationError              AuthorizationError, 403: only a signed request may end this subscription
    ├── SubscriptionLimitExceededError  SubscriptionLimitExceeded, 403
    ├── FilterPolicyLimitExceededError  FilterPolicyLimitExceeded, 403
    ├── TagLimitExceededError           TagLimitExceeded, 400
    ├── SnsValidationError              ValidationError, 400: what breaks the service model
    └── BatchError                      the whole batch is refused
        ├── EmptyBatchRequestError
        ├── TooManyEntriesInBatchRequestError
        ├── BatchEntryIdsNotDistinctError
        ├── InvalidBatchEntryIdError
        └── BatchRequestTooLongError

Codes and statuses: the service model. Texts are those that AWS sends, as far as they are known from public reports.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class SnsError(ApiError):
    """An error of SNS."""


class InvalidParameterError(SnsError):
    """A parameter breaks a rule; the message follows `Invalid parameter: `."""

    code = "InvalidParameterException"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid parameter: {reason}")


class UnorderedError(InvalidParameterError):
    """What a FIFO topic must know of a message is absent; of one in a batch it refuses the batch, as SQS does."""


class InvalidValueError(SnsError):
    """A message attribute is not in order."""

    code = "InvalidParameterValueException"


class NotFoundError(SnsError):
    """A topic or a subscription that is not there."""

    code = "NotFoundException"
    status = 404


class TopicDoesNotExistError(NotFoundError):
    """No topic has this ARN."""

    def __init__(self) -> None:
        super().__init__("Topic does not exist")


class SubscriptionDoesNotExistError(NotFoundError):
    """No subscription has this ARN."""

    def __init__(self) -> None:
        super().__init__("Subscription does not exist")


class ResourceNotFoundError(SnsError):
    """Tags are asked of a topic that is not there."""

    code = "ResourceNotFoundException"
    status = 404

    def __init__(self) -> None:
        super().__init__("Resource does not exist")


class AuthorizationError(SnsError):
    """A subscription that was confirmed with AuthenticateOnUnsubscribe is not ended by a link."""

    code = "AuthorizationErrorException"
    status = 403

    def __init__(self) -> None:
        super().__init__("The subscription requires authentication to be deleted")


class SubscriptionLimitExceededError(SnsError):
    """A topic with large messages has more subscriptions than it may."""

    code = "SubscriptionLimitExceededException"
    status = 403


class FilterPolicyLimitExceededError(SnsError):
    """A topic or an account has more filter policies than it may."""

    code = "FilterPolicyLimitExceededException"
    status = 403


class TagLimitExceededError(SnsError):
    """A topic would have more than 50 tags."""

    code = "TagLimitExceededException"

    def __init__(self) -> None:
        super().__init__("Could not complete request: tag quota of per resource exceeded")


class SnsValidationError(SnsError):
    """A request that breaks the service model."""

    code = "ValidationError"


class BatchError(SnsError):
    """The whole batch is refused."""


class EmptyBatchRequestError(BatchError):
    """A batch without entries."""

    code = "EmptyBatchRequestException"

    def __init__(self) -> None:
        super().__init__("The batch request doesn't contain any entries.")


class TooManyEntriesInBatchRequestError(BatchError):
    """A batch of more than ten entries."""

    code = "TooManyEntriesInBatchRequestException"

    def __init__(self) -> None:
        super().__init__("The batch request contains more entries than permissible.")


class BatchEntryIdsNotDistinctError(BatchError):
    """Two entries of a batch have one id."""

    code = "BatchEntryIdsNotDistinctException"

    def __init__(self) -> None:
        super().__init__("Two or more batch entries in the request have the same Id.")


class InvalidBatchEntryIdError(BatchError):
    """An entry's id is too long or has other characters than it may."""

    code = "InvalidBatchEntryIdException"

    def __init__(self) -> None:
        super().__init__("The Id of a batch entry in a batch request doesn't abide by the specification.")


class BatchRequestTooLongError(BatchError):
    """The messages of a batch are too long together."""

    code = "BatchRequestTooLongException"

    def __init__(self) -> None:
        super().__init__("The length of all the batch messages put together is more than the limit.")
