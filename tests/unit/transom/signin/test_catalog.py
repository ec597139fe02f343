"""Provider files: read strictly, refused with file and key named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.signin.catalog import Catalog, CatalogError, parse_provider, read_provider
from transom_wire.codec import decode, encode
from transom_wire.link import SigninStart

ROOT = Path(__file__).resolve().parents[4]
GOOD = """
id = "tool"
name = "Tool"
title = "Connect Tool"
[command]
argv = ["tool", "login"]
[patterns]
url = 'https://id\\.example/\\S+'
[[files]]
path = ".tool/auth.json"
"""


def written(folder: Path, text: str, name: str = "tool") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_the_shipped_providers_are_the_cards_of_the_dashboard() -> None:
    cards = Catalog.load([ROOT / "providers"]).cards()
    assert [(card.id, card.title) for card in cards] == [
        ("claude", "Connect Claude Code"),
        ("codex", "Connect Codex"),
        ("gemini", "Connect Gemini"),
        ("demo", "Connect Demo"),
    ]


@pytest.mark.parametrize("folder", ["providers", "tests/support/providers"])
def test_every_shipped_table_fits_the_wire(folder: str) -> None:
    for provider in Catalog.load([ROOT / folder]).providers.values():
        start = SigninStart("flw_1", provider.spec, "key", bytes(32), "who")
        assert decode(encode(start), (SigninStart,)) == start


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    provider = read_provider(written(tmp_path, GOOD))
    assert provider.order == 100
    assert provider.spec.timeout_s == 900
    assert provider.spec.companion_port is None
    assert provider.spec.files[0].required
    assert provider.file_names == {".tool/auth.json"}


def test_a_later_folder_overrides_and_adds(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    written(first, GOOD)
    written(first, GOOD.replace('"tool"\nname', '"other"\nname'), "other")
    written(second, GOOD.replace("Connect Tool", "Connect mine"))
    catalog = Catalog.load([first, second, tmp_path / "missing"])
    assert {card.title for card in catalog.cards()} == {"Connect Tool", "Connect mine"}
    assert catalog.get("tool") == read_provider(second / "tool.toml")
    assert catalog.get("nothing") is None


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "Tool"', 'name = "Tool"\ncolour = "red"', "colour: unknown key"),
        ('id = "tool"', 'id = "Bad Id"', "id:"),
        ('id = "tool"', 'id = "elsewhere"', "id: must be the file's name"),
        ('name = "Tool"', "name = 5", "name:"),
        ('name = "Tool"', 'name = "a\\nb"', "name:"),
        ('title = "Connect Tool"', 'title = ""', "title:"),
        ('name = "Tool"', 'name = "Tool"\norder = "first"', "order:"),
        ('name = "Tool"', 'name = "Tool"\ntimeout_s = 5', "timeout_s:"),
        ('name = "Tool"', 'name = "Tool"\ntimeout_s = true', "timeout_s:"),
        ('["tool", "login"]', "[]", "command.argv:"),
        ('["tool", "login"]', '["tool", 1]', "command.argv:"),
        ('["tool", "login"]', '["tool"]\nshell = true', "command.shell: unknown key"),
        ('["tool", "login"]', '["tool"]\nenv = {A = 1}', "command.env:"),
        ("[command]", "[companion]\nargv = ['x']\n[command]", "companion:"),
        ("[command]", "[companion]\nport = 5\n[command]", "companion:"),
        ("[command]", "[companion]\nargv = ['x']\nport = 99999\n[command]", "companion.port:"),
        ("url = ", "link = ", "patterns.link: unknown key"),
        ("'https://id\\.example/\\S+'", "'(a+)+'", "patterns.url: a repeat inside a repeat"),
        ("'https://id\\.example/\\S+'", "'('", "patterns.url: not a regular expression"),
        ("'https://id\\.example/\\S+'", "''", "patterns: neither url nor code"),
        ("'https://id\\.example/\\S+'", "5", "patterns.url: not a string"),
        ("[[files]]", "[[answers]]\nprompt = '('\nkeys = 'y'\n[[files]]", "answers[0].prompt:"),
        ("[[files]]", "[[answers]]\nprompt = 'x'\n[[files]]", "answers[0]:"),
        ('path = ".tool/auth.json"', 'path = "/etc/passwd"', "files[0].path:"),
        ('path = ".tool/auth.json"', 'path = "../x"', "files[0].path:"),
        ('path = ".tool/auth.json"', 'path = "x"\nformat = "xml"', "files[0].format:"),
        ('path = ".tool/auth.json"', 'path = "x"\nmode = 6', "files[0].mode: unknown key"),
        ('path = ".tool/auth.json"', 'path = "x"\nrequired = false', "files: none is required"),
        ('path = ".tool/auth.json"', 'path = "x"\n[[files]]\npath = "x"', "files: the same path twice"),
        ('[[files]]\npath = ".tool/auth.json"', "", "files: none is required"),
        ("[command]", "[command", "cannot be read"),
    ],
)
def test_what_is_wrong_is_refused_by_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(CatalogError) as caught:
        Catalog.load([tmp_path])
    assert str(path) in caught.value.message
    assert key in caught.value.message


def test_a_huge_or_binary_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "#" * 100_000)
    with pytest.raises(CatalogError, match="larger"):
        read_provider(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError, match="cannot be read"):
        read_provider(path)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["id", "name", "title", "order", "timeout_s", "command", "companion", "patterns", "answers", "files"]
)


@given(st.dictionaries(KEYS, VALUES))
def test_any_table_is_a_provider_or_a_named_refusal(table: dict[str, object]) -> None:
    whole = {
        "id": "tool", "name": "T", "title": "T", "command": {"argv": ["t"]}, "patterns": {"url": "x"},
        "files": [{"path": "a"}],
    }  # fmt: skip
    try:
        parse_provider(whole | table)
    except CatalogError as error:
        assert ":" in error.message
