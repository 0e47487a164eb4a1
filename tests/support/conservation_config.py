"""The configuration of a gateway with every kind of listener and destination, and the secrets that it shares with them."""

from __future__ import annotations

from typing import Final

SECRET: Final = "what the VPN server shares with us"
HOME_SECRET: Final = "what we share with the next hop"

CONFIG: Final = """
[gateway]
name = "gw1"
state_dir = "state"
drain = "60 s"
[log]
level = "error"
[listeners.syslog]
tcp = ["127.0.0.1:0"]
[listeners.wef]
answer_within = "2 s"
[[listeners.wef.endpoints]]
address = "127.0.0.1:0"
url = "https://localhost:{wef}"
auth = "certificate"
certificate = "server.pem"
key = "server.key"
client_ca = ["ca.pem"]
[[listeners.wef.subscriptions]]
name = "identity"
max_time = "100 ms"
read_existing = true
[listeners.radius]
addresses = ["127.0.0.1:{radius}"]
[[listeners.radius.clients]]
name = "vpn1"
cidr = "127.0.0.1"
secret = "file:secret"
[metrics]
address = "127.0.0.1:0"
[[forwarders]]
name = "archive"
kind = "file"
path = "events.ndjson"
start = "beginning"
[[forwarders]]
name = "http"
kind = "http"
profile = "ndjson"
url = "http://127.0.0.1:{http}/events"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "lossy"
kind = "http"
profile = "ndjson"
url = "http://127.0.0.1:{lossy}/events"
start = "beginning"
quota = "16 KiB"
on_full = "drop-oldest"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "hec"
kind = "http"
profile = "splunk-hec"
url = "http://127.0.0.1:{hec}"
token = "file:hec.token"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "3 s" }}
[[forwarders]]
name = "elastic"
kind = "http"
profile = "elastic"
url = "http://127.0.0.1:{elastic}"
api_key = "file:elastic.key"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "syslog"
kind = "syslog"
address = "tcp://127.0.0.1:{syslog}"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "sensor"
kind = "sensor"
layout = "splunk"
address = "tcp://127.0.0.1:{sensor}"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "relay"
kind = "sensor"
layout = "radius"
address = "udp://127.0.0.1:{relay}"
secret = "file:home.secret"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "tls"
kind = "syslog"
address = "tls://127.0.0.1:{tls}"
server_name = "localhost"
tls = {{ ca = ["ca.pem"] }}
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "udp"
kind = "syslog"
address = "udp://127.0.0.1:{udp}"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "sentinel"
kind = "http"
profile = "sentinel"
url = "http://127.0.0.1:{sentinel}"
rule = "{rule}"
start = "beginning"
identity = {{ tenant = "{tenant}", client_id = "{client}", secret = "file:sentinel.secret", authority = "http://127.0.0.1:{sentinel}" }}
retry = {{ first = "50 ms", longest = "300 ms", timeout = "2 s" }}
[[forwarders]]
name = "kafka"
kind = "kafka"
servers = ["127.0.0.1:{kafka}"]
topic = "{topic}"
start = "beginning"
retry = {{ first = "50 ms", longest = "300 ms", timeout = "1 s" }}
"""
