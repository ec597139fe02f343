"""What a driver is asked and answers is the same wherever its machines are: no path, no process, no descriptor."""

from __future__ import annotations

import dataclasses
import inspect

from transom.model.machine import DriverFlags, MachineSpec, Probe
from transom.model.ports import Driver

LOCAL = ("Path", "Popen", "Process", "socket", "pid", "uid", "folder")


def test_no_call_of_a_driver_has_a_path_or_a_process_in_it() -> None:
    calls = [
        call for name, call in inspect.getmembers(Driver, inspect.isfunction) if not name.startswith("_")
    ]
    assert {"create", "attach", "observe", "destroy"} <= {call.__name__ for call in calls}
    for call in calls:
        for word, kind in call.__annotations__.items():
            assert not any(local in f"{word}: {kind}" for local in LOCAL if word != "keep_folder"), (
                call,
                word,
            )


def test_what_it_is_told_of_a_machine_has_none_either() -> None:
    for told in (MachineSpec, DriverFlags, Probe):
        for field in dataclasses.fields(told):
            assert not any(local in f"{field.name}: {field.type}" for local in LOCAL), field.name
