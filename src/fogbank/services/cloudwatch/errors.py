"""The errors of CloudWatch.

    CloudWatchError
    ├── InvalidValueError            InvalidParameterValue, 400: a value is out of its range or not of its set
    ├── InvalidCombinationError      InvalidParameterCombination, 400: parameters contradict each other
    ├── MissingParameterError        MissingParameter, 400: a required parameter is not there
    ├── RuleError                    ValidationError, 400: what the younger operations call all of these
    ├── InvalidFormatError           InvalidFormat, 400: a text is not the JSON that it should be
    ├── InvalidTokenError            InvalidNextToken, 400
    ├── LimitExceededError           LimitExceeded, 400
    ├── AlarmNotFoundError           ResourceNotFound, 404: sent without a text, as AWS does
    ├── ResourceNotFoundError        ResourceNotFoundException, 404: what tags are asked of
    ├── DashboardNotFoundError       ResourceNotFound, 404
    └── DashboardInvalidError        InvalidParameterInput, 400, with what is wrong in the body

Codes and statuses: the service model. Texts are those that AWS sends, as far as they are known from public reports.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class CloudWatchError(ApiError):
    """An error of CloudWatch."""


class InvalidValueError(CloudWatchError):
    """A value is out of its range or not of its set."""

    code = "InvalidParameterValueException"


class InvalidCombinationError(CloudWatchError):
    """Parameters contradict each other."""

    code = "InvalidParameterCombinationException"


class MissingParameterError(CloudWatchError):
    """A required parameter is not there."""

    code = "MissingRequiredParameterException"


class RuleError(CloudWatchError):
    """A value breaks the model or a rule of the documentation, in the operations that call it so."""

    code = "ValidationError"


class InvalidFormatError(CloudWatchError):
    """A text is not the JSON that it should be."""

    code = "InvalidFormatFault"


class InvalidTokenError(CloudWatchError):
    """A token that no page of this listing handed out."""

    code = "InvalidNextToken"

    def __init__(self) -> None:
        super().__init__("The next token specified is invalid.")


class LimitExceededError(CloudWatchError):
    """A quota is used up."""

    code = "LimitExceededFault"


class AlarmNotFoundError(CloudWatchError):
    """No such alarm; AWS sends no text."""

    code = "ResourceNotFound"
    status = 404

    def __init__(self) -> None:
        super().__init__("")


class ResourceNotFoundError(CloudWatchError):
    """What tags are asked of is not there."""

    code = "ResourceNotFoundException"
    status = 404


class DashboardNotFoundError(CloudWatchError):
    """No such dashboard."""

    code = "DashboardNotFoundError"
    status = 404


class DashboardInvalidError(CloudWatchError):
    """A dashboard's body breaks its rules."""

    code = "DashboardInvalidInputError"
