"""The HTTP and WebSocket contract of the controller, in front of a fake guest. It can go away and come back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.support.server import free_port
from tests.unit.web.fake_guest import FakeGuest

WEB = Path(__file__).resolve().parents[3] / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SESSION = "ses_aaaaaaaaaaaaaaaaaaaa"
LINK = "lnk_aaaaaaaaaaaaaaaaaaaa"
STAGES = ("accepted", "machine", "guest", "display", "desktop", "browser", "ready")
PROVIDERS = [
    {"id": "claude", "name": "Claude Code", "title": "Connect Claude Code"},
    {"id": "codex", "name": "Codex", "title": "Connect Codex"},
    {"id": "gemini", "name": "Gemini", "title": "Connect Gemini"},
    {"id": "demo", "name": "Demo", "title": "Connect Demo"},
]


NO_POOL = {
    **dict.fromkeys(("least", "most", "target", "making", "parked", "memory_bytes"), 0),
    "hits": 0,
    "misses": 0,
    "failures": 0,
    "last_failure": "",
}


OWN_EXIT = {
    "kind": "upstream",
    "exit": "ext_a",
    "address": "203.0.113.7",
    "address_at": 1,
    "state": "healthy",
    "shared": False,
    "asked": False,
    "word": "",
    "bytes_up": 1200,
    "bytes_down": 3_400_000,
}


class Policy:
    """Adds the content policy to each answer, so that a page that breaks it fails here too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"cache-control", b"no-cache"),
                ]
            await send(message)

        await self._app(scope, receive, with_policy)


