"""`[normalize]`: what of a record an operator may switch or add."""

from __future__ import annotations

from normalizers.tag_settings import TagSettings
from pipeline.settings import Settings


class NormalizeSettings(Settings):
    """Switches of the output.

    observables:  list the record's users, hosts, addresses, groups and files once more under `observables` (18 to 30 % of a record).
    captions:     write the name beside each number, `class_name` beside `class_uid` (15 to 22 %).
    raw_data:     keep the message itself, up to 64 KiB.
    tenant_uid:   metadata.tenant_uid of every record.
    labels:       metadata.labels of every record.
    tags:         honeytokens and sensitive groups to tag; none are without the table.
    """

    observables: bool = True
    captions: bool = True
    raw_data: bool = False
    tenant_uid: str = ""
    labels: tuple[str, ...] = ()
    tags: TagSettings | None = None
