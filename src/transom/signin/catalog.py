"""The catalog of providers: one TOML file each, read strictly. A file that is not right stops the start.

See docs/how-to/add-a-provider.md for the format.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transom.egress.policy import read_rules
from transom.model.errors import Invalid, TransomError
from transom.model.exit import Lists
from transom.model.provider import Card, Provider
from transom.signin import patterns
from transom_wire.codec import WireError, load
from transom_wire.link import CredentialFile, SigninSpec

MAX_FILE = 64 * 1024
"""Bytes of one provider's file."""

TOP = {
    "id",
    "name",
    "title",
    "order",
    "timeout_s",
    "command",
    "companion",
    "patterns",
    "answers",
    "files",
    "network",
}
COMMAND = {"argv", "env"}
COMPANION = {"argv", "port"}
NETWORK = {"allow", "deny"}
PATTERNS = {"url", "code", "done", "failed"}
ANSWER = {"prompt", "keys"}
FILE = {"path", "required", "format", "must_have", "expires"}
SPEC_KEYS = {
    "argv": "command.argv",
    "env": "command.env",
    "companion": "companion.argv",
    "companion_port": "companion.port",
    "url_pattern": "patterns.url",
    "code_pattern": "patterns.code",
    "done_pattern": "patterns.done",
    "failed_pattern": "patterns.failed",
    "provider": "id",
}
"""The wire's field -> the file's key, so that a refusal names what its reader can see."""
MAX_LABEL = 100
"""Characters of a name or a title."""


class CatalogError(TransomError):
    """A provider's file is refused; the message names the file and the key."""

    code = "catalog"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every known provider, by id."""

    providers: Mapping[str, Provider]

    @classmethod
    def load(cls, dirs: Sequence[Path]) -> Catalog:
        """Read every `*.toml` in `dirs`; a later folder's file replaces an earlier one's of the same id.

        A folder that does not exist is empty. Raises CatalogError.
        """
        found: dict[str, Provider] = {}
        for folder in dirs:
            for path in sorted(folder.glob("*.toml")):
                provider = read_provider(path)
                found[provider.id] = provider
        return cls(found)

    def get(self, provider: str) -> Provider | None:
        """The provider of that id, if there is one."""
        return self.providers.get(provider)

    def cards(self) -> list[Card]:
        """What the dashboard shows, in its order."""
        ordered = sorted(self.providers.values(), key=lambda each: (each.order, each.id))
        return [provider.card for provider in ordered]


def read_provider(path: Path) -> Provider:
    """Read one file, whose name is `<id>.toml`. Raises CatalogError."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise CatalogError(f"{path}: larger than {MAX_FILE} bytes")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: cannot be read: {error}") from error
    try:
        provider = parse_provider(table)
    except CatalogError as error:
        raise CatalogError(f"{path}: {error.message}") from error
    if provider.id != path.stem:
        raise CatalogError(f"{path}: id: must be the file's name, {path.stem!r}")
    return provider


def parse_provider(table: Mapping[str, Any]) -> Provider:
    """Turn a parsed file into a Provider. Raises CatalogError that names the key."""
    _only(table, TOP, "")
    command = _section(table, "command", COMMAND)
    companion = _section(table, "companion", COMPANION)
    wanted = _section(table, "patterns", PATTERNS)
    for key in sorted(PATTERNS):
        _pattern(wanted.get(key, ""), f"patterns.{key}")
    if not wanted.get("url") and not wanted.get("code"):
        raise CatalogError("patterns: neither url nor code, so there is nothing to show the user")
    if bool(companion) != ("port" in companion and bool(companion.get("argv"))):
        raise CatalogError("companion: needs both argv and port")
    if not command.get("argv"):
        raise CatalogError("command.argv: missing or empty")
    spec = _spec(
        {
            "provider": table.get("id"),
            "argv": command["argv"],
            "env": command.get("env", {}),
            "companion": companion.get("argv", []),
            "companion_port": companion.get("port"),
            **{f"{key}_pattern": wanted.get(key, "") for key in PATTERNS},
            "answers": _answers(table.get("answers", [])),
            "files": _files(table.get("files", [])),
            "timeout_s": table.get("timeout_s", 900),
        }
    )
    order = table.get("order", 100)
    if not isinstance(order, int) or isinstance(order, bool):
        raise CatalogError("order: not a whole number")
    network = _network(_section(table, "network", NETWORK))
    return Provider(spec.provider, _text(table, "name"), _text(table, "title"), order, spec, network)


def _network(section: Mapping[str, Any]) -> Lists:
    found = {key: section.get(key, []) for key in sorted(NETWORK)}
    for key, texts in found.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise CatalogError(f"network.{key}: not an array of strings")
    try:
        return Lists(read_rules(found["allow"]), read_rules(found["deny"]))
    except Invalid as error:
        raise CatalogError(f"network: {error.message}") from error


def _spec(fields: dict[str, Any]) -> SigninSpec:
    try:
        return load(SigninSpec, fields)
    except WireError as error:
        where, _, why = str(error).partition(": ")
        field = where.rpartition(".")[2]
        raise CatalogError(f"{SPEC_KEYS.get(field, field)}: {why}") from error


def _files(tables: Any) -> list[dict[str, Any]]:
    files = list(_tables(tables, FILE, "files"))
    if not any(file.get("required", True) for file in files):
        raise CatalogError("files: none is required, so a sign-in would never be done")
    for number, file in enumerate(files):
        try:
            load(CredentialFile, file)
        except WireError as error:
            field = str(error).partition(": ")[0].rpartition(".")[2]
            raise CatalogError(f"files[{number}].{field}: {str(error).partition(': ')[2]}") from error
    paths = [file["path"] for file in files]
    if len(set(paths)) != len(paths):
        raise CatalogError("files: the same path twice")
    return files


def _answers(tables: Any) -> dict[str, str]:
    answers: dict[str, str] = {}
    for number, answer in enumerate(_tables(tables, ANSWER, "answers")):
        prompt, keys = answer.get("prompt"), answer.get("keys")
        if not prompt or not isinstance(keys, str) or not keys:
            raise CatalogError(f"answers[{number}]: needs a prompt and keys")
        _pattern(prompt, f"answers[{number}].prompt")
        answers[prompt] = keys
    return answers


def _pattern(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise CatalogError(f"{where}: not a string")
    try:
        patterns.check(value)
    except patterns.PatternError as error:
        raise CatalogError(f"{where}: {error}") from error


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LABEL or not value.isprintable():
        raise CatalogError(f"{key}: must be 1..{MAX_LABEL} printable characters")
    return value


def _section(table: Mapping[str, Any], key: str, allowed: set[str]) -> Mapping[str, Any]:
    section = table.get(key, {})
    if not isinstance(section, dict):
        raise CatalogError(f"{key}: not a table")
    _only(section, allowed, f"{key}.")
    return section


def _tables(value: Any, allowed: set[str], where: str) -> Iterable[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise CatalogError(f"{where}: not an array of tables")
    for number, item in enumerate(value):
        _only(item, allowed, f"{where}[{number}].")
        yield item


def _only(table: Mapping[str, Any], allowed: set[str], prefix: str) -> None:
    unknown = sorted(table.keys() - allowed)
    if unknown:
        raise CatalogError(f"{prefix}{unknown[0]}: unknown key")
