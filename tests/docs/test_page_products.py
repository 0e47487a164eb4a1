"""Configurations of other products, as pages show them: read by the product where it is here, else by whatever reads their form.

And each page says what it rests on.
"""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
import xmltodict
import yaml
from support import peers
from support.pages import PAGES, ROOT, Block, read_blocks

BLOCKS = [block for page in PAGES for block in read_blocks(page)]
PRODUCTS = sorted((*ROOT.glob("docs/siem/*.md"), *ROOT.glob("docs/vpn/*.md")))
CA_FILE = re.compile(r"/etc/[\w./-]*\.pem")
DRIVER = re.compile(r'\s*StreamDriver\w*="[^"]*"|\s*defaultNetstreamDriverCAFile="[^"]*"')
"""They name files that have to be there."""


def read_ini(text: str) -> None:
    configparser.ConfigParser(strict=False, allow_no_value=True, delimiters=("=",)).read_string(text)


def read_xml(text: str) -> None:
    xmltodict.parse(f"<page>{text}</page>".replace("=> ", "=&gt; "))


def read_json_lines(text: str) -> None:
    """One object, or several, one after another."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        _, end = decoder.raw_decode(rest)
        rest = rest[end:].strip()


def read_sections(text: str) -> None:
    """NXLog's: sections are closed in order, and what stands in QueryXML is XML."""
    for query in re.findall(r"<QueryXML>(.*?)</QueryXML>", text, re.DOTALL):
        xmltodict.parse(query)
    open_now: list[str] = []
    for closing, name in re.findall(r"^ *<(/?)(\w+)[^>]*>$", text, re.MULTILINE):
        if not closing:
            open_now.append(name)
        else:
            assert open_now.pop() == name
    assert open_now == []


def read_braces(text: str) -> None:
    """Logstash's: strings and comments aside, what is opened is closed."""
    bare = re.sub(r'"[^"\n]*"|#.*', "", text)
    open_now: list[str] = []
    for character in bare:
        if character in "{([":
            open_now.append({"{": "}", "(": ")", "[": "]"}[character])
        elif character in "})]":
            assert open_now.pop() == character
    assert open_now == []


READERS: dict[str, Callable[[str], object]] = {
    "ini": read_ini,
    "xml": read_xml,
    "yaml": yaml.safe_load,
    "json": read_json_lines,
    "ruby": read_braces,
    "apacheconf": read_sections,
}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in READERS], ids=lambda block: block.where)
def test_it_reads_as_what_it_is(block: Block) -> None:
    READERS[block.language](block.text)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "rsyslog"], ids=lambda block: block.where)
def test_rsyslog_reads_it(block: Block, tmp_path: Path) -> None:
    peer = peers.rsyslogd()
    path = tmp_path / "rsyslog.conf"
    path.write_text(DRIVER.sub("", block.text).replace("/var/spool/rsyslog", str(tmp_path)) + '\n*.* action(type="omfile" file="/dev/null")\n')
    read = subprocess.run([*peer.command, "-N1", "-f", str(path)], env=peer.environment, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    assert "error" not in read.stderr.lower()


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "syslog-ng"], ids=lambda block: block.where)
def test_syslog_ng_reads_it(block: Block, tmp_path: Path) -> None:
    peer = peers.syslog_ng()
    authority, path = tmp_path / "ca.pem", tmp_path / "syslog-ng.conf"
    trustme.CA().cert_pem.write_to_path(authority)
    source = 'source s_windows { network(ip("127.0.0.1") port(0)); };'
    path.write_text(f"@version: 3.38\n{source}\n{CA_FILE.sub(str(authority), block.text)}")
    own = [part for option in ("-R", "-c", "-p") for part in (option, str(tmp_path / option))]
    read = subprocess.run([*peer.command, "--syntax-only", f"--cfgfile={path}", *own], env=peer.environment, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr


@pytest.mark.parametrize("page", PRODUCTS, ids=lambda page: page.stem)
def test_a_page_says_what_it_rests_on(page: Path) -> None:
    text = page.read_text()
    assert re.search(r"[Nn]ot tested|not been tried|[Ii]n our tests", text)
    if page.stem != "README":
        assert "https://" in text or "*" in text
        assert "README.md" in text
