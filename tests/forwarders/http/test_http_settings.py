"""`kind = "http"`: what is accepted, that what isn't is refused by name, and that no secret is shown or sent in plain text by mistake."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from forwarders.destination import Promise
from forwarders.http.elastic_settings import ElasticSettings
from forwarders.http.hec_settings import HecSettings
from forwarders.http.ndjson_settings import NdjsonSettings
from forwarders.http.sentinel_settings import SentinelSettings
from forwarders.http.settings import HttpSettings, check_url, is_loopback
from forwarders.settings import ForwarderSettings
from gateway.destinations import DESTINATIONS, describe_destination, make_destination
from pipeline.metrics import Metrics

ADAPTER: TypeAdapter[Any] = TypeAdapter(ForwarderSettings)
URL = "https://intake.contoso.example/in?x=1"
IDENTITY = {"tenant": "contoso.example", "client_id": "app", "secret": b"tell-nobody"}
NDJSON: dict[str, Any] = {"name": "lake", "kind": "http", "profile": "ndjson", "url": URL}
HEC: dict[str, Any] = {"name": "splunk", "kind": "http", "profile": "splunk-hec", "url": "https://s.contoso.example:8088/", "token": b"tell-nobody"}
ELASTIC: dict[str, Any] = {"name": "es", "kind": "http", "profile": "elastic", "url": "https://e.contoso.example/path/", "api_key": b"tell-nobody"}
OPENSEARCH: dict[str, Any] = ELASTIC | {"profile": "opensearch", "api_key": None, "username": "u", "password": b"tell-nobody"}
SENTINEL: dict[str, Any] = {
    "name": "cloud",
    "kind": "http",
    "profile": "sentinel",
    "url": "https://x.ingest.monitor.azure.com",
    "rule": "dcr-" + "0" * 32,
    "identity": IDENTITY,
}


@pytest.mark.parametrize(
    ("table", "kind", "place"),
    [
        (NDJSON | {"bearer": b"tell-nobody"}, NdjsonSettings, "https://intake.contoso.example/in"),
        (HEC, HecSettings, "https://s.contoso.example:8088"),
        (ELASTIC, ElasticSettings, "https://e.contoso.example/path"),
        (OPENSEARCH, ElasticSettings, "https://e.contoso.example/path"),
        (SENTINEL, SentinelSettings, "https://x.ingest.monitor.azure.com"),
    ],
    ids=["ndjson", "splunk-hec", "elastic", "opensearch", "sentinel"],
)
def test_every_profile(table: dict[str, Any], kind: type[HttpSettings], place: str) -> None:
    settings = ADAPTER.validate_python(table)
    assert type(settings) is kind
    assert settings.place == place
    assert settings.promise is Promise.ACKNOWLEDGED
    assert ADAPTER.validate_python(settings) == settings
    assert "tell-nobody" not in repr(settings) + describe_destination(settings)
    assert type(settings) in DESTINATIONS
    assert make_destination(settings, Metrics(), None).limits.octets == settings.batch  # type: ignore[arg-type]  # the spool isn't asked


def test_an_acknowledgement_has_its_time() -> None:
    settings = ADAPTER.validate_python(HEC)
    assert settings.retry.timeout == 300.0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (NDJSON | {"profile": "ndjsn"}, "did you mean 'ndjson'"),
        ({"name": "a", "kind": "http", "url": URL}, "profile is missing"),
        (NDJSON | {"url": "ftp://x"}, "write https://"),
        (NDJSON | {"url": "https://user:tell-nobody@x.example/"}, "apart from it"),
        (NDJSON | {"url": "https://x.example/#f"}, "write https://"),
        (NDJSON | {"url": "https://x.example:99999/"}, "write https://"),
        (NDJSON | {"url": "https://x.example/ a"}, "write https://"),
        (NDJSON | {"url": "http://x.example/", "bearer": b"t"}, "plain text"),
        (NDJSON | {"url": "http://x.example/", "secret_headers": {"X-Key": b"t"}}, "plain text"),
        (HEC | {"url": "http://x.example:8088"}, "plain text"),
        (HEC | {"url": "https://x.example:8088/?a=1"}, "without a query"),
        (NDJSON | {"bearer": "literal"}, "env:NAME"),
        (NDJSON | {"bearer": b"two\nlines"}, "one line"),
        (NDJSON | {"secret_headers": {"X-Key": b"a\r\nb: c"}}, "one line"),
        (NDJSON | {"headers": {"X": "a\r\nb: c"}}, "one line"),
        (NDJSON | {"headers": {"Content-Length": "5"}}, "body or connection"),
        (NDJSON | {"headers": {"transfer-encoding": "x"}}, "body or connection"),
        (NDJSON | {"headers": {"a b": "x"}}, "body or connection"),
        (NDJSON | {"headers": {"X-Key": "1"}, "secret_headers": {"x-key": b"2"}}, "given twice"),
        (NDJSON | {"bearer": b"t", "username": "u", "password": b"p"}, "given twice"),
        (NDJSON | {"bearer": b"t", "headers": {"Authorization": "x"}}, "given twice"),
        (NDJSON | {"username": "u"}, "go together"),
        (NDJSON | {"tls": {"certificate": "x.pem"}}, "go together"),
        (NDJSON | {"tls": {"verify": False}}, "verify"),
        (NDJSON | {"proxy": {"url": "http://p:3128", "username": "u"}}, "go together"),
        (NDJSON | {"batch": 5}, "1024"),
        (ELASTIC | {"username": "u", "password": b"p"}, "leave one of them out"),
        (OPENSEARCH | {"api_key": b"k", "username": None, "password": None}, "leave one of them out"),
        (ELASTIC | {"dataset": "Not-This"}, "tidegate.windows"),
        (ELASTIC | {"index": "../_all"}, "identity-events"),
        (SENTINEL | {"rule": "dcr-12"}, "dcr-000a"),
        (SENTINEL | {"streams": {"NoTable": "Custom-X"}}, "WindowsEvent"),
        (SENTINEL | {"streams": {"WindowsEvent": "a/../b"}}, "Custom-"),
        (SENTINEL | {"batch": 1 << 20}, "1000000"),
        (SENTINEL | {"identity": {"managed": True, "tenant": "t"}}, "leave them out"),
        (SENTINEL | {"identity": {}}, "nobody is meant"),
        (SENTINEL | {"identity": IDENTITY | {"token_file": "x"}}, "nobody is meant"),
        (SENTINEL | {"identity": IDENTITY | {"authority": "http://login.example"}}, "plain text"),
        (SENTINEL | {"identity": IDENTITY | {"tenant": "a/../b"}}, "11111111"),
    ],
)
def test_what_is_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(table)
    assert said in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9200", "http://localhost/x", "http://[::1]:8088/"])
def test_plain_text_stays_on_this_machine(url: str) -> None:
    assert is_loopback(url)
    assert ADAPTER.validate_python(ELASTIC | {"url": url})


@pytest.mark.parametrize("url", ["http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://10.0.0.1/"])
def test_nothing_else_is_this_machine(url: str) -> None:
    assert not is_loopback(url)
    assert ADAPTER.validate_python(NDJSON | {"url": url, "bearer": b"t", "allow_plain_text": True})


@given(st.text() | st.from_regex(r"https?://[^/]*.*", fullmatch=True))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = check_url(text)
    except ValueError:
        return
    assert url.isascii()
    assert url.isprintable()
    assert "@" not in url.split("/")[2]
