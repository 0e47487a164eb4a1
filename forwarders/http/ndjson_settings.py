"""Settings of the generic HTTP destination."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from forwarders.http.settings import FieldName, FieldValue, HttpSettings, SecretValue
from pipeline.settings import Secret


class NdjsonSettings(HttpSettings):
    """Any server that takes newline-delimited JSON in a POST.

    headers:             fields of every request.
    secret_headers:      the same, with secrets for values.
    bearer:              token for Authorization: Bearer.
    username, password:  for Authorization: Basic.
    content_type:        what the body is called.
    """

    profile: Literal["ndjson"]
    headers: dict[FieldName, FieldValue] = Field(default_factory=dict)
    secret_headers: dict[FieldName, SecretValue] = Field(default_factory=dict)
    bearer: SecretValue | None = None
    username: str | None = None
    password: Secret | None = None
    content_type: FieldValue = "application/x-ndjson"

    @property
    def has_credential(self) -> bool:
        return bool(self.secret_headers or self.bearer or self.password)

    @model_validator(mode="after")
    def one_authorization(self) -> Self:
        """A request says once who we are."""
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        fields = [*map(str.lower, self.headers), *map(str.lower, self.secret_headers)]
        ways = fields.count("authorization") + (self.bearer is not None) + (self.password is not None)
        if ways > 1 or len(set(fields)) < len(fields):
            raise ValueError("a field is given twice; write Authorization once: bearer, username and password, or a header")
        return self
