from __future__ import annotations

import json

from tests.unit.transom.cli.conftest import FakeServer, Run

LINK = {
    "id": "lnk_a",
    "kind": "view",
    "label": "Bob",
    "created_at": 1_800_000_000_000,
    "expires_at": None,
    "over": None,
    "url": None,
}
LINKS = "/api/sessions/ses_x/links"


def test_a_session_is_shared_for_a_while(transom: Run, server: FakeServer) -> None:
    server.answers["POST", LINKS] = (201, LINK | {"url": "/watch#TOKEN"})
    made = transom("session", "share", "ses_x", "--kind", "view", "--for", "15m")
    assert server.asked[-1] == ("POST", LINKS, {"kind": "view", "label": "", "seconds": 900})
    assert f"{server.url}/watch#TOKEN" in made.stdout
    shown = transom("session", "share", "ses_x", "--kind", "ask", "--label", "Bob", "--json")
    assert server.asked[-1] == ("POST", LINKS, {"kind": "ask", "label": "Bob"})
    assert json.loads(shown.stdout)["url"] == f"{server.url}/watch#TOKEN"
    for wrong in (("--for", "soon"), ("--kind", "drive")):
        assert transom("session", "share", "ses_x", *wrong).exit_code == 1


def test_links_are_listed_and_withdrawn(transom: Run, server: FakeServer) -> None:
    dead = LINK | {"id": "lnk_b", "over": "this link has expired"}
    server.answers["GET", LINKS] = (200, [LINK, dead])
    assert "this link has expired" in transom("session", "links", "ses_x").stdout
    assert json.loads(transom("session", "links", "ses_x", "--json").stdout) == [LINK, dead]
    for link in ("lnk_a", "lnk_c"):
        server.answers["DELETE", f"{LINKS}/{link}"] = (204, None)
    assert transom("session", "unshare", "ses_x").stdout == "lnk_a is withdrawn\n"
    one = transom("session", "unshare", "ses_x", "lnk_c", "--json")
    assert json.loads(one.stdout) == {"withdrawn": ["lnk_c"]}
