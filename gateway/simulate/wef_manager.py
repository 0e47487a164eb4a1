"""Where simulated machines find their subscriptions: the SubscriptionManager string of Windows' group policy, or a URL alone.

Server=https://gateway.contoso.example:5986/wsman/SubscriptionManager/WEC,Refresh=60,IssuerCA=0123456789abcdef0123456789abcdef01234567
http://gateway.contoso.example:5985
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from listeners.wef.settings import Url, parse_url
from pipeline.errors import ConfigError

REFRESH_S: Final = 60.0
FIX: Final = "write a URL as https://HOST:5986, or the policy's Server=URL,Refresh=SECONDS[,IssuerCA=THUMBPRINT]"

_SECONDS: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_THUMBPRINT: Final = re.compile(r"[0-9A-Fa-f]{40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Manager:
    """A collector as its clients are told of it.

    url:      where they enumerate.
    refresh:  seconds between two enumerations.
    issuer:   SHA-1 in lower-case hexadecimal of the authority whose certificate a client is to show; empty where any will do.
    """

    url: Url
    refresh: float = REFRESH_S
    issuer: str = ""


def parse_manager(text: str) -> Manager:
    """Read it; names of options without regard to case, as Windows does.

    Raises:
        ConfigError: it is neither.
    """
    if "=" not in text.partition("/")[0]:
        return Manager(_url(text, text))
    options = {name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in text.split(","))}
    unknown = sorted(options.keys() - {"server", "refresh", "issuerca"})
    refresh, issuer = options.get("refresh", f"{REFRESH_S:.0f}"), options.get("issuerca", "").replace(" ", "")
    if unknown or not _SECONDS.fullmatch(refresh) or not int(refresh) or (issuer and not _THUMBPRINT.fullmatch(issuer)):
        raise ConfigError(f"subscription manager {text!r}", f"{', '.join(unknown) or 'an option'} can't be understood", FIX)
    return Manager(_url(options.get("server", ""), text), float(refresh), issuer.lower())


def _url(url: str, text: str) -> Url:
    try:
        return parse_url(url)
    except ValueError as error:
        raise ConfigError(f"subscription manager {text!r}", "names no URL", FIX) from error
