"""The errors of SQS.

    SqsError
    ├── InvalidParameterValueError     a value breaks a rule of the documentation
    │   ├── MessageTooLongError
    │   └── UnsendableEntryError       an entry without what a FIFO message must have: refuses the whole batch
    ├── MissingParameterError          a required parameter is absent or empty
    ├── InvalidAttributeNameError      a queue or message attribute that does not exist
    ├── FifoAttributeError             an attribute of high throughput for a standard queue
    ├── TwoEncryptionsError
    ├── InvalidAttributeValueError     a queue attribute out of its range
    ├── QueueDoesNotExistError
    ├── QueueNameExistsError           a queue with this name has other attributes
    ├── PurgeQueueInProgressError      a second purge within 60 seconds
    ├── InvalidMessageContentsError    a character outside of what XML 1.0 allows
    ├── ReceiptHandleIsInvalidError    not a receipt handle, or one of another queue
    ├── MessageNotInflightError        a visibility timeout for a message that is visible
    ├── OverLimitError                 too many messages in flight, or too many actions in a permission
    ├── BatchError                     the whole batch is refused
    │   ├── EmptyBatchRequestError
    │   ├── TooManyEntriesInBatchRequestError
    │   ├── BatchEntryIdsNotDistinctError
    │   ├── InvalidBatchEntryIdError
    │   └── BatchRequestTooLongError
    ├── ResourceNotFoundError          of a message move task: the queue or the task
    └── UnsupportedOperationError

Code and status are those of the service's `awsQueryError` traits: `query_code` is what the query protocol sends and
what clients of the JSON protocol find in `x-amzn-query-error`. The status is the same in both: that was recorded of
PurgeQueueInProgress (403 over JSON too, LocalStack's validated suite) and is inferred for the others. botocore's model
leaves these traits out; they are those of Smithy's.
"""

from __future__ import annotations

from typing import ClassVar

from fogbank.core.errors import ApiError


class SqsError(ApiError):
    """An error of SQS: `code` is its shape's name, `query_code` what the query protocol calls it."""

    query_code: ClassVar[str]


class InvalidParameterValueError(SqsError):
    """A value breaks a rule of the documentation."""

    code = "InvalidParameterValueException"
    query_code = "InvalidParameterValue"


class MissingParameterError(SqsError):
    """A required parameter is absent or empty."""

    code = "MissingRequiredParameterException"
    query_code = "MissingParameter"

    def __init__(self, parameter: str) -> None:
        super().__init__(f"The request must contain the parameter {parameter}.")


class MessageTooLongError(InvalidParameterValueError):
    """A message of `size` bytes passes its queue's maximum; an entry of a batch is told so in other words."""

    def __init__(self, size: int, maximum: int, *, alone: bool) -> None:
        super().__init__(
            f"One or more parameters {'are invalid' if alone else 'cannot be validated'}. "
            f"Reason: Message must be shorter than {maximum} bytes."
        )
        self.size = size


class UnsendableEntryError(InvalidParameterValueError):
    """What a FIFO message must have is absent from an entry: the whole batch is refused, as was recorded."""


class InvalidAttributeNameError(SqsError):
    """A queue or message attribute that does not exist, or not for this type of queue."""

    code = "InvalidAttributeName"
    query_code = "InvalidAttributeName"

    def __init__(self, name: str) -> None:
        super().__init__(f"Unknown Attribute {name}.")


class FifoAttributeError(SqsError):
    """An attribute of high throughput was given to a standard queue."""

    code = "InvalidAttributeName"
    query_code = "InvalidAttributeName"

    def __init__(self, name: str) -> None:
        super().__init__(f"You can specify the {name} only when FifoQueue is set to true.")


class TwoEncryptionsError(SqsError):
    """Both kinds of server-side encryption were asked for at once; AWS calls it a wrong name."""

    code = "InvalidAttributeName"
    query_code = "InvalidAttributeName"

    def __init__(self) -> None:
        super().__init__(
            "You can use one type of server-side encryption (SSE) at one time. "
            "You can either enable KMS SSE or SQS SSE."
        )


class InvalidAttributeValueError(SqsError):
    """A queue attribute has a value that it cannot have."""

    code = "InvalidAttributeValue"
    query_code = "InvalidAttributeValue"


