"""Every error Tidegate raises, by who must act on it.

    GatewayError
      ConfigError              the operator: a setting, a missing file, a missing package
      WireError                the sender: what it wrote can't be followed
        FramingError             ... and the connection has to end
        MessageError             ... and this one message is rejected
      PeerError                the sender: who it is isn't allowed to do this
      SpoolError               the disk: the spool can't be opened, read or written
      DeliveryError            the destination: whose fault it is decides what follows

An error carries facts, not prose; its sentence is made here, in one place. Peer input raises nothing but WireError.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum


class GatewayError(Exception):
    """Root of Tidegate's own errors."""


class ConfigError(GatewayError):
    """Something the operator has to change before Tidegate can run.

    Its text is the command line's form, `what: why; what to do` (design section 5).

    Args:
        what: the setting, file or package.
        why: what is wrong with it.
        fix: what to do about it.
    """

    def __init__(self, what: str, why: str, fix: str = "") -> None:
        super().__init__(f"{what}: {why}; {fix}" if fix else f"{what}: {why}")
        self.what, self.why, self.fix = what, why, fix


class WireError(GatewayError):
    """A peer wrote something that its format's document doesn't allow.

    Args:
        rule: stable, low-cardinality name of the broken rule, also the counter's label: `bad-time`, `missing-key:EventCode`.
        offset: octet of the message (or buffer) at which it shows.
        document: where the rule stands, `RFC 6587 section 3.4.1`.
        detail: the offending text or limit, shortened; never a secret.
    """

    def __init__(self, rule: str, *, offset: int = 0, document: str = "", detail: str = "") -> None:
        super().__init__(rule, offset, document, detail)
        self.rule, self.offset, self.document, self.detail = rule, offset, document, detail

    def __str__(self) -> str:
        return f"octet {self.offset}: {self.rule}{f' {self.detail}' if self.detail else ''}{f' ({self.document})' if self.document else ''}"


class FramingError(WireError):
    """The stream can't be cut into messages any more: the connection has to end."""


class MessageError(WireError):
    """One message can't be understood: it is rejected, the next one may be fine."""


class PeerError(GatewayError):
    """A peer was refused for who it is or what it may not do.

    Args:
        reason: stable, low-cardinality name, also the counter's label.
        peer: its address or identity.
    """

    def __init__(self, reason: str, peer: str) -> None:
        super().__init__(f"{peer}: {reason}")
        self.reason, self.peer = reason, peer


class SpoolError(GatewayError):
    """The spool can't be opened, read or written.

    Args:
        what: the file or operation.
        why: what went wrong.
        fix: what to do about it.
    """

    def __init__(self, what: str, why: str, fix: str = "") -> None:
        super().__init__(f"{what}: {why}; {fix}" if fix else f"{what}: {why}")
        self.what, self.why, self.fix = what, why, fix


class Fault(StrEnum):
    """Why a delivery failed, as far as it decides what to do next."""

    RETRY = "retry"
    """Nobody's: the same may be taken later."""

    REFUSED = "refused"
    """A record's: one of them is refused, and will be however often it is sent."""

    TOO_LARGE = "too-large"
    """Their number's: fewer at once may be taken. Of a single record it is the record's."""

    DENIED = "denied"
    """The configuration's: a key that isn't taken, a table that isn't there. Nothing will be taken until the operator acts."""


class DeliveryError(GatewayError):
    """A destination didn't take what a forwarder sent.

    Args:
        reason: stable, low-cardinality name, also the counter's label.
        fault: whose it is.
        detail: what the destination or the system said, shortened; never a secret.
        taken: how many of the records, from the first on, it surely took before.
        skipped: how many of those it had no form for, and counted.
        retry_after: seconds after which the destination asks to be tried again, as it said them: nobody need obey.
    """

    def __init__(self, reason: str, fault: Fault, *, detail: str = "", taken: int = 0, skipped: int = 0, retry_after: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.fault, self.detail, self.taken, self.skipped, self.retry_after = reason, fault, detail, taken, skipped, retry_after


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The single errors of a group, however deep; an error that is none is its own."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
