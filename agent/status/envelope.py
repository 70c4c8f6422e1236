"""The platform's envelope as models (status-page-and-api 9.1): around one thing, a list, an error.

A field once published stays; new ones may appear, so everything lets unknown fields through.
"""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Model(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(extra="allow")


class Meta(Model):
    """About the answer, not of it."""

    timestamp: str
    version: str
    request_id: str


class Page(Meta):
    """Of a list: which part it is."""

    skip: int
    limit: int
    total: int


class TelemetryMeta(Meta):
    """Of telemetry: what was asked and how far back the answer is whole."""

    device_id: str
    count: int
    resolution: str
    next_since: str | None
    complete_since: str


class Answer(Model, Generic[T]):
    """The platform's envelope around one thing."""

    success: bool = True
    data: T
    meta: Meta


class Listing(Model, Generic[T]):
    """The envelope around a part of a list."""

    success: bool = True
    data: list[T]
    meta: Page


class Details(Model):
    """Which field of the request is wrong, and why in a word or two."""

    field: str
    reason: str


class Error(Model):
    """What went wrong; programs use the code, people the message."""

    code: str
    message: str
    details: Details | None = None


class ErrorMeta(Model):
    """About an error answer."""

    timestamp: str
    request_id: str


class Failure(Model):
    """The envelope of every 4xx and 5xx."""

    success: bool = False
    error: Error
    meta: ErrorMeta
