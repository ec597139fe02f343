"""The names that the page gives files, held against the server's rule, whatever they are called at home."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.web.test_modules import WEB, node
from transom_wire.files import HIDDEN, name_fault

NAMED = """
import { plainName } from "./static/js/transfer.js";
const taken = new Set();
const names = JSON.parse(await new Response(process.stdin).text());
console.log(JSON.stringify(names.map((name) => {
    const plain = plainName(name, taken);
    taken.add(plain);
    return plain;
})));
"""
AWKWARD = "\u0308\u0301u e.. /\\\u202e\u2066\u200b\ufeff\0\n\u2028\U0001f600\u65e5CON-_(2)\ud800\udc00"
CHARACTERS = st.characters()
"""Also what is no character yet: it may be one in a newer browser's tables."""
NAMES = st.one_of(
    st.text(st.sampled_from(AWKWARD), max_size=12),
    st.text(CHARACTERS, max_size=12),
    st.builds(
        lambda part, times, end: part * times + end,
        st.text(CHARACTERS),
        st.integers(1, 300),
        st.text(max_size=9),
    ),
    st.sampled_from(["NUL", "con.txt", "a.", "a. ", "...", "~", "-rf", "a:b", "*", "u\u0308", "\u00fc"]),
)


REPLACED = """
import { plainName } from "./static/js/transfer.js";
const none = new Set();
const all = [...Array(0x110000).keys()].filter((code) => plainName(`a${String.fromCodePoint(code)}b`, none) === "a_b");
console.log(JSON.stringify(all));
"""


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest) -> str:
    return node(request)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(NAMES, min_size=10, max_size=80))
def test_each_file_gets_a_name_of_its_own_that_the_server_takes(program: str, names: list[str]) -> None:
    done = subprocess.run(
        [program, "--input-type=module", "-e", NAMED],
        cwd=WEB,
        input=json.dumps(names),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    plain = json.loads(done.stdout)
    assert [(name, name_fault(name)) for name in plain if name_fault(name)] == []
    assert len(set(plain)) == len(names)


def test_the_page_replaces_the_characters_that_the_server_refuses_and_no_other(program: str) -> None:
    done = subprocess.run(
        [program, "--input-type=module", "-e", REPLACED],
        cwd=WEB,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    refused = {code for code in range(0x110000) if HIDDEN.search(chr(code))}
    assert set(json.loads(done.stdout)) == refused | {ord(char) for char in "/\\_"}
