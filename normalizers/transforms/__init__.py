"""The transforms and tests that mapping rows name, as one table each.

A transform takes values and returns what to write, by suffix below the row's `to`. Nothing to write takes the input all the same; None refuses
it, so that the next transform may try, and else the value goes to `unmapped`. All of them are ASCII by definition: digits are 0 to 9, white space is
space, TAB, CR and LF.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from normalizers.plan import Test, Transform
from normalizers.transforms.accounting import before, counter, framed_address, seconds_ms, sent_time, terminate_cause, total
from normalizers.transforms.accounts import account, group_sid, logon_id, realm_account, sid, user_type
from normalizers.transforms.codes import keywords, ntstatus
from normalizers.transforms.distinguished_names import dn, dn_group
from normalizers.transforms.hosts import host, ip, station, unc
from normalizers.transforms.services import image_path
from normalizers.transforms.texts import const, copy, enum, guid, is_in, is_not_in, name, text, words

TRANSFORMS: Final[Mapping[str, Transform]] = {
    "account": account,
    "before": before,
    "const": const,
    "copy": copy,
    "counter": counter,
    "dn": dn,
    "dn_group": dn_group,
    "enum": enum,
    "framed_address": framed_address,
    "guid": guid,
    "host": host,
    "image_path": image_path,
    "ip": ip,
    "keywords": keywords,
    "logon_id": logon_id,
    "name": name,
    "ntstatus": ntstatus,
    "realm_account": realm_account,
    "seconds_ms": seconds_ms,
    "sent_time": sent_time,
    "sid": sid,
    "station": station,
    "terminate_cause": terminate_cause,
    "text": text,
    "total": total,
    "unc": unc,
    "user_type": user_type,
    "words": words,
}

TESTS: Final[Mapping[str, Test]] = {"group_sid": group_sid, "in": is_in, "not_in": is_not_in}
