"""Display names of providers and the names in System/Provider."""

import pytest

from wire.providers import canonical_provider


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        pytest.param("Microsoft-Windows-Security-Auditing", "Microsoft-Windows-Security-Auditing", id="the name itself"),
        pytest.param("Microsoft Windows security auditing.", "Microsoft-Windows-Security-Auditing", id="classic Splunk's display name"),
        pytest.param("microsoft-windows-security-auditing", "Microsoft-Windows-Security-Auditing", id="case is the agent's"),
        pytest.param("Microsoft-Windows-Service Control Manager", "Service Control Manager", id="a RenderingInfo's name"),
        pytest.param("service control manager ", "Service Control Manager", id="white space around"),
        pytest.param("Contoso-Agent", "Contoso-Agent", id="a provider of no table"),
        pytest.param("SECURİTY-AUDITING", "SECURİTY-AUDITING", id="lower case is ASCII's"),
        pytest.param("", "", id="none"),
    ],
)
def test_canonical_provider(delivered: str, expected: str) -> None:
    assert canonical_provider(delivered) == expected
