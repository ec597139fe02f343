"""Bodies are held to the API's schema, as a complete implementation of JSON Schema would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.firecracker import bodies, schema
from transom_keeper.firecracker.schema import SchemaError
from transom_keeper.firecracker.version import Version

NEW, OLD = Version(1, 17, 0), Version(1, 14, 4)
GOOD: dict[str, dict[str, Any]] = {
    f"{each.method} {each.path}": each.body
    for each in (*bodies.boot(2, 2**30), bodies.pause(), bodies.save(), bodies.load(NEW))
}
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 40) | st.sampled_from(["Full", "File", "Paused", "", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["size", "ops", "y"]), inner),
    max_leaves=4,
)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)


@pytest.mark.parametrize("request_line", GOOD)
def test_takes_what_the_api_takes(request_line: str) -> None:
    method, _, path = request_line.partition(" ")
    schema.check(method, path, GOOD[request_line], NEW)


@pytest.mark.parametrize("request_line", GOOD)
def test_refuses_an_unknown_field_at_every_depth(request_line: str) -> None:
    method, _, path = request_line.partition(" ")
    for index in range(len(list(nodes(GOOD[request_line])))):
        body = json.loads(json.dumps(GOOD[request_line]))
        list(nodes(body))[index]["secret_field"] = "hunter2"
        with pytest.raises(SchemaError, match="unknown field") as caught:
            schema.check(method, path, body, NEW)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("PUT", "/actions", {}, "lacks the field action_type"),
        ("PUT", "/actions", {"action_type": "Explode"}, "none of its values"),
        ("PUT", "/machine-config", {"vcpu_count": 33, "mem_size_mib": 1}, "out of its range"),
        ("PUT", "/machine-config", {"vcpu_count": True, "mem_size_mib": 1}, "not of type integer"),
        ("PUT", "/machine-config", {"vcpu_count": 1, "mem_size_mib": 1, "smt": 0}, "not of type boolean"),
        ("PUT", "/machine-config", [], "not of type object"),
        ("PUT", "/snapshot/load", {"snapshot_path": "/state"}, "exactly one"),
        ("PUT", "/drives/", {}, "not a request"),
        ("GET", "/vm", {}, "not a request"),
        ("PUT", "/mmds", {}, "not a request"),
    ],
)
def test_refuses_what_the_api_refuses(method: str, path: str, body: object, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        schema.check(method, path, body, NEW)


def test_a_field_is_refused_for_a_version_before_its_own() -> None:
    with pytest.raises(SchemaError, match=r"clock_realtime came with a later version"):
        schema.check("PUT", "/snapshot/load", bodies.load(NEW).body, OLD)
    schema.check("PUT", "/snapshot/load", bodies.load(OLD).body, OLD)


def test_the_file_is_a_schema_and_uses_only_known_words() -> None:
    document = schema.document()
    for name, rule in document["$defs"].items():
        jsonschema_rs.meta.validate({"$schema": document["$schema"], "$defs": document["$defs"]} | rule)
        for keyword in rule.keys() - schema.KEYWORDS:
            raise AssertionError(f"{name} uses {keyword}")
    assert set(document["x-requests"].values()) <= set(document["$defs"])


@given(st.sampled_from(sorted(schema.document()["$defs"])), st.data())
def test_agrees_with_a_complete_implementation(name: str, data: st.DataObject) -> None:
    rule = schema.document()["$defs"][name]
    fields = st.dictionaries(st.sampled_from([*rule["properties"], "z"]), ODD)
    value = data.draw(st.sampled_from(list(GOOD.values())) | fields | ODD)
    complete = jsonschema_rs.validator_for({"$defs": schema.document()["$defs"], "$ref": f"#/$defs/{name}"})
    assert complete.is_valid(value) is not any(schema.problems(rule, value, NEW))
