"""The exceptions every room shares, with the code the platform's error envelope carries."""

from typing import ClassVar


class FieldpostError(Exception):
    """Something a caller can answer. The text is one sentence for a person.

    Attributes:
        code: the stable word of the error envelope (`status-page-and-api`: error codes).
        action: what to do next, one sentence, or None when nothing is left to do.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, *, action: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.action = action


class ValidationError(FieldpostError):
    """An argument is wrong; `field` names it, `reason` says why in a word or two."""

    code = "VALIDATION_ERROR"

    def __init__(self, field: str, reason: str, message: str | None = None) -> None:
        super().__init__(message or f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotFoundError(FieldpostError):
    """There is no such thing."""

    code = "NOT_FOUND"


class DeviceNotFoundError(NotFoundError):
    """There is no device of that name in the running plan."""

    code = "DEVICE_NOT_FOUND"


class ForbiddenError(FieldpostError):
    """The caller's role is too low."""

    code = "FORBIDDEN"


class UnavailableError(FieldpostError):
    """The daemon cannot be reached, or does not answer in time."""

    code = "AGENT_UNAVAILABLE"


class BusyError(FieldpostError):
    """Somebody else holds what is asked for."""

    code = "BUSY"


class NoAnswerError(FieldpostError):
    """The device, or the wire to it, gave no answer that can be used."""

    code = "DEVICE_NO_ANSWER"


class NotWritableError(FieldpostError):
    """The point's profile does not allow writing, or the device itself does not take it."""

    code = "NOT_WRITABLE"
