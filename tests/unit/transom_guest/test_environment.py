from __future__ import annotations

from transom_guest.environment import desktop_environment


def test_the_names_that_tools_read() -> None:
    found = desktop_environment("ses_a", 3128, {})
    assert found["SESSION_ID"] == "ses_a"
    assert found["DISPLAY"] == ":1"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        assert found[name] == "http://127.0.0.1:3128"
    for name in ("NO_PROXY", "no_proxy"):
        assert found[name] == "localhost,127.0.0.1,::1"
    assert found["BROWSER"] == "/usr/local/bin/xdg-open"
    assert found["HOME"] == "/home/user"


def test_nothing_is_inherited_but_what_init_may_set() -> None:
    inherited = {
        "TRANSOM_INIT_FD": "3",
        "LD_PRELOAD": "/tmp/x.so",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HTTP_PROXY": "http://elsewhere.example:1",
        "TRANSOM_LINK": "192.168.100.1:4001",
        "XDG_RUNTIME_DIR": "",
    }
    found = desktop_environment("ses_a", 1, inherited)
    assert found["TRANSOM_LINK"] == "192.168.100.1:4001"
    assert found["XDG_RUNTIME_DIR"] == "/run/user/1000"
    assert found["HTTP_PROXY"] == "http://192.168.100.1:1"
    assert not {"TRANSOM_INIT_FD", "LD_PRELOAD", "AWS_SECRET_ACCESS_KEY"} & found.keys()


def test_a_virtual_machines_agent_names_its_address_and_whether_it_is_emulated() -> None:
    assert desktop_environment("", 1, {})["TRANSOM_ADDRESS"] == "127.0.0.1"
    assert "TRANSOM_EMULATED" not in desktop_environment("", 1, {})
    found = desktop_environment("", 1, {"TRANSOM_ADDRESS": "192.168.100.10", "TRANSOM_EMULATED": "1"})
    assert (found["TRANSOM_ADDRESS"], found["TRANSOM_EMULATED"]) == ("192.168.100.10", "1")
