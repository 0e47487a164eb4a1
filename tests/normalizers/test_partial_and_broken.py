"""What can't be read whole: labelled where it is kept, filtered where nobody wants it, refused by name where it might be wanted."""

from __future__ import annotations

import json

import pytest

from normalizers.judgement import Verdict
from normalizers.normalizer import Normalizer
from pipeline.model import Origin, Transport
from wire.layouts.detect import BY_NAME
from wire.layouts.layout import Mode, Reading

ORIGIN = Origin("listeners.syslog", Transport.UDP, "192.0.2.1", 1_700_000_000_000_000_000)
SPLUNK = (
    "EventCode={id}\r\nLogfile=Security\r\nSourceName=Microsoft-Windows-Security-Auditing\r\nTimeGenerated=20210315101112.345678-000\r\n"
    "ComputerName=dc01.contoso.example\r\nRecordNumber=7\r\nMessage={text}"
)
WHOLE = (
    "The computer attempted to validate the credentials for an account.\r\n\r\nAuthentication Package:\tP\r\nLogon Account:\tdana\r\n"
    "Source Workstation:\tWKS1\r\nError Code:\t0x0"
)


def labels(text: str) -> object:
    judgement = Normalizer().judge(SPLUNK.format(id=4776, text=text).encode(), ORIGIN)
    assert judgement.mapped is not None
    metadata = judgement.mapped.record["metadata"]
    assert isinstance(metadata, dict)
    return metadata.get("labels")


def test_a_record_of_a_text_that_could_not_be_read_whole_says_so() -> None:
    assert labels(WHOLE) is None
    assert labels(WHOLE[: WHOLE.index("Source")]) == ["parse:partial"]
    assert labels("Der Computer hat versucht, die Anmeldeinformationen zu überprüfen.") == ["parse:partial"]


BROKEN = [
    pytest.param('{"SourceModuleType":"im_msvistalog","EventID":%s,"Message":"cut', id="nxlog-json"),
    pytest.param('{"winlog":{"event_id":"%s","message":"cut', id="winlogbeat-json"),
    pytest.param('{"EventCode": %s, "Message":"cut', id="flat-json"),
    pytest.param("MSWinEventLog\t1\tSecurity\t3\tMon Mar 15 10:11:12 2021\t%s\tMicrosoft-Win", id="snare"),
    pytest.param("EventCode=%s\r\nLogfile=Security\r\nMessage=cut", id="splunk"),
    pytest.param("AgentDevice=WindowsLog\tPluginVersion=7\tEventID=%s\tMessage=cut", id="qradar"),
    pytest.param("CEF:0|Microsoft|Microsoft Windows||Microsoft-Windows-Security-Auditing:%s|cut|Low|", id="cef"),
    pytest.param("LEEF:2.0|Microsoft|Windows|10|x|aa|EventID=%s\tSource=cut", id="leef"),
    pytest.param("RsaSA\n2021-Mar-15 10:11:12\n%s\ncut", id="rsa"),
]


@pytest.mark.parametrize("payload", BROKEN)
def test_broken_noise_is_filtered_and_a_broken_event_is_refused(payload: str) -> None:
    noise = Normalizer().judge((payload % "4624").encode(), ORIGIN)
    assert (noise.verdict, noise.key and noise.key.event_id) == (Verdict.FILTERED, "4624")
    assert Normalizer().judge((payload % "4776").encode(), ORIGIN).verdict is Verdict.REJECTED
    assert Normalizer(keep_all=True).judge((payload % "4624").encode(), ORIGIN).verdict is Verdict.REJECTED


def test_another_devices_message_is_no_noise() -> None:
    judgement = Normalizer().judge(b"LEEF:1.0|Contoso|Firewall|1|4624|externalId=4624\tsrc=192.0.2.7", ORIGIN)
    assert (judgement.verdict, judgement.rule) == (Verdict.REJECTED, "not-a-windows-event")


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        pytest.param({"EventID": 4776, "Provider": "Contoso"}, "missing-key:Channel", id="no-channel"),
        pytest.param({"EventID": 4776, "Channel": "Security"}, "missing-key:Provider", id="no-provider"),
        pytest.param({"EventID": 4624, "Channel": "Security"}, "", id="nobody-wants-it"),
        pytest.param({"EventID": 8004, "Channel": "Contoso/Operational", "Provider": "Contoso"}, "", id="another-providers"),
    ],
)  # fmt: skip
def test_an_event_that_might_be_wanted_is_not_lost_in_silence(event: dict[str, object], rule: str) -> None:
    judgement = Normalizer().judge(json.dumps(event).encode(), ORIGIN)
    assert (judgement.verdict, judgement.rule) == (Verdict.REJECTED if rule else Verdict.FILTERED, rule)


def test_event_xml_without_a_provider_is_not_lost_in_silence() -> None:
    payload = b"<Event><System><Provider/><EventID>4776</EventID><Channel>Security</Channel></System></Event>"
    assert Normalizer().judge(payload, ORIGIN).rule == "missing-key:Provider"


XML = "<Event><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>{id}</EventID><Channel>Security</Channel></System></Event>"


@pytest.mark.parametrize("mode", list(Mode))
def test_a_carried_payload_is_judged_as_itself(mode: Mode) -> None:
    normalizer = Normalizer(reading=Reading(mode=mode))
    message = b"<13>Mar 15 10:11:13 relay shipper: " + json.dumps({"message": XML.format(id=4624)}).encode()
    judgement = normalizer.judge(message, ORIGIN)
    assert (judgement.verdict, judgement.layout, judgement.header.app_name) == (Verdict.FILTERED, BY_NAME["event-xml"], "shipper")


def test_a_carried_payload_that_breaks_a_rule_is_refused_by_it() -> None:
    judgement = Normalizer().judge(json.dumps({"message": "<Event><System>"}).encode(), ORIGIN)
    assert (judgement.verdict, judgement.rule, judgement.offset) == (Verdict.REJECTED, "not-well-formed", 0)


def test_an_original_that_is_broken_leaves_the_members_beside_it() -> None:
    event = {
        "event": {"original": "<Event><System>"},
        "winlog": {"event_id": 4624, "channel": "Security", "provider_name": "Microsoft-Windows-Security-Auditing"},
    }
    judgement = Normalizer().judge(json.dumps(event).encode(), ORIGIN)
    assert (judgement.verdict, judgement.layout) == (Verdict.FILTERED, BY_NAME["winlogbeat-json"])


def test_carriers_within_carriers_are_bounded() -> None:
    message = XML.format(id=4624)
    for _ in range(6):
        message = json.dumps({"message": message})
    assert Normalizer().judge(message.encode(), ORIGIN).rule == "unknown-format"


def test_a_cut_id_is_no_id() -> None:
    assert Normalizer().judge(b'{"EventID":47', ORIGIN).verdict is Verdict.REJECTED
