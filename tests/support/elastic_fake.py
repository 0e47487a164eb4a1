"""The bulk API of Elasticsearch and OpenSearch as their documents describe it, strictly: what a cluster would refuse is refused, in its words.

Documents: Elasticsearch, "Bulk index or delete documents", "Use a data stream", "Create API key"; OpenSearch, "Bulk API". Elastic's own client
accepts its answers: tests/forwarders/http/test_elastic_client.py.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from support.http_peer import Asked, Reply

API_KEY: Final = b64encode(b"VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw").decode()
USER, PASSWORD = "gateway", "what only the cluster knows"
CREDENTIALS: Final = (f"ApiKey {API_KEY}", f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}")
CONTENT_TYPES: Final = ("application/json", "application/x-ndjson", "application/vnd.elasticsearch+json", "application/vnd.elasticsearch+x-ndjson")
ACTIONS: Final = frozenset({"create", "index", "update", "delete"})


def problem(status: int, kind: str, reason: str) -> Reply:
    error = {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}
    return Reply(status, orjson.dumps({"error": error, "status": status}), {"content-type": "application/json", "x-elastic-product": "Elasticsearch"})


def refused(status: int, kind: str, reason: str) -> dict[str, object]:
    return {"status": status, "error": {"type": kind, "reason": reason}}


@dataclass
class ElasticFake:
    """A cluster where every `logs-*` is a data stream.

    flavour:   elasticsearch or opensearch.
    scripted:  what the next items get in the place of an honest answer, by document: status, or None for honesty.
    replies:   the same for whole requests.
    most:      octets of a request it takes.
    readonly:  streams that the key may not write to.
    streams:   documents by stream and _id.
    """

    flavour: str = "elasticsearch"
    scripted: list[int | None] = field(default_factory=list)
    replies: list[Reply | None] = field(default_factory=list)
    most: int = 100 << 20
    readonly: frozenset[str] = frozenset()
    streams: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    pipelines: list[str | None] = field(default_factory=list)

    def documents(self) -> list[dict[str, Any]]:
        return [document for stream in self.streams.values() for document in stream.values()]

    def answer(self, asked: Asked) -> Reply:  # noqa: PLR0911 - one for every rule
        if asked.headers.get("authorization") not in CREDENTIALS:
            return problem(401, "security_exception", f"missing authentication credentials for REST request [{asked.path}]")
        if asked.method in ("GET", "HEAD") and asked.path == "/":
            version = {"number": "9.1.0" if self.flavour == "elasticsearch" else "3.2.0", "build_flavor": "default", "build_type": "docker"}
            distribution = {"distribution": "opensearch"} if self.flavour == "opensearch" else {}
            return self._said({"name": "node-1", "cluster_name": "fake", "version": version | distribution, "tagline": "You Know, for Search"})
        reply = self.replies.pop(0) if self.replies else None
        if reply is not None:
            return reply
        if asked.method not in ("POST", "PUT") or not asked.path.endswith("/_bulk"):
            return problem(405, "method_not_allowed", f"Incorrect HTTP method for uri [{asked.path}] and method [{asked.method}]")
        if asked.headers.get("content-type", "").partition(";")[0].strip() not in CONTENT_TYPES:
            return problem(406, "media_type_header_exception", "Content-Type header is not supported")
        if asked.octets > self.most:
            return Reply(413)
        if not asked.body.endswith(b"\n"):
            return problem(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
        return self._bulk(asked)

    def _bulk(self, asked: Asked) -> Reply:
        self.pipelines.append(asked.query.get("pipeline"))
        named = asked.path.removesuffix("/_bulk").strip("/")
        items: list[dict[str, Any]] = []
        lines = iter(asked.body.split(b"\n")[:-1])
        for line in lines:
            action = _object(line)
            if action is None or len(action) != 1 or not ACTIONS.issuperset(action):
                return problem(400, "illegal_argument_exception", f"Malformed action/metadata line [{len(items) + 1}], expected START_OBJECT")
            (kind, about), source = next(iter(action.items())), next(lines, b"")
            items.append({kind: self._item(kind, about, about.get("_index") or named, source)})
        said = {"took": 1, "errors": any("error" in item[kind] for item in items for kind in item), "items": items}
        wanted = asked.query.get("filter_path")
        return self._said(_filtered(said, wanted.split(",")) if wanted else said)

    def _item(self, kind: str, about: dict[str, Any], stream: str, source: bytes) -> dict[str, object]:  # noqa: PLR0911 - one for every rule
        status = self.scripted.pop(0) if self.scripted else None
        if status is not None and status >= 300:
            return refused(status, "scripted_exception", "as scripted")
        if stream in self.readonly:
            return refused(403, "security_exception", "action [indices:data/write/bulk[s]] is unauthorized for API key")
        if kind != "create":
            return refused(400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams")
        document = _object(source)
        if document is None:
            return refused(400, "document_parsing_exception", "[1:1] failed to parse")
        if not isinstance(document.get("@timestamp"), str | int):
            return refused(400, "document_parsing_exception", "[1:1] failed to parse: data stream timestamp field [@timestamp] is missing")
        documents = self.streams.setdefault(stream, {})
        name = about.get("_id", f"auto-{len(documents)}")
        if len(name.encode()) > 512:
            return refused(400, "illegal_argument_exception", "id is too long, must be no longer than 512 bytes")
        if name in documents:
            return refused(409, "version_conflict_engine_exception", f"[{name}]: version conflict, document already exists (current version [1])")
        documents[name] = document
        return {"_index": f".ds-{stream}-000001", "_id": name, "_version": 1, "result": "created", "status": 201}

    def _said(self, body: object) -> Reply:
        product = {"x-elastic-product": "Elasticsearch"} if self.flavour == "elasticsearch" else {}
        kind = "application/vnd.elasticsearch+json;compatible-with=9" if self.flavour == "elasticsearch" else "application/json; charset=UTF-8"
        return Reply(200, orjson.dumps(body), {"content-type": kind, **product})


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _filtered(said: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """`filter_path` ("Common options"): the paths that are kept; `*` is one level, an array is none."""
    kept: dict[str, Any] = {}
    for path in paths:
        _keep(said, kept, path.split("."))
    return kept


def _keep(source: Any, kept: dict[str, Any], steps: list[str]) -> None:
    step, *rest = steps
    for name in source if step == "*" else [step] if step in source else []:
        found = source[name]
        if not rest:
            kept[name] = found
        elif isinstance(found, dict):
            _keep(found, kept.setdefault(name, {}), rest)
        elif isinstance(found, list):
            into = kept.setdefault(name, [{} for _ in found])
            for one, other in zip(found, into, strict=True):
                _keep(one, other, rest)
