"""The server of the page: Gradio's routes, the viewer's files and the scenes that it shows. Needs Gradio."""

from __future__ import annotations

import os
import socket
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response

from ..core import ErrorCode, ImageTo3DError
from ..engines.base import EngineOptions
from ..io.photo import register_heif
from . import page
from .worker import OnAddress, PredictionWorker

VIEWER = Path(__file__).with_name("viewer")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_VIEWER_FILES = {"index.html": "text/html", "viewer.js": "text/javascript"}
_SCENE_FILES = {"scene.splat": "application/octet-stream", "camera.json": "application/json"}
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; frame-ancestors 'self'"
)
"""The browser asks no other computer for anything, whatever a library's page would like to load."""


def make_app(worker: PredictionWorker, only_loopback: bool = True, engine: str = "auto") -> FastAPI:
    """The application.

    Args:
        worker: makes the results; its folder is served.
        only_loopback: refuse requests that name another host, as pages of other sites make them after rebinding their name.
        engine: see :func:`page.build`.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guard(request: Request, call_next):  # type: ignore[no-untyped-def]
        if only_loopback and (request.url.hostname or "") not in LOOPBACK:
            return PlainTextResponse("This page is for this computer only.", 403)
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/viewer/{name}")
    def viewer(name: str) -> Response:
        if name not in _VIEWER_FILES:
            return PlainTextResponse("There is no such file.", 404)
        return FileResponse(VIEWER / name, media_type=_VIEWER_FILES[name])

    @app.get("/scenes/{scene}/{name}")
    def scene_file(scene: str, name: str) -> Response:
        path = worker.folder / scene / name
        if not scene.isalnum() or name not in _SCENE_FILES or not path.is_file():
            return PlainTextResponse("This scene is gone: make it again.", 404)
        return FileResponse(path, media_type=_SCENE_FILES[name])

    return gr.mount_gradio_app(
        app,
        page.build(worker, engine),
        path="/",
        allowed_paths=[str(worker.folder)],
        max_file_size="256mb",
        ssr_mode=False,
        footer_links=[],
        theme=page.THEME,
        css=page.STYLE,
    )


def serve(
    folder: Path, host: str, port: int, options: EngineOptions, engine: str = "auto", on_address: OnAddress = print
) -> None:
    """Serve the page until interrupted.

    Args:
        folder: for results; the caller removes it.
        host, port: to listen on; port 0 takes a free one.
        options: of the engines.
        engine: chosen at first.
        on_address: told the page's address.

    Raises:
        ImageTo3DError: ``bad_request`` if the port is taken or the host is not of this computer.
    """
    import uvicorn

    register_heif()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "commands.page_address_unusable", host=host, port=port, why=error.strerror
        ) from None
    app = make_app(PredictionWorker(folder, options), host in LOOPBACK, engine)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    shown = f"[{host}]" if ":" in host else host
    on_address(f"http://{shown}:{listener.getsockname()[1]}/")
    server.run([listener])
