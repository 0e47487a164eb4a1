"""Services: the file a service's command line starts."""

from __future__ import annotations

import re
from typing import Final

from normalizers.plan import Options, Values, Written

REGULAR_FILE: Final = 1

_QUOTED: Final = re.compile(r'"([^"]+)"?')
_PROGRAM_END: Final = re.compile(r"\.(?:exe|sys|dll|com|bat)(?=[ \t\r\n]|\Z)", re.IGNORECASE | re.ASCII)
_WORD: Final = re.compile(r"[^ \t\r\n]+")
_SEPARATOR: Final = re.compile(r"[\\/]")


def image_path(values: Values, _options: Options) -> Written:
    """`cmd_line` as delivered and, if it ends in a name, `service_file`: what is quoted, else up to the first program suffix, else the first word."""
    line = str(values[0])
    bare = line.lstrip(" \t\r\n")
    if quoted := _QUOTED.match(bare):
        path = quoted[1]
    elif end := _PROGRAM_END.search(bare):
        path = bare[: end.end()]
    else:
        word = _WORD.match(bare)
        path = word[0] if word else ""
    last = _SEPARATOR.split(path)[-1]
    if not last:
        return {"cmd_line": line}
    return {"cmd_line": line, "service_file.path": path, "service_file.name": last, "service_file.type_id": REGULAR_FILE}
