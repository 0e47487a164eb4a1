"""The namespaces, actions and other URIs of Windows Event Forwarding ([MS-WSMV] section 2.2.1, DSP0226 annex A). Matched by URI, never by prefix."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
ENUMERATION: Final = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
EVENTING: Final = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
WSMAN: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
MICROSOFT: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
MACHINE_ID: Final = "http://schemas.microsoft.com/wbem/wsman/1/machineid"
SUBSCRIPTION: Final = "http://schemas.microsoft.com/wbem/wsman/1/subscription"
POLICY: Final = "http://schemas.xmlsoap.org/ws/2002/12/policy"
AUTHENTICATION: Final = "http://schemas.microsoft.com/wbem/wsman/1/authentication"
FAULT: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XML: Final = "http://www.w3.org/XML/1998/namespace"
NONE: Final = ""
"""The namespace of a name that has none: QueryList, BookmarkList and what is in them."""

ANONYMOUS: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
SUBSCRIPTION_MANAGER: Final = "http://schemas.microsoft.com/wbem/wsman/1/SubscriptionManager/Subscription"
EVENT_LOG: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/EventLog"
FULL_DUPLEX: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsman/FullDuplex"
EVENT_QUERY: Final = "http://schemas.microsoft.com/win/2004/08/events/eventquery"
EARLIEST: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/bookmark/earliest"
EVENT_ACTION: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Event"
SOURCE_CANCELLING: Final = "http://schemas.xmlsoap.org/ws/2004/08/eventing/SourceCancelling"

ENUMERATE_PATH: Final = "/wsman/SubscriptionManager/WEC"
DELIVERY_PATH: Final = "/wsman/subscriptions/"


class Action(StrEnum):
    """a:Action: what a message is."""

    ENUMERATE = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate"
    ENUMERATE_RESPONSE = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/EnumerateResponse"
    SUBSCRIBE = "http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe"
    EVENTS = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Events"
    HEARTBEAT = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Heartbeat"
    ACK = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Ack"
    SUBSCRIPTION_END = "http://schemas.xmlsoap.org/ws/2004/08/eventing/SubscriptionEnd"
    END = "http://schemas.microsoft.com/wbem/wsman/1/wsman/End"
    FAULT = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"


class SecurityProfile(StrEnum):
    """auth:Authentication/@Profile: how a source is told to authenticate (DSP0226 annex C.3)."""

    KERBEROS = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/spnego-kerberos"
    CERTIFICATE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