class FakeController:
    """One user, one session; what the page asked for is kept for the test to look at."""

    def __init__(self, guest: FakeGuest, vnc_socket: Path) -> None:
        self.guest = guest
        self.port = free_port()
        self.session = new_session()
        self.key: str | None = "good-key"
        self.sockets_refused = False
        self.known = True
        self.heartbeats: list[dict[str, Any]] = []
        self.quality: dict[str, Any] = {"session": SESSION, "viewers": []}
        self.screens: list[dict[str, int]] = []
        self.created: list[tuple[str | None, dict[str, Any]]] = []
        self.calls: list[str] = []
        self.sockets = 0
        self.credentials: list[dict[str, Any]] = []
        self.machines: dict[str, Any] = {"pool": NO_POOL, "funnel": [], "machines": []}
        self.exit: dict[str, Any] = dict(OWN_EXIT)
        self.exits: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = []
        self.looks: list[tuple[str, int]] = []
        self.recorded: dict[str, Any] = {}
        self.timeline: list[dict[str, Any]] = []
        self.segments: dict[int, bytes] = {}
        self.links: list[dict[str, Any]] = []
        self.link_expires_at: int | None = None
        self.away = False
        """No session can be ended just now."""
        self.mute = False
        """Nothing comes of an offer, and no display is there."""
        self._vnc_socket = vnc_socket
        self._answers: dict[tuple[str, int], asyncio.Task[str]] = {}
        self.guests_recorded: dict[str, Any] = {"state": "off", "why": None}
        self._watchers: set[asyncio.Queue[dict[str, Any]]] = set()
        self._tokens: list[dict[str, Any]] = []
        self._users = [{"id": "usr_ada", "name": "ada", "role": "administrator"}]
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- its life

    def start(self) -> None:
        config = uvicorn.Config(
            self._app(), host="127.0.0.1", port=self.port, log_level="critical", lifespan="off"
        )
        self._server = uvicorn.Server(config)

        def run() -> None:
            self._loop = asyncio.new_event_loop()
            assert self._server is not None
            self._loop.run_until_complete(self._server.serve())

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        end = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < end, "the fake controller did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Die: sockets break, nothing answers, nothing is remembered of offers."""
        assert self._server is not None and self._thread is not None and self._loop is not None
        for connection in list(self._server.server_state.connections):
            self._loop.call_soon_threadsafe(connection.transport.abort)
        self._server.force_exit = self._server.should_exit = True
        self._thread.join(timeout=10)
        self._answers.clear()
        self._watchers.clear()

    def change(self, **changes: Any) -> None:
        """Change the session and tell every page."""
        self.session |= changes
        for watcher in list(self._watchers):
            assert self._loop is not None
            message = {"type": "session", "session": dict(self.session)}
            self._loop.call_soon_threadsafe(watcher.put_nowait, message)

    def close_sockets(self, code: int, why: str = "") -> None:
        """End every page's events with this code."""
        for watcher in list(self._watchers):
            assert self._loop is not None
            self._loop.call_soon_threadsafe(
                watcher.put_nowait, {"type": "close", "code": code, "reason": why}
            )

    def leaves(self, **changes: Any) -> None:
        """The user's way out changes, and every page of a session is told."""
        self.exit = {**self.exit, **changes}
        own = {name: value for name, value in self.exit.items() if not name.startswith("bytes_")}
        for watcher in list(self._watchers):
            assert self._loop is not None
            self._loop.call_soon_threadsafe(watcher.put_nowait, {"type": "exit", "exit": own})

    def ready(self) -> None:
        """The machine is up."""
        self.change(state="ready", timeline={stage: 150 * (n + 1) for n, stage in enumerate(STAGES)})

    # -- routes

    def _app(self) -> ASGIApp:
        base, guest = f"/api/webrtc/session/{SESSION}", f"/api/watch/{SESSION}/{LINK}"
        routes = [
            Route("/", page("index.html")),
            Route("/dashboard/remote-cli", page("dashboard.html")),
            Route("/session/{id}", page("session.html")),
            Route("/session/{id}/connect", page("connect.html")),
            Route("/session/{id}/recording", page("recording.html")),
            Route("/watch/{id}/{link}", page("watch.html")),
            Route("/watch/{id}/{link}/connect", page("connect.html")),
            Route("/api/auth/sign-in", self._sign_in, methods=["POST"]),
            Route("/api/auth/sign-out", self._nothing, methods=["POST"]),
            Route("/api/me", self._me),
            Route("/api/providers", self._json(lambda: PROVIDERS)),
            Route("/api/credentials", self._json(lambda: self.credentials)),
            Route("/api/credentials/{provider}", self._forget, methods=["DELETE"]),
            Route("/api/tokens", self._post_token, methods=["POST"]),
            Route("/api/tokens", self._json(lambda: self._tokens)),
            Route("/api/users", self._post_user, methods=["POST"]),
            Route("/api/users", self._json(lambda: self._users)),
            Route("/api/users/{id}/key", self._post_key, methods=["POST"]),
            Route("/api/machines", self._json(lambda: self.machines)),
            Route("/api/machines/{id}/log", self._json(lambda: {"log": "keeper: <b>no display</b>"})),
            Route("/api/exit", self._json(lambda: self.exit)),
            Route("/api/exit/move", self._move_exit, methods=["POST"]),
            Route("/api/exit/{verb}", self._nothing, methods=["POST"]),
            Route("/api/exits", self._post_exits, methods=["POST"]),
            Route("/api/exits", self._json(lambda: self.exits)),
            Route("/api/exits/{id}/{verb}", self._nothing, methods=["POST"]),
            Route("/api/exits/{id}", self._nothing, methods=["DELETE"]),
            Route("/api/alerts", self._json(lambda: self.alerts)),
            Route("/api/alerts/{number}/acknowledge", self._acknowledge, methods=["POST"]),
            Route("/api/sessions", self._create, methods=["POST"]),
            Route("/api/sessions", self._json(lambda: [self.session] if self.known else [])),
            Route("/api/sessions/{id}", self._end, methods=["DELETE"]),
            Route("/api/sessions/{id}", self._get_session),
            Route("/api/sessions/{id}/quality", self._json(lambda: self.quality)),
            Route("/api/sessions/{id}/screen", self._screen, methods=["POST"]),
            Route("/api/sessions/{id}/signin", self._nothing, methods=["POST", "DELETE"]),
            Route("/api/webrtc/ice-servers", self._json(lambda: {"ice_servers": [], "ttl_s": 600})),
            Route(f"{base}/offer", self._offer, methods=["POST"]),
            Route(f"{base}/answer", self._answer),
            Route("/api/auth/session/{id}/heartbeat", self._heartbeat, methods=["POST"]),
            Route("/api/sessions/{id}/recording", self._json(lambda: self.recorded)),
            Route("/api/sessions/{id}/recording/timeline", self._get_timeline),
            Route("/api/sessions/{id}/recording/segments/{number:int}", self._get_segment),
            Route("/api/sessions/{id}/links", self._post_link, methods=["POST"]),
            Route("/api/sessions/{id}/links", self._json(lambda: self.links)),
            Route("/api/sessions/{id}/links/{link}", self._withdraw, methods=["DELETE"]),
            Route(guest, self._json(lambda: {**self.session, "link_expires_at": self.link_expires_at})),
            Route(f"{guest}/ice-servers", self._json(lambda: {"ice_servers": [], "ttl_s": 600})),
            Route(f"{guest}/recording", self._get_guests_recorded),
            Route(f"{guest}/offer", self._offer, methods=["POST"]),
            Route(f"{guest}/answer", self._answer),
            Route(f"{guest}/heartbeat", self._heartbeat, methods=["POST"]),
            WebSocketRoute(f"{guest}/events", self._events),
            WebSocketRoute(f"{guest}/vnc", self._vnc),
            WebSocketRoute("/api/sessions/{id}/events", self._events),
            WebSocketRoute("/api/sessions/{id}/vnc", self._vnc),
            Mount("/static/novnc", StaticFiles(directory=WEB / "node_modules/@novnc/novnc")),
            Mount("/static", StaticFiles(directory=WEB / "static")),
        ]
        return Policy(Starlette(routes=routes))

    def _json(self, make: Any) -> Any:
        async def answer(request: Request) -> Response:
            return JSONResponse(make())

        return answer

    async def _get_guests_recorded(self, request: Request) -> Response:
        self.calls.append("GET recording")
        return JSONResponse(self.guests_recorded)

    async def _get_timeline(self, request: Request) -> Response:
        return Response("".join(json.dumps(line) + "\n" for line in self.timeline))

    async def _get_segment(self, request: Request) -> Response:
        found = self.segments.get(request.path_params["number"])
        return error(404, "not_found") if found is None else Response(found, media_type="video/mp4")

    async def _nothing(self, request: Request) -> Response:
        self.calls.append(f"{request.method} {request.url.path}")
        return Response(status_code=204)

    async def _me(self, request: Request) -> Response:
        if "transom" not in request.cookies:
            return error(401, "unauthenticated")
        return JSONResponse({"id": "usr_ada", "name": "ada", "role": "administrator"})

    async def _sign_in(self, request: Request) -> Response:
        if (await request.json()) != {"key": self.key}:
            return error(401, "unauthenticated")
        self.key = None
        answer = JSONResponse({"user": {"id": "usr_ada", "name": "ada", "role": "administrator"}})
        answer.set_cookie("transom", "c", httponly=True, samesite="strict")
        return answer

    async def _create(self, request: Request) -> Response:
        self.created.append((request.headers.get("Idempotency-Key"), await request.json()))
        return JSONResponse(self.session, status_code=202)

    async def _get_session(self, request: Request) -> Response:
        if not self.known or request.path_params["id"] != SESSION:
            return error(404, "not_found")
        return JSONResponse(self.session)

    async def _end(self, request: Request) -> Response:
        self.calls.append(f"{request.method} {request.url.path}")
        if self.away:
            return error(503, "unavailable")
        self.change(state="stopping")
        return JSONResponse(self.session, status_code=202)

    async def _forget(self, request: Request) -> Response:
        self.credentials = [c for c in self.credentials if c["provider"] != request.path_params["provider"]]
        return JSONResponse({"deleted": 1})

    async def _move_exit(self, request: Request) -> Response:
        self.exit = {
            **self.exit,
            "address": "203.0.113.8",
            "asked": False,
            "word": "You have another exit now.",
        }
        return JSONResponse(self.exit)

    async def _post_exits(self, request: Request) -> Response:
        self.calls.append((await request.json())["lines"])
        return JSONResponse({"added": 2, "known": 0}, status_code=201)

    async def _acknowledge(self, request: Request) -> Response:
        self.alerts = [{**alert, "acknowledged_at": 5} for alert in self.alerts]
        return Response(status_code=204)

    async def _post_token(self, request: Request) -> Response:
        label = (await request.json())["label"]
        self._tokens.append({"id": "tok_a", "label": label, "created_at": 0, "last_used_at": None})
        return JSONResponse({"id": "tok_a", "label": label, "token": "trn_secret"}, status_code=201)

    async def _post_user(self, request: Request) -> Response:
        user = {"id": "usr_bob", "name": (await request.json())["name"], "role": "user"}
        self._users.append(user)
        return JSONResponse(user, status_code=201)

    async def _post_key(self, request: Request) -> Response:
        return JSONResponse({"key": "k", "url": f"{self.url}/?key=k"}, status_code=201)

    async def _post_link(self, request: Request) -> Response:
        wanted = await request.json()
        name = f"lnk_{len(self.links)}"
        link = {"id": name, "created_at": 0, "expires_at": None, "over": None, **wanted}
        self.links = [*self.links, link]
        return JSONResponse({**link, "url": f"/watch#{name}"}, status_code=201)

    async def _withdraw(self, request: Request) -> Response:
        self.links = [link for link in self.links if link["id"] != request.path_params["link"]]
        return Response(status_code=204)

    async def _screen(self, request: Request) -> Response:
        self.screens.append(await request.json())
        return Response(status_code=204)

    async def _heartbeat(self, request: Request) -> Response:
        self.heartbeats.append(await request.json())
        return JSONResponse({"state": self.session["state"], "idle_at": 0, "expires_at": 0})

    async def _offer(self, request: Request) -> Response:
        offer = await request.json()
        self.looks += [(offer["peer"], offer["epoch"])] if offer.get("look") else []
        self._take_offer(offer)
        return JSONResponse({}, status_code=202)

    def _take_offer(self, offer: dict[str, Any]) -> asyncio.Future[str]:
        key = (offer["peer"], offer["epoch"])
        if self.mute:
            return asyncio.get_running_loop().create_future()
        return self._answers.setdefault(
            key, asyncio.get_running_loop().create_task(self.guest.answer(offer["peer"], offer["sdp"]))
        )

    async def _answer(self, request: Request) -> Response:
        key = (request.query_params["peer"], int(request.query_params["epoch"]))
        if key not in self._answers:
            return Response(status_code=204)
        return JSONResponse({"peer": key[0], "epoch": key[1], "sdp": await self._answers[key]})

    # -- sockets

    async def _events(self, socket: WebSocket) -> None:
        if self.sockets_refused:
            await socket.close()
            return
        await socket.accept()
        if not self.known:
            await socket.close(4404)
            return
        self.sockets += 1
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._watchers.add(queue)
        queue.put_nowait({"type": "session", "session": dict(self.session)})
        sender = asyncio.create_task(self._send(socket, queue))
        try:
            while True:
                self._heard(json.loads(await socket.receive_text()), queue)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._watchers.discard(queue)
            sender.cancel()

    async def _send(self, socket: WebSocket, queue: asyncio.Queue[dict[str, Any]]) -> None:
        while (message := await queue.get())["type"] != "close":
            await socket.send_text(json.dumps(message))
        await socket.close(message["code"], message["reason"])

    def _heard(self, message: dict[str, Any], queue: asyncio.Queue[dict[str, Any]]) -> None:
        kind = message.pop("type")
        if kind == "heartbeat":
            self.heartbeats.append(message)
        elif kind == "bye":
            self.calls.append(f"bye {message['epoch']}")
        elif kind == "offer":
            task = self._take_offer(message)
            head = {"type": "answer", "peer": message["peer"], "epoch": message["epoch"]}
            task.add_done_callback(lambda done: queue.put_nowait(head | {"sdp": done.result()}))

    async def _vnc(self, socket: WebSocket) -> None:
        if self.mute:
            await socket.close()
            return
        await socket.accept("binary")
        reader, writer = await asyncio.open_unix_connection(str(self._vnc_socket))

        async def to_page() -> None:
            while data := await reader.read(65536):
                await socket.send_bytes(data)

        sender = asyncio.create_task(to_page())
        try:
            while True:
                writer.write(await socket.receive_bytes())
        except (WebSocketDisconnect, RuntimeError, KeyError):
            pass
        finally:
            sender.cancel()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def page(name: str) -> Any:
    """A route to a page's file."""

    async def serve(request: Request) -> Response:
        return FileResponse(WEB / name)

    return serve


def error(status: int, code: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": f"{code} it is"}}, status_code=status)


def new_session() -> dict[str, Any]:
    """A session as the API shows one, in its first moment."""
    now = int(time.time() * 1000)
    return {
        "id": SESSION,
        "state": "requested",
        "reason": None,
        "detail": "",
        "provider": "demo",
        "driver": "namespace",
        "machine": "mch_" + "a" * 20,
        "warm": False,
        "attempt": 1,
        "retried": "",
        "created_at": now,
        "expires_at": now + 7_200_000,
        "idle_at": now + 600_000,
        "width": 1280,
        "height": 720,
        "warnings": [],
        "timeline": {"accepted": 2},
        "signin": None,
        "page": f"/session/{SESSION}",
        "sequence": 1,
    }
