"""The errors of Systems Manager's Parameter Store.

    SsmError
    ├── InvalidRequestError                a value breaks the model or a rule of the documentation
    ├── AccessDeniedError                  a name that is AWS's own
    ├── ParameterNotFoundError             sent without a text, as AWS does
    ├── ParameterVersionNotFoundError
    ├── ParameterExistsError               it is there, and overwriting was not asked for
    ├── ParameterLimitError                10,000 standard parameters in a region
    ├── VersionLimitError                  the oldest of 100 versions has a label
    ├── LabelLimitError                    more than ten labels on a version
    ├── HierarchyLevelError                more than 15 levels
    ├── HierarchyTypeError                 another type than the parameter has
    ├── PatternMismatchError               the value does not match the allowed pattern
    ├── InvalidPatternError                the allowed pattern is no regular expression
    ├── InvalidFilterKeyError, InvalidFilterOptionError, InvalidFilterValueError
    ├── InvalidNextTokenError
    ├── InvalidResourceIdError             tags of a parameter that is not there
    └── TooManyTagsError                   more than 50 tags

All are answered with status 400.
"""

from __future__ import annotations

from fogbank.core.errors import ApiError


class SsmError(ApiError):
    """An error of Systems Manager."""


class InvalidRequestError(SsmError):
    """A value breaks the model or a rule of the documentation."""

    code = "ValidationException"


class AccessDeniedError(SsmError):
    """A name that is AWS's own."""

    code = "AccessDeniedException"


class ParameterNotFoundError(SsmError):
    """No such parameter."""

    code = "ParameterNotFound"

    def __init__(self) -> None:
        super().__init__("")


class ParameterVersionNotFoundError(SsmError):
    """No such version or label of the parameter."""

    code = "ParameterVersionNotFound"


class ParameterExistsError(SsmError):
    """It is there, and overwriting was not asked for."""

    code = "ParameterAlreadyExists"

    def __init__(self) -> None:
        super().__init__(
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
        )


class ParameterLimitError(SsmError):
    """Too many parameters in the account and region."""

    code = "ParameterLimitExceeded"

    def __init__(self) -> None:
        super().__init__(
            "You have exceeded the number of parameters for this Amazon Web Services account. "
            "Delete one or more parameters and try again."
        )


class VersionLimitError(SsmError):
    """The oldest of 100 versions has a label, and so cannot make room."""

    code = "ParameterMaxVersionLimitExceeded"

    def __init__(self, name: str, oldest: int) -> None:
        super().__init__(
            f"You attempted to create a new version of {name} by calling the PutParameter API with the overwrite "
            f"flag. Version {oldest}, the oldest version, can't be deleted because it has a label associated with "
            "it. Move the label to another version of the parameter, and try again."
        )


class LabelLimitError(SsmError):
    """More than ten labels on a version."""

    code = "ParameterVersionLabelLimitExceeded"

    def __init__(self) -> None:
        super().__init__(
            "A parameter version can have maximum 10 labels.Move one or more labels to another version and try again."
        )


class HierarchyLevelError(SsmError):
    """More than 15 levels."""

    code = "HierarchyLevelLimitExceededException"

    def __init__(self) -> None:
        super().__init__("A hierarchy can have a maximum of 15 levels.")


class HierarchyTypeError(SsmError):
    """Another type than the parameter has."""

    code = "HierarchyTypeMismatchException"

    def __init__(self) -> None:
        super().__init__(
            "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change "
            "a parameter from a String type to a SecureString type. You must create a new, unique parameter."
        )


class PatternMismatchError(SsmError):
    """The value does not match the allowed pattern."""

    code = "ParameterPatternMismatchException"

    def __init__(self, pattern: str) -> None:
        super().__init__(f"Parameter value, cannot be validated against allowedPattern: {pattern}")


class InvalidPatternError(SsmError):
    """The allowed pattern is no regular expression."""

    code = "InvalidAllowedPatternException"

    def __init__(self) -> None:
        super().__init__("The request doesn't meet the regular expression requirement.")


class InvalidFilterKeyError(SsmError):
    """A filter that the operation does not have."""

    code = "InvalidFilterKey"


class InvalidFilterOptionError(SsmError):
    """An option that the filter does not have."""

    code = "InvalidFilterOption"


class InvalidFilterValueError(SsmError):
    """A value that the filter cannot have."""

    code = "InvalidFilterValue"


class InvalidNextTokenError(SsmError):
    """A token that the listing did not hand out."""

    code = "InvalidNextToken"

    def __init__(self) -> None:
        super().__init__("The specified token isn't valid.")


class InvalidResourceIdError(SsmError):
    """Tags of a parameter that is not there."""

    code = "InvalidResourceId"

    def __init__(self) -> None:
        super().__init__("The resource ID isn't valid. Verify that you entered the correct ID and try again.")


class TooManyTagsError(SsmError):
    """More than 50 tags."""

    code = "TooManyTagsError"

    def __init__(self) -> None:
        super().__init__("A parameter can have no more than 50 tags.")