class QueueDoesNotExistError(SqsError):
    """No queue has this name in the account and region."""

    code = "QueueDoesNotExist"
    query_code = "AWS.SimpleQueueService.NonExistentQueue"
    query_message = "The specified queue does not exist for this wsdl version."

    def __init__(self) -> None:
        super().__init__("The specified queue does not exist.")


class QueueNameExistsError(SqsError):
    """A queue with this name exists and differs in an attribute that the request names."""

    code = "QueueNameExists"
    query_code = "QueueAlreadyExists"

    def __init__(self, attribute: str) -> None:
        super().__init__(f"A queue already exists with the same name and a different value for attribute {attribute}")


class PurgeQueueInProgressError(SqsError):
    """The queue was purged less than 60 seconds ago."""

    code = "PurgeQueueInProgress"
    query_code = "AWS.SimpleQueueService.PurgeQueueInProgress"
    status = 403

    def __init__(self, queue_name: str) -> None:
        super().__init__(f"Only one PurgeQueue operation on {queue_name} is allowed every 60 seconds.")


class InvalidMessageContentsError(SqsError):
    """A message holds a character outside of the set that is allowed."""

    code = "InvalidMessageContents"
    query_code = "InvalidMessageContents"


class ReceiptHandleIsInvalidError(SqsError):
    """What was given is not a receipt handle, or belongs to another queue."""

    code = "ReceiptHandleIsInvalid"
    query_code = "ReceiptHandleIsInvalid"
    status = 404


class MessageNotInflightError(SqsError):
    """The message is not in flight: its visibility timeout has passed."""

    code = "MessageNotInflight"
    query_code = "AWS.SimpleQueueService.MessageNotInflight"

    def __init__(self) -> None:
        super().__init__("The specified message isn't in flight.")


class OverLimitError(SqsError):
    """The action passes a limit."""

    code = "OverLimit"
    query_code = "OverLimit"
    status = 403


class BatchError(SqsError):
    """A batch that is refused as a whole."""


class EmptyBatchRequestError(BatchError):
    """The batch holds no entry."""

    code = "EmptyBatchRequest"
    query_code = "AWS.SimpleQueueService.EmptyBatchRequest"

    def __init__(self, entry_type: str) -> None:
        super().__init__(f"There should be at least one {entry_type} in the request.")


class TooManyEntriesInBatchRequestError(BatchError):
    """The batch holds more than ten entries."""

    code = "TooManyEntriesInBatchRequest"
    query_code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"

    def __init__(self, sent: int) -> None:
        super().__init__(f"Maximum number of entries per request are 10. You have sent {sent}.")


class BatchEntryIdsNotDistinctError(BatchError):
    """Two entries have the same id."""

    code = "BatchEntryIdsNotDistinct"
    query_code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"

    def __init__(self, entry_id: str) -> None:
        super().__init__(f"Id {entry_id} repeated.")


class InvalidBatchEntryIdError(BatchError):
    """An entry's id has characters or a length that are not allowed."""

    code = "InvalidBatchEntryId"
    query_code = "AWS.SimpleQueueService.InvalidBatchEntryId"

    def __init__(self) -> None:
        super().__init__(
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long."
        )


class BatchRequestTooLongError(BatchError):
    """The messages of a batch are together longer than one message may be."""

    code = "BatchRequestTooLong"
    query_code = "AWS.SimpleQueueService.BatchRequestTooLong"

    def __init__(self, limit: int, sent: int) -> None:
        super().__init__(f"Batch requests cannot be longer than {limit} bytes. You have sent {sent} bytes.")


class ResourceNotFoundError(SqsError):
    """The queue or the task of a message move does not exist."""

    code = "ResourceNotFoundException"
    query_code = "ResourceNotFoundException"
    status = 404


class UnsupportedOperationError(SqsError):
    """The operation does not fit the state of what it is about."""

    code = "UnsupportedOperation"
    query_code = "AWS.SimpleQueueService.UnsupportedOperation"


def invalid_value(parameter: str, value: object, reason: str) -> InvalidParameterValueError:
    """`Value 11 for parameter MaxNumberOfMessages is invalid. Reason: …`"""
    return InvalidParameterValueError(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")
