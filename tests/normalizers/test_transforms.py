"""Transforms: one table each, with what is written for what is read, and arbitrary text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizers.plan import Options, Other, Written
from normalizers.transforms import TESTS, TRANSFORMS
from normalizers.transforms.distinguished_names import parse_dn

TABLE = Options(table={"auto start": 3, "User Request": 1, "0": "LogAlways", "0xc000006a": "INVALID_CREDENTIALS", "0x0": "SUCCESS"}, default=0)
DOMAIN = "S-1-5-21-1-2-3"
NOW_MS = 1_700_000_000_000

LEVI = "CN=Levi\\, Dana,DC=contoso,DC=example"


def service(line: str, path: str, name: str) -> Written:
    return {"cmd_line": line, "service_file.path": path, "service_file.name": name, "service_file.type_id": 1}


#   transform       values                                   written                                                  why
CASES: list[tuple[str, tuple[str | int | None, ...], Written | None, str]] = [
    ("account",     ("dana", None),                          {"name": "dana"},                                        "a name"),
    ("account",     ("CONTOSO\\dana", None),                 {"name": "dana", "domain": "CONTOSO"},                   "DOMAIN\\name"),
    ("account",     ("A\\B\\c", None),                       {"name": "B\\c", "domain": "A"},                         "the first backslash splits"),
    ("account",     ("CONTOSO\\dana", "FABRIKAM"),           {"name": "dana", "domain": "FABRIKAM"},                  "an explicit domain wins"),
    ("account",     (None, "CONTOSO"),                       {"domain": "CONTOSO"},                                   "a domain alone"),
    ("account",     ("\\dana",),                             {"name": "\\dana"},                                      "nothing before the backslash"),
    ("account",     ("dana\\",),                             {"name": "dana\\"},                                      "nothing behind it"),
    ("account",     ("HealthMailbox1@contoso.example",),     {"name": "HealthMailbox1@contoso.example"},              "a UPN stays whole"),
    ("sid",         (f"{DOMAIN}-500",),                      {"": f"{DOMAIN}-500"},                                   "a SID"),
    ("sid",         ("s-1-5-18",),                           {"": "S-1-5-18"},                                        "lower case"),
    ("sid",         (f"%{{{DOMAIN}-9}}",),                   {"": f"{DOMAIN}-9"},                                     "wrapped"),
    ("sid",         ("S-1-0-0",),                            {},                                                      "nobody"),
    ("sid",         ("CONTOSO\\dana",),                      None,                                                    "a name in its place"),
    ("sid",         ("%{S-1-5-18",),                         None,                                                    "half a wrapper"),
    ("sid",         ("S-1-5-١٨",),                           None,                                                    "digits that aren't ASCII"),
    ("logon_id",    ("0x30D5F",),                            {"": "0x30d5f"},                                         "lower case"),
    ("logon_id",    ("0x0",),                                {},                                                      "no session"),
    ("logon_id",    ("199007",),                             None,                                                    "decimal"),
    ("logon_id",    ("0x1" + "0" * 16,),                     None,                                                    "over 64 bits"),
    ("user_type",   ("S-1-5-18", "DC01$"),                   {"": 3},                                                 "Local System"),
    ("user_type",   ("S-1-5-80-1-2", "x"),                   {"": 4},                                                 "a service account"),
    ("user_type",   (f"{DOMAIN}-500", "x$"),                 {"": 2},                                                 "the SID goes before the name"),
    ("user_type",   (f"{DOMAIN}-1500", "x"),                 {"": 0},                                                 "a RID that ends in 500"),
    ("user_type",   (None, "x$"),                            {"": 3},                                                 "a computer"),
    ("user_type",   (None, "x"),                             {"": 0},                                                 "the default"),
    ("keywords",    ("0x8020000000000000",),                 {"": 1},                                                 "audit success"),
    ("keywords",    ("0x8010000000000000",),                 {"": 2},                                                 "audit failure"),
    ("keywords",    ("0x80000000000000",),                   {"": 0},                                                 "classic"),
    ("keywords",    ("Audit Success",),                      None,                                                    "text"),
    ("ntstatus",    ("0x0",),            {"status_id": 1, "status_code": "0x0", "status_detail": "SUCCESS"},          "success"),
    ("ntstatus",    ("0",),              {"status_id": 1, "status_code": "0x0", "status_detail": "SUCCESS"},          "decimal success"),
    ("ntstatus",    ("0xC000006A",),     {"status_id": 2, "status_code": "0xc000006a", "status_detail": "INVALID_CREDENTIALS"}, "upper case"),
    ("ntstatus",    ("-1073741718",),    {"status_id": 2, "status_code": "0xc000006a", "status_detail": "INVALID_CREDENTIALS"}, "negative decimal"),
    ("ntstatus",    ("3221225578",),     {"status_id": 2, "status_code": "0xc000006a", "status_detail": "INVALID_CREDENTIALS"}, "unsigned decimal"),
    ("ntstatus",    ("0x7",),            {"status_id": 2, "status_code": "0x00000007"},                               "an unknown code"),
    ("ntstatus",    ("0x1c000006a",),                        None,                                                    "over 32 bits"),
    ("ntstatus",    ("bad",),                                None,                                                    "no number"),
    ("host",        ("WKS",),                                {"hostname": "WKS"},                                     "a name"),
    ("host",        ("\\\\WKS",),                            {"hostname": "WKS"},                                     "UNC"),
    ("host",        ("192.0.2.7",),                          {"ip": "192.0.2.7"},                                     "IPv4"),
    ("host",        ("\\\\2001:DB8::1",),                    {"ip": "2001:DB8::1"},                                   "IPv6 as delivered"),
    ("host",        ("fe80::1%eth0",),                       {"ip": "fe80::1%eth0"},                                  "IPv6 with zone"),
    ("host",        ("192.0.2.7%a",),                        {"hostname": "192.0.2.7%a"},                             "IPv4 has no zone"),
    ("host",        ("fe80::1%a b",),                        {"hostname": "fe80::1%a b"},                             "no zone"),
    ("host",        ("192.0.2.007",),                        {"hostname": "192.0.2.007"},                             "leading zeros"),
    ("host",        ("\\\\",),                               None,                                                    "nothing behind the backslashes"),
    ("unc",         ("\\\\CONTOSO",),                        {"": "CONTOSO"},                                         "UNC"),
    ("enum",        ("auto start",),                         {"": 3},                                                 "known"),
    ("enum",        ("Automatisch starten",),                {"": Other("Automatisch starten")},                      "localised"),
    ("name",        ("0",),                                  {"": "LogAlways"},                                       "known"),
    ("name",        ("6",),                                  {"": "6"},                                               "unknown"),
    ("words",       ("a\r\n\t\t\tb c",),                     {"": ["a", "b", "c"]},                                   "white space"),
    ("words",       ("a\u00a0b",),                           {"": ["a\u00a0b"]},                                      "only ASCII white space"),
    ("guid",        ("{F59BB999-EC5B}",),                    {"": "f59bb999-ec5b"},                                   "braces and case"),
    ("image_path",  ('"C:\\A b\\c.exe" -k',),              service('"C:\\A b\\c.exe" -k', "C:\\A b\\c.exe", "c.exe"), "quoted"),
    ("image_path",  ("C:\\A b\\c.EXE -k d.exe",),          service("C:\\A b\\c.EXE -k d.exe", "C:\\A b\\c.EXE", "c.EXE"), "up to the first suffix"),
    ("image_path",  ("/usr/bin/x -k",),                    service("/usr/bin/x -k", "/usr/bin/x", "x"),             "the first word"),
    ("image_path",  ("C:\\folder\\ x",),                   {"cmd_line": "C:\\folder\\ x"},                          "no file"),
    ("dn",          (LEVI,),   {"ldap_person.ldap_dn": LEVI, "ldap_person.ldap_cn": "Levi, Dana", "domain": "contoso.example"}, "an escaped comma"),
    ("dn",          ("cn=a\\2Cb",),                          {"ldap_person.ldap_dn": "cn=a\\2Cb", "ldap_person.ldap_cn": "a,b"}, "a hex pair"),
    ("dn",          ("CONTOSO\\dana",),                      None,                                                    "no DN"),
    ("dn_group",    ("CN=Admins,DC=x",),                     {"name": "Admins", "domain": "x"},                       "a group"),
    ("ip",          ("192.0.2.7",),                          {"": "192.0.2.7"},                                       "IPv4"),
    ("ip",          ("2001:DB8::1",),                        {"": "2001:DB8::1"},                                     "IPv6 as delivered"),
    ("ip",          ("0.0.0.0",),                            None,                                                    "nobody's IPv4"),
    ("ip",          ("::",),                                 None,                                                    "nobody's IPv6"),
    ("ip",          ("2001:db8:1111:2222:3333:4444:192.100.100.100",), None,                                          "longer than OCSF takes"),
    ("ip",          ("vpn.contoso.example",),                None,                                                    "a name"),
    ("framed_address", ("10.8.0.23",),                       {"": "10.8.0.23"},                                       "an address"),
    ("framed_address", ("255.255.255.255",),                 {},                                                      "the user chooses"),
    ("framed_address", ("255.255.255.254",),                 {},                                                      "the server chooses"),
    ("framed_address", ("0.0.0.0",),                         None,                                                    "none yet"),
    ("station",     ("203.0.113.77",),                       {"ip": "203.0.113.77"},                                  "IPv4"),
    ("station",     ("2001:db8::77",),                       {"ip": "2001:db8::77"},                                  "IPv6"),
    ("station",     ("ip=203.0.113.77",),                    {"ip": "203.0.113.77"},                                  "ip="),
    ("station",     ("203.0.113.77:4500",),                  {"ip": "203.0.113.77"},                                  "with its port"),
    ("station",     ("IP=203.0.113.77:4500",),               {"ip": "203.0.113.77"},                                  "ip= with its port"),
    ("station",     ("[2001:db8::77]:4500",),                {"ip": "2001:db8::77"},                                  "IPv6 with its port"),
    ("station",     ("[2001:db8::77]",),                     {"ip": "2001:db8::77"},                                  "IPv6 in brackets"),
    ("station",     (" 203.0.113.77 ",),                     {"ip": "203.0.113.77"},                                  "padded"),
    ("station",     ("00-1a-2B-3c-4d-5e",),      {"mac": "00-1A-2B-3C-4D-5E", "name": "00-1a-2B-3c-4d-5e"},           "MAC with dashes"),
    ("station",     ("00:1a:2b:3c:4d:5e",),      {"mac": "00-1A-2B-3C-4D-5E", "name": "00:1a:2b:3c:4d:5e"},           "MAC with colons"),
    ("station",     ("001a.2b3c.4d5e",),         {"mac": "00-1A-2B-3C-4D-5E", "name": "001a.2b3c.4d5e"},              "MAC with dots"),
    ("station",     ("001a2b3c4d5e",),           {"mac": "00-1A-2B-3C-4D-5E", "name": "001a2b3c4d5e"},                "bare MAC"),
    ("station",     ("00-1a:2b-3c:4d-5e",),                  {"name": "00-1a:2b-3c:4d-5e"},                           "mixed separators"),
    ("station",     ("+49 89 5550123",),                     {"name": "+49 89 5550123"},                              "a number"),
    ("station",     ("203.0.113.77:port",),                  {"name": "203.0.113.77:port"},                           "no port"),
    ("realm_account", ("CONTOSO\\dana", None),               {"name": "dana", "domain": "CONTOSO"},                   "DOMAIN\\name"),
    ("realm_account", ("dana@contoso.example",),             {"name": "dana", "domain": "contoso.example"},           "a UPN"),
    ("realm_account", ("d@na@contoso.example", None),        {"name": "d@na", "domain": "contoso.example"},           "the last @ splits"),
    ("realm_account", ("dana", None),                        {"name": "dana"},                                        "a name"),
    ("realm_account", ("@contoso.example", None),            {"name": "@contoso.example"},                            "no name before the @"),
    ("realm_account", ("dana@", None),                       {"name": "dana@"},                                       "no realm behind it"),
    ("realm_account", ("CONTOSO\\dana@lab", None),           {"name": "dana@lab", "domain": "CONTOSO"},               "the backslash goes first"),
    ("realm_account", ("dana", "CONTOSO"),                   {"name": "dana", "domain": "CONTOSO"},                   "a domain of its own"),
    ("realm_account", ("dana@contoso.example", "CONTOSO"),   {"name": "dana", "domain": "CONTOSO"},                   "which wins"),
    ("realm_account", ("dana", "\x01CONTOSO"),               {"name": "dana", "domain": "CONTOSO"},                   "its first octet"),
    ("realm_account", ("dana", "\ufffdCONTOSO"),             {"name": "dana", "domain": "CONTOSO"},                   "its first octet, no ASCII"),
    ("realm_account", ("CONTOSO\\dana", "?CONTOSO"),         {"name": "dana", "domain": "CONTOSO"},                   "its first octet, by User-Name"),
    ("realm_account", ("dana", "\x01"),                      {"name": "dana"},                                        "nothing behind its first octet"),
    ("realm_account", (None, "CONTOSO"),                     None,                                                    "a domain alone"),
    ("sent_time",   ("1714983600", "5", NOW_MS), {"time": 1_714_983_600_000, "metadata.original_time": "1714983600"},   "told"),
    ("sent_time",   (None, "5", NOW_MS),                     {"time": NOW_MS - 5_000},                                "arrival less the delay"),
    ("sent_time",   (None, None, NOW_MS),                    {"time": NOW_MS},                                        "arrival"),
    ("sent_time",   (None, "4294967295", NOW_MS),            None,                                                    "a delay from before 1970"),
    ("sent_time",   ("soon", None, NOW_MS),                  None,                                                    "no number"),
    ("sent_time",   ("4294967296", None, NOW_MS),            None,                                                    "over 32 bits"),
    ("seconds_ms",  ("3723",),                               {"": 3_723_000},                                         "seconds"),
    ("seconds_ms",  ("-1",),                                 None,                                                    "negative"),
    ("seconds_ms",  ("١",),                             None,                                                    "digits that aren't ASCII"),
    ("before",      (NOW_MS, "60"),                          {"": NOW_MS - 60_000},                                   "a minute earlier"),
    ("before",      (1_000, "2"),                            None,                                                    "before 1970"),
    ("before",      (NOW_MS, None),                          None,                                                    "nothing told"),
    ("counter",     ("7", None),                             {"": 7},                                                 "low word"),
    ("counter",     ("1073741824", "1"),                     {"": 5_368_709_120},                                     "both words"),
    ("counter",     ("4294967295", "2147483647"),            {"": 2**63 - 1},                                         "the largest"),
    ("counter",     ("0", "2147483648"),                     None,                                                    "over 63 bits"),
    ("counter",     (None, "1"),                             None,                                                    "high word alone"),
    ("total",       (1, 2),                                  {"": 3},                                                 "a sum"),
    ("total",       (1, None),                               None,                                                    "one is missing"),
    ("total",       (2**63 - 1, 1),                          None,                                                    "over 63 bits"),
    ("terminate_cause", ("User Request",), {"status_code": "1", "status_detail": "User Request", "session.expiration_reason": "User Request"}, "known"),
    ("terminate_cause", ("77",),                             {"status_code": "77"},                                   "a number without name"),
    ("terminate_cause", ("Boredom",),                        None,                                                    "no cause"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "written"), [case[:3] for case in CASES], ids=[f"{case[0]}: {case[3]}" for case in CASES])
def test_transform(name: str, values: tuple[str | int | None, ...], written: Written | None) -> None:
    assert TRANSFORMS[name](values, TABLE) == written


DNS = [
    ("CN=a", [("CN", "a")], "one part"),
    ("cn=a,dc=b", [("CN", "a"), ("DC", "b")], "types in upper case"),
    ("CN=a\\C3\\A9", [("CN", "a\u00e9")], "UTF-8 by hex pairs"),
    ("CN=a+OU=b,DC=c", [("CN", "a"), ("OU", "b"), ("DC", "c")], "several values of one part"),
    ("CN=a+b,DC=c", [("CN", "a+b"), ("DC", "c")], "a plus nobody escaped"),
    ("CN=a, OU=b", [("CN", "a"), ("OU", "b")], "a space behind the comma"),
    ("2.5.4.3=a", [("2.5.4.3", "a")], "an OID"),
    ("CN=", [("CN", "")], "an empty value"),
    ("CN=bob\\0ADEL:1", [("CN", "bob\nDEL:1")], "a deleted object"),
    ("", None, "empty"),
    ("CN", None, "no equals sign"),
    ("CN=a,b", None, "a comma nobody escaped"),
    ("CN=a\\", None, "a backslash at the end"),
]


@pytest.mark.parametrize(("text", "parts"), [case[:2] for case in DNS], ids=[case[2] for case in DNS])
def test_distinguished_name(text: str, parts: list[tuple[str, str]] | None) -> None:
    assert parse_dn(text) == parts


@given(st.lists(st.tuples(st.sampled_from(["CN", "OU", "DC"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=10)), min_size=1, max_size=4))
def test_distinguished_name_round_trip(parts: list[tuple[str, str]]) -> None:
    dn = ",".join(f"{kind}={''.join(f'{chr(92)}{byte:02x}' for byte in value.encode())}" for kind, value in parts)
    assert parse_dn(dn) == parts


GROUP_SIDS = [
    ("S-1-1-0", True, "Everyone"),
    ("S-1-5-11", True, "Authenticated Users"),
    ("S-1-5-32-544", True, "Administrators"),
    (f"{DOMAIN}-512", True, "Domain Admins"),
    (f"{DOMAIN}-527", True, "Enterprise Key Admins"),
    (f"%{{{DOMAIN}-519}}", True, "wrapped"),
    (f"{DOMAIN}-1105", False, "an account"),
    (f"{DOMAIN}-500", False, "Administrator"),
    ("S-1-5-18", False, "Local System"),
    ("S-1-5-32-5440", False, "too long for a builtin"),
    ("CONTOSO\\Domain Admins", False, "a name"),
]


@pytest.mark.parametrize(("sid", "is_group"), [case[:2] for case in GROUP_SIDS], ids=[case[2] for case in GROUP_SIDS])
def test_group_sid(sid: str, is_group: bool) -> None:  # noqa: FBT001 - a column of the table
    assert TESTS["group_sid"](sid, ()) is is_group


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text("\\,=+%{}S-15210xX. \"ab:'\u0661", max_size=60)


@given(st.sampled_from(sorted(TRANSFORMS)), ANY_TEXT.filter(bool), st.none() | ANY_TEXT.filter(bool))
def test_any_text_is_written_or_refused(name: str, first: str, second: str | None) -> None:
    written = TRANSFORMS[name]((first, second, NOW_MS), TABLE)
    assert written is None or all(value not in ("", [], None) or name == "words" for value in written.values())


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@pytest.mark.parametrize(
    "text", [" " * 200_000 + "x", '"' * 200_000, "\\" * 199_999, "CN=a+" * 40_000, ".exe" * 50_000, "S-1" + "-1" * 99_000, "0x" + "0" * 200_000, "1" * 200_000]
)
def test_no_text_is_expensive(name: str, text: str) -> None:
    started = time.process_time()
    TRANSFORMS[name]((text, text, NOW_MS), TABLE)
    for test in TESTS.values():
        test(text, ())
    assert time.process_time() - started < 2, "quadratic work takes minutes here, linear work milliseconds"
