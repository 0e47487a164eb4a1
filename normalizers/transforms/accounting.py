"""Values of RADIUS accounting (RFC 2866, RFC 2869): times, counters, causes, and addresses that stand for none. Numbers are 32 bits wide."""

from __future__ import annotations

import re
from typing import Final

from normalizers.plan import Options, Scalar, Values, Written
from normalizers.transforms.hosts import plain_address

SECOND_MS: Final = 1000
MAX_WORD: Final = 2**32 - 1
MAX_LONG: Final = 2**63 - 1
ASSIGNED_ELSEWHERE: Final = ("255.255.255.255", "255.255.255.254")

_NUMBER: Final = re.compile(r"[0-9]{1,10}")


def _word(value: Scalar | None) -> int | None:
    text = str(value)
    number = int(text) if _NUMBER.fullmatch(text) else MAX_WORD + 1
    return number if number <= MAX_WORD else None


def sent_time(values: Values, _options: Options) -> Written | None:
    """(Event-Timestamp, Acct-Delay-Time, arrival in ms): `time`, and `metadata.original_time` where the first says it.

    Without it the packet was first sent Acct-Delay-Time before it arrived (RFC 2866 section 5.2). A delay that reaches back before 1970 is none.
    """
    stamp, delay, arrival = values
    if stamp is not None:
        seconds = _word(stamp)
        return None if seconds is None else {"time": seconds * SECOND_MS, "metadata.original_time": str(stamp)}
    waited = 0 if delay is None else _word(delay)
    if waited is None or not isinstance(arrival, int) or arrival < waited * SECOND_MS:
        return None
    return {"time": arrival - waited * SECOND_MS}


def seconds_ms(values: Values, _options: Options) -> Written | None:
    """Seconds in milliseconds."""
    seconds = _word(values[0])
    return None if seconds is None else {"": seconds * SECOND_MS}


def before(values: Values, _options: Options) -> Written | None:
    """(time in ms, seconds): the time so many seconds earlier, none before 1970."""
    time, seconds = values[0], _word(values[1])
    if not isinstance(time, int) or seconds is None or time < seconds * SECOND_MS:
        return None
    return {"": time - seconds * SECOND_MS}


def counter(values: Values, _options: Options) -> Written | None:
    """(low word, high word): one number; Acct-Input-Gigawords is the high word of Acct-Input-Octets (RFC 2869 section 5.1). At most 63 bits."""
    low, high = _word(values[0]), 0 if len(values) == 1 or values[1] is None else _word(values[1])
    if low is None or high is None or (total := (high << 32) + low) > MAX_LONG:
        return None
    return {"": total}


def total(values: Values, _options: Options) -> Written | None:
    """The sum of all inputs, if none is missing. At most 63 bits."""
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) < len(values) or (found := sum(numbers)) > MAX_LONG:
        return None
    return {"": found}


def terminate_cause(values: Values, options: Options) -> Written | None:
    """Why a session ended: `status_code` the number, `status_detail` and `session.expiration_reason` the name, by the table of names."""
    name = str(values[0])
    code = options.table.get(name)
    if code is not None:
        return {"status_code": str(code), "status_detail": name, "session.expiration_reason": name}
    return {"status_code": name} if _word(name) is not None else None


def framed_address(values: Values, _options: Options) -> Written | None:
    """An address given to a client. What says that another assigns it (RFC 2865 section 5.8) is taken and writes nothing."""
    text = str(values[0])
    return {} if text in ASSIGNED_ELSEWHERE else plain_address(text)
