"""Settings of the Elasticsearch and OpenSearch destination."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from forwarders.http.settings import HttpSettings, SecretValue, ServerUrl, written_as
from pipeline.settings import Secret, Size

Part = Annotated[str, written_as(r"[a-z0-9_][a-z0-9_.]{0,99}", "tidegate.windows")]
"""Of a data stream's name (Elastic, "Data stream naming scheme"): no upper case, no dash."""

IndexName = Annotated[str, written_as(r"[a-z0-9.][a-z0-9._-]{0,254}", "identity-events")]


class Encoding(StrEnum):
    """What a record is written as."""

    ECS = "ecs"
    OCSF = "ocsf"


class ElasticSettings(HttpSettings):
    """Elasticsearch or OpenSearch, by the bulk API.

    url:                 of the cluster, with its path where a proxy gives it one.
    api_key:             as Kibana shows it encoded; Elasticsearch alone.
    username, password:  instead of it.
    encoding:            `ecs`: documents of the Elastic Common Schema; `ocsf`: the records as they are, with an @timestamp.
    dataset, namespace:  of the data streams `logs-DATASET-NAMESPACE`; the dataset is the record's kind's unless given.
    index:               a data stream, alias or index of another name for all records, instead of those.
    pipeline:            ingest pipeline that documents go through.
    """

    profile: Literal["elastic", "opensearch"]
    url: ServerUrl
    api_key: SecretValue | None = None
    username: str | None = None
    password: Secret | None = None
    encoding: Encoding = Encoding.ECS
    dataset: Part | None = None
    namespace: Part = "default"
    index: IndexName | None = None
    pipeline: IndexName | None = None
    batch: Annotated[Size, Field(ge=1024, le=64 << 20)] = 4 << 20

    @property
    def has_credential(self) -> bool:
        return self.api_key is not None or self.password is not None

    @model_validator(mode="after")
    def one_credential(self) -> Self:
        """A request says once who we are."""
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.api_key is not None and (self.password is not None or self.profile == "opensearch"):
            raise ValueError("api_key is for Elasticsearch, and there instead of username and password; leave one of them out")
        return self
