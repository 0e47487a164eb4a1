"""The rendered text of the required events as data: sentence, sections, labels, and the EventData name behind each label.

Source: the English message texts of Microsoft-Windows-Security-Auditing, Service Control Manager and
Microsoft-Windows-Security-Netlogon, as the Windows security audit documentation prints them. A `Label` may have several spellings:
the first is the one Windows writes for that event, the others are read as well.

Kept as Windows has it: 4756 labels its group lines Account Name and Account Domain, 4757 doesn't; 4726 writes `Privileges` without
a colon; 4730 heads its group `Deleted Group`; 4776, 7045 and 8004 have no sections; version 1 of 4728, 4732 and 4756 ends with an
expiration time; 8004 ends with advice, which is no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wire.providers import SECURITY_AUDITING, SECURITY_NETLOGON, SERVICE_CONTROL_MANAGER


@dataclass(frozen=True, slots=True)
class Label:
    """One line of a text.

    name:       the EventData name.
    spellings:  how the line is labelled, the first when writing.
    colon:      whether Windows writes a colon after it; read either way where it doesn't.
    optional:   a line that not every version of the event has.
    """

    name: str
    spellings: tuple[str, ...]
    colon: bool = True
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the lines under it.

    headings:  its spellings, the first when writing; none for lines that stand under no heading.
    labels:    in the order they are written.
    """

    headings: tuple[str, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class MessageText:
    """One event's text.

    sentence:  its first line.
    sections:  in the order they are written.
    gap:       what stands between a label's colon and its value.
    absent:    what Windows writes where the event has no value.
    advice:    how trailing prose begins that carries no data; empty for none.
    providers: whose event it is; another provider's event of the same ID has another text.
    """

    sentence: str
    sections: tuple[Section, ...]
    gap: str = "\t\t"
    absent: str = "-"
    advice: str = ""
    providers: tuple[str, ...] = (SECURITY_AUDITING,)


def _account(sid: str, name: str, domain: str) -> tuple[Label, ...]:
    return Label(sid, ("Security ID",)), Label(name, ("Account Name",)), Label(domain, ("Account Domain",))


_SUBJECT = Section(("Subject",), (*_account("SubjectUserSid", "SubjectUserName", "SubjectDomainName"), Label("SubjectLogonId", ("Logon ID",))))
_MEMBER = Section(("Member",), (Label("MemberSid", ("Security ID",)), Label("MemberName", ("Account Name",))))
_TARGET = _account("TargetSid", "TargetUserName", "TargetDomainName")
_PRIVILEGES = Label("PrivilegeList", ("Privileges",))
_ADDITIONAL = Section(("Additional Information",), (_PRIVILEGES,))
_EXPIRATION = Label("MembershipExpirationTime", ("Expiration time", "Membership Expiration Time"), optional=True)


def _group(headings: tuple[str, ...] = ("Group", "Deleted Group"), *, named: str = "Group", other: str = "Account") -> Section:
    return Section(
        headings,
        (
            Label("TargetSid", ("Security ID",)),
            Label("TargetUserName", (f"{named} Name", f"{other} Name")),
            Label("TargetDomainName", (f"{named} Domain", f"{other} Domain")),
        ),
    )


def _member_change(verb: str, kind: str, group: Section, *, expires: bool = False) -> MessageText:
    additional = Section(("Additional Information",), (_PRIVILEGES, _EXPIRATION)) if expires else _ADDITIONAL
    return MessageText(f"A member was {verb} a {kind} group.", (_SUBJECT, _MEMBER, group, additional))


def _group_deleted(kind: str, group: Section) -> MessageText:
    return MessageText(f"A {kind} group was deleted.", (_SUBJECT, group, _ADDITIONAL))


MESSAGE_TEXTS: Final = {
    "4726": MessageText(
        "A user account was deleted.",
        (_SUBJECT, Section(("Target Account",), _TARGET), Section(("Additional Information",), (Label("PrivilegeList", ("Privileges",), colon=False),))),
    ),
    "4728": _member_change("added to", "security-enabled global", _group(), expires=True),
    "4729": _member_change("removed from", "security-enabled global", _group()),
    "4730": _group_deleted("security-enabled global", _group(("Deleted Group", "Group"))),
    "4732": _member_change("added to", "security-enabled local", _group(), expires=True),
    "4733": _member_change("removed from", "security-enabled local", _group()),
    "4743": MessageText("A computer account was deleted.", (_SUBJECT, Section(("Target Computer",), _TARGET), _ADDITIONAL)),
    "4753": _group_deleted("security-disabled global", _group()),
    "4756": _member_change("added to", "security-enabled universal", _group(named="Account", other="Group"), expires=True),
    "4757": _member_change("removed from", "security-enabled universal", _group()),
    "4758": _group_deleted("security-enabled universal", _group()),
    "4763": _group_deleted("security-disabled universal", _group()),
    "4776": MessageText(
        "The computer attempted to validate the credentials for an account.",
        (
            Section(
                (),
                (
                    Label("PackageName", ("Authentication Package",)),
                    Label("TargetUserName", ("Logon Account",)),
                    Label("Workstation", ("Source Workstation",)),
                    Label("Status", ("Error Code",)),
                ),
            ),
        ),
        gap="\t",
        absent="",
    ),
    "7045": MessageText(
        "A service was installed in the system.",
        (
            Section(
                (),
                (
                    Label("ServiceName", ("Service Name",)),
                    Label("ImagePath", ("Service File Name",)),
                    Label("ServiceType", ("Service Type",)),
                    Label("StartType", ("Service Start Type",)),
                    Label("AccountName", ("Service Account",)),
                ),
            ),
        ),
        gap="  ",
        absent="",
        providers=(SERVICE_CONTROL_MANAGER,),
    ),
    "8004": MessageText(
        "Domain Controller Blocked Audit: Audit NTLM authentication to this domain controller.",
        (
            Section(
                (),
                (
                    Label("SChannelName", ("Secure Channel name",)),
                    Label("UserName", ("User name",)),
                    Label("DomainName", ("Domain name",)),
                    Label("WorkstationName", ("Workstation name",)),
                    Label("SChannelType", ("Secure Channel type",)),
                ),
            ),
        ),
        gap=" ",
        absent="NULL",
        advice="Audit NTLM",
        providers=(SECURITY_NETLOGON, "Microsoft-Windows-NTLM"),
    ),
}
"""Event ID to its text."""


def labelled_names(event_id: str, provider: str) -> frozenset[str]:
    """The EventData names that the event's text always has; none for an event without such a text, or another provider's."""
    text = MESSAGE_TEXTS.get(event_id)
    if text is None or provider not in text.providers:
        return frozenset()
    return frozenset(label.name for section in text.sections for label in section.labels if not label.optional)
