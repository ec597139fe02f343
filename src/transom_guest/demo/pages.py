"""The issuer's pages. No script, nothing from outside; every value is escaped."""

from __future__ import annotations

from html import escape

from transom_guest.demo.grants import AuthorizeRequest

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of every page. No form-action: the answer to the form redirects to the tool's port."""

_STYLE = """
:root { color-scheme: light dark; font: 20px/1.5 system-ui, sans-serif }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #eef1f6; color: #1b2333 }
main { background: #fff; padding: 2.5rem; border-radius: 1rem; width: min(30rem, 86vw);
  box-shadow: 0 .5rem 2rem #1b233322 }
h1 { margin: 0 0 .5rem; font-size: 1.6rem } p { margin: .25rem 0 1rem }
label { display: block; font-weight: 600; margin: 1rem 0 .25rem }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .7rem .8rem; border: 2px solid #b6c0d4;
  border-radius: .6rem; background: inherit; color: inherit }
input.code { font: 700 1.6rem ui-monospace, monospace; letter-spacing: .15em; text-transform: uppercase }
button { font: inherit; font-weight: 700; width: 100%; margin-top: 1.5rem; padding: .9rem; border: 0;
  border-radius: .6rem; background: #2457d6; color: #fff; cursor: pointer }
button:hover, button:focus-visible { background: #1a44ad } .bad { color: #b3261e; font-weight: 600 }
@media (prefers-color-scheme: dark) { body { background: #11151d; color: #e6eaf2 } main { background: #1b2230 }
  .bad { color: #ff8a80 } }
"""


def page(title: str, body: str) -> bytes:
    """A whole page; `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<main><h1>{escape(title)}</h1>{body}</main></html>"
    ).encode()


def allow_page(request: AuthorizeRequest) -> bytes:
    """The sign-in page: a name, and Allow."""
    return page(
        "Demo sign-in",
        f"<p><strong>{escape(request.client)}</strong> wants to use your demo account. No password is needed."
        '</p><form method="post" action="/authorize" autocomplete="off">'
        f'<input type="hidden" name="request" value="{escape(request.id)}">'
        '<label for="name">Your name</label><input id="name" name="name" placeholder="demo" maxlength="40" autofocus>'
        '<button id="allow" type="submit">Allow</button></form>',
    )


def code_page(error: str = "") -> bytes:
    """Where a user types the code that a tool shows."""
    bad = f'<p class="bad">{escape(error)}</p>' if error else ""
    return page(
        "Enter the code",
        f"<p>Type the code that the tool shows.</p>{bad}"
        '<form method="post" action="/codex/device" autocomplete="off">'
        '<label for="code">Code</label><input class="code" id="code" name="code" maxlength="20" required autofocus>'
        '<button id="allow" type="submit">Allow</button></form>',
    )


def said(title: str, text: str) -> bytes:
    """A page that only says something."""
    return page(title, f"<p>{escape(text)}</p>")
