"""What the answers of Splunk's HTTP Event Collector mean: its own codes first, the status where there is none.

Document: Splunk Enterprise, Get Data In, "Troubleshoot HTTP Event Collector", possible error codes (code, status, text).

Codes 5, 6, 12, 13 and 15 are about an event. 7 (Incorrect index) is about the index that the configuration names for all of them, and so nobody's
record. 24 and 25 come with 200: the events are taken, the queue is nearly full. An answer that isn't HEC's own is judged by its status, and a good
status without HEC's code is somebody else's: a login page, a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from forwarders.http.answer import Answer, Statuses, parse_object
from pipeline.errors import Fault

CODES: Final[Mapping[int, Fault | None]] = MappingProxyType(
    {
        0: None,  # Success
        1: Fault.DENIED,  # Token disabled
        2: Fault.DENIED,  # Token is required
        3: Fault.DENIED,  # Invalid authorization
        4: Fault.DENIED,  # Invalid token
        5: Fault.REFUSED,  # No data
        6: Fault.REFUSED,  # Invalid data format
        7: Fault.DENIED,  # Incorrect index
        8: Fault.RETRY,  # Internal server error
        9: Fault.RETRY,  # Server is busy
        10: Fault.DENIED,  # Data channel is missing
        11: Fault.DENIED,  # Invalid data channel
        12: Fault.REFUSED,  # Event field is required
        13: Fault.REFUSED,  # Event field cannot be blank
        14: Fault.DENIED,  # ACK is disabled
        15: Fault.REFUSED,  # Error in handling indexed fields
        16: Fault.DENIED,  # Query string authorization is not enabled
        17: Fault.RETRY,  # HEC is healthy: not what was asked
        18: Fault.RETRY,  # HEC is unhealthy, queues are full
        19: Fault.RETRY,  # HEC is unhealthy, ack service unavailable
        20: Fault.RETRY,  # HEC is unhealthy, queues are full, ack service unavailable
        21: Fault.DENIED,  # Invalid token
        22: Fault.DENIED,  # Token disabled
        23: Fault.RETRY,  # Server is shutting down
        24: None,  # HEC queue is approaching its capacity limit
        25: None,  # HEC ACK is approaching its capacity limit
        26: Fault.RETRY,  # HEC queue is at capacity and cannot process any more requests
        27: Fault.RETRY,  # HEC ACK channel is at capacity and cannot process any more requests
    }
)
HEALTHY: Final = 17
STATUSES: Final = Statuses(taken=frozenset())
OK: Final = 200


class HecAnswer(NamedTuple):
    """What an answer comes to: whose fault (None: taken), its code (None: not HEC's own), and the number of its acknowledgement."""

    fault: Fault | None
    code: int | None = None
    ack_id: int | None = None

    @property
    def reason(self) -> str:
        """`hec-9`; empty where the status has to do."""
        return f"hec-{self.code}" if self.code in CODES else ""


def read(answer: Answer) -> HecAnswer:
    """What HEC says to events."""
    said = parse_object(answer)
    code, ack_id = (said.get("code"), said.get("ackId")) if said else (None, None)
    if type(code) is not int or code not in CODES:
        return HecAnswer(STATUSES.fault(answer.status))
    fault = CODES[code]
    if fault is None and answer.status != OK:
        return HecAnswer(STATUSES.fault(answer.status), code)
    return HecAnswer(fault, code, ack_id if type(ack_id) is int else None)


def read_acks(answer: Answer) -> dict[str, object] | None:
    """What /services/collector/ack says: `{"acks": {"7": true}}`, whether each is indexed; None if it says something else."""
    acks = (parse_object(answer) or {}).get("acks")
    return acks if answer.status == OK and isinstance(acks, dict) else None
