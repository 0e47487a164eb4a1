"""`make sbom`: what Tidegate is made of, as one CycloneDX 1.6 document of its Python packages and its crates, each with version, hashes, licence and purl.

    versions, hashes   of Python packages: run.txt, kerberos.txt and kafka.txt, which pip is held to; of crates: kernel/Cargo.lock, which cargo is held to
    licences, edges    of Python packages: their installed metadata; of crates: `cargo metadata`, along normal and build dependencies of the kernel

Packages that Linux has no use for, and crates that only tests need, are left out. A Python package has the hashes of all the files that its version may be
installed from. The same sources make the same octets: the serial number comes from the content, and there is no time in it. Not in it: what the image has of
Debian, and what wheels bring along inside (SQLite in apsw, OpenSSL in cryptography, librdkafka in confluent-kafka), which goes by its wheel's version.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = ("run.txt", "kerberos.txt", "kafka.txt")
EXTRAS: Final = ("kerberos", "kafka")
PINNED: Final = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)(?: ; ([^\\\n]+))?((?:[ \\\n]*--hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)
HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
LINUX: Final = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
}
TARGET: Final = "x86_64-unknown-linux-gnu"
NAMESPACE: Final = uuid.UUID("5a1c3f0e-6c1f-5b0c-9d3a-5f2d6e0b7a41")

LICENCES: Final = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "ISC License": "ISC",
    "MIT/Apache-2.0": "MIT OR Apache-2.0",  # as Cargo once spelled it
}
"""What packages say that is no SPDX expression."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that Tidegate is made of.

    kind:     `pypi` or `cargo`, its purl's type.
    hashes:   SHA-256, hexadecimal, of the files that it may come from; none for our own crates.
    licence:  an SPDX expression.
    needs:    names of the same kind, with version for crates.
    """

    kind: str
    name: str
    version: str
    hashes: tuple[str, ...]
    licence: str
    needs: tuple[str, ...]

    @property
    def key(self) -> str:
        """What others name it by."""
        return self.name if self.kind == "pypi" else f"{self.name}@{self.version}"


def python_parts(site: Path | None) -> Iterator[Part]:
    """What the locks pin for Linux; `site` is the folder it is installed in, where that isn't this Python's."""
    installed = importlib.metadata.distributions(path=[str(site)]) if site else importlib.metadata.distributions()
    known: dict[str, importlib.metadata.Distribution] = {canonicalize_name(each.name): each for each in installed}
    pinned = {found[1]: found for lock in LOCKS for found in PINNED.finditer((ROOT / "requirements" / lock).read_text())}
    for name, found in sorted(pinned.items()):
        if found[3] and not Marker(found[3]).evaluate(dict(LINUX)):
            continue
        if name not in known:
            raise SystemExit(f"make sbom: {name} is pinned and isn't installed; make setup")
        meta = known[name].metadata
        classifiers = [line for line in meta.get_all("Classifier") or () if line in LICENCES]
        said = next((text for name in ("License-Expression", "License") for text in meta.get_all(name) or () if text), "")
        said = said or " OR ".join(LICENCES[line] for line in classifiers)
        yield Part("pypi", name, found[2], tuple(sorted(HASH.findall(found[4]))), LICENCES.get(said, said), tuple(_needs(known[name].requires or ())))


def _needs(requirements: Iterable[str], extras: Iterable[str] = ("",)) -> Iterator[str]:
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or any(requirement.marker.evaluate(LINUX | {"extra": extra}) for extra in extras):
            yield canonicalize_name(requirement.name)


def rust_parts() -> Iterator[Part]:
    """What the kernel's library is linked from and built with; what asks for nothing of ours comes as `needs` of the binding."""
    command = ["cargo", "metadata", "--manifest-path", str(ROOT / "kernel/Cargo.toml"), "--locked", "--format-version", "1", "--filter-platform", TARGET]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # noqa: S603 - our own words
    hashes = {(each["name"], each["version"]): each.get("checksum") for each in tomllib.loads((ROOT / "kernel/Cargo.lock").read_text())["package"]}
    packages = {each["id"]: each for each in found["packages"]}
    nodes = {each["id"]: [to["pkg"] for to in each["deps"] if any(kind["kind"] != "dev" for kind in to["dep_kinds"])] for each in found["resolve"]["nodes"]}
    reached, ahead = set[str](), [each for each, package in packages.items() if package["name"] == "tidegate-binding"]
    while ahead:
        at = ahead.pop()
        if at not in reached:
            reached.add(at)
            ahead += nodes[at]
    for each in sorted(reached):
        name, version = packages[each]["name"], packages[each]["version"]
        checksum = hashes[name, version]
        needs = tuple(f"{packages[to]['name']}@{packages[to]['version']}" for to in nodes[each])
        licence = packages[each]["license"]
        yield Part("cargo", name, version, (checksum,) if checksum else (), LICENCES.get(licence, licence), needs)


def compose(parts: Iterable[Part]) -> Bom:
    """The document, with an edge for everything that needs something."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(text for extra in EXTRAS for text in project["optional-dependencies"][extra])]
    everything = [*parts]
    tidegate = Part("pypi", "tidegate", project["version"], (), project["license"], tuple(_needs(asked)))
    components = {(part.kind, part.key): _component(part) for part in everything}
    root = _component(tidegate, ComponentType.APPLICATION)
    bom = Bom(components=components.values())
    bom.metadata.component = root
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the schema lets it be absent, its library only in deed
    bom.serial_number = uuid.uuid5(NAMESPACE, repr(sorted((part.kind, part.key, part.hashes) for part in everything)))
    kernel = [component for (kind, key), component in components.items() if kind == "cargo" and key.startswith("tidegate-binding@")]
    bom.register_dependency(root, [*(components["pypi", name] for name in sorted(set(tidegate.needs))), *kernel])
    for part in everything:
        needed = (components.get((part.kind, name)) for name in sorted(set(part.needs)))
        bom.register_dependency(components[part.kind, part.key], [component for component in needed if component])
    return bom


def _component(part: Part, kind: ComponentType = ComponentType.LIBRARY) -> Component:
    purl = PackageURL(part.kind, None, part.name, part.version)
    return Component(
        type=kind,
        name=part.name,
        version=part.version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[LicenseFactory().make_from_string(part.licence)],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in part.hashes],
        properties=[Property(name="tidegate:language", value="Python" if part.kind == "pypi" else "Rust")],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Write Tidegate's software bill of materials.")
    parser.add_argument("output", type=Path, help="the file to write")
    parser.add_argument("--site", type=Path, help="the site-packages that Tidegate is installed in, unless it is this Python's")
    asked = parser.parse_args()
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    parts = [*python_parts(asked.site), *rust_parts()]
    JsonV1Dot6(compose(parts)).output_to_file(str(asked.output), allow_overwrite=True, indent=2)
    sys.stdout.write(f"{asked.output}: {len(parts)} components\n")


if __name__ == "__main__":
    main()
