"""A page that shows live data, and its files: static, without data and so without a token, and with nothing of another host.

Every page may use the files here: style and scripts of live pages, and uPlot, which draws their charts. `make vendor` brings uPlot.
"""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from chassis.http.problems import Problem

SHARED = Path(__file__).with_name("static")
SHARED_FILES = (
    "live.css",
    "live_page.js",
    "live_charts.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
    "vendor/uPlot.LICENSE",
)

TYPES = {".css": "text/css", ".js": "text/javascript", ".LICENSE": "text/plain"}

HEADERS = {
    # Nothing of another host, and no script but those of the page's files.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # A page and its scripts are of one release: each is asked for again, and not sent when it is the same.
    "Cache-Control": "no-cache",
}


def routes(path: str, folder: Path, page: str, files: Sequence[str]) -> APIRouter:
    """The page at `path`, and below `path`/static its `files` and the shared ones; page and files lie in `folder`."""
    router = APIRouter(include_in_schema=False)
    found = {name: folder / name for name in files} | {name: SHARED / name for name in SHARED_FILES}

    @router.get(path)
    async def html() -> Response:
        return FileResponse(folder / page, media_type="text/html; charset=utf-8", headers=HEADERS)

    @router.get(f"{path}/static/{{name:path}}")
    async def file(name: str) -> Response:
        if name not in found:
            raise Problem(404, f"no file {name[:80]!r} belongs to this page")
        kind = TYPES[found[name].suffix]
        return FileResponse(found[name], media_type=f"{kind}; charset=utf-8", headers=HEADERS)

    return router
