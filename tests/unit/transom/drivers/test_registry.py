from __future__ import annotations

from typing import Any

import pytest

from transom.drivers.registry import Registry
from transom.model.errors import Invalid


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


def registry(*names: str) -> Registry:
    drivers: list[Any] = [Named(name) for name in names]
    return Registry(drivers)


def test_a_driver_is_found_by_its_name() -> None:
    found = registry("namespace", "qemu")
    assert found.names == ("namespace", "qemu")
    assert found.get("qemu").name == "qemu"


def test_an_unknown_name_says_which_are_known() -> None:
    with pytest.raises(Invalid, match="namespace, qemu"):
        registry("namespace", "qemu").get("docker")
    with pytest.raises(Invalid, match="none"):
        registry().get("namespace")
