"""`python lean.py SITE_PACKAGES PREFIX APP STANDARD`: makes installed packages small, and quick to start, while an image is built.

What is left works as before: debug symbols, sources of what is compiled, test suites and a codec that no label has are not read by any
program. Modules that the service imports are compiled, by content instead of by time, so that the same commit gives the same bytes;
compiling all the others would cost more space than the sources take. The folder `SITE_PACKAGES` is copied to PREFIX later.

Python's images come without any compiled module, and nothing can be kept where a container may not write: each process would compile the
standard library again. What the service imports of it is compiled into the folder STANDARD, to be laid over the image's root.
"""

import contextlib
import importlib
import importlib.util
import os
import pkgutil
import py_compile
import shutil
import struct
import sys
import sysconfig
from pathlib import Path

NEVER_READ = (
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.c",
    "**/*.h",
    *("PIL/_avif*.so", "pillow.libs/libavif*", "PIL/_webp*.so", "pillow.libs/libwebp*", "pillow.libs/libsharpyuv*"),
    *("PIL/_imagingcms*.so", "pillow.libs/liblcms2*", "PIL/_imagingft*.so", "pillow.libs/libfreetype*"),
    *("pillow.libs/libharfbuzz*", "pillow.libs/libbrotli*", "pillow.libs/libpng16*"),
    *("fontTools/**/*.so", "wcwidth/*.so"),
)
"""Codecs, colour profiles and fonts of images, and no label has an image. The compiled parts of fontTools and wcwidth are copies of their
Python ones."""

TESTS = ("tests", "test", "sqlalchemy/testing", "alembic/testing")

STRANGERS = (
    *(f"fontTools/{name}" for name in ("diff", "merge", "mtiLib", "t1Lib", "ufoLib", "voltLib")),
    *(f"google/{name}" for name in ("api", "cloud", "gapic", "logging", "longrunning", "type")),
)
"""Programs that make fonts, and the messages of somebody else's services."""

IMPORTED_LATE = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.worker",
    "kombu.transport.pyamqp",
    "kombu.transport.redis",
    "alembic.command",
    *("celery.__main__", "celery.app.amqp", "celery.app.log", "celery.app.routes", "celery.backends.base"),
    *("dbm.dumb", "dbm.sqlite3", "encodings.idna", "fastapi.telemetry._runtime", "pydantic.v1"),
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "prometheus_client.multiprocess",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
    *("uvicorn.loops.auto", "uvicorn.loops.uvloop", "uvicorn.protocols.websockets.auto"),
)
"""Chosen by name at run time, so importing the service does not show them."""

SETTINGS = {"DATABASE_URL": "postgresql+psycopg://nowhere/none", "BROKER_URL": "amqp://nowhere"}
"""What a service needs to be imported; nothing is connected to."""

LOADED = 1  # PT_LOAD of the ELF specification
HEADER, ENTRY = 64, 56


def prune(packages: Path) -> None:
    """Remove what no program reads."""
    for name in (*TESTS, *STRANGERS):
        for folder in [*packages.glob(name), *packages.glob(f"*/{name}"), *packages.glob(f"*/*/{name}")]:
            shutil.rmtree(folder, ignore_errors=True)
    for pattern in NEVER_READ:
        for file in list(packages.glob(pattern)):
            file.unlink()


def strip(library: Path) -> None:
    """Cut a shared library off behind the last byte that is mapped: symbols for debuggers, and the table that finds them."""
    code = bytearray(library.read_bytes())
    if code[:6] != b"\x7fELF\x02\x01":
        return
    (table,) = struct.unpack_from("<Q", code, 32)
    (count,) = struct.unpack_from("<H", code, 56)
    end = max(HEADER, table + count * ENTRY)
    for at in range(table, table + count * ENTRY, ENTRY):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", code, at)
        end = max(end, offset + size) if kind == LOADED else end
    struct.pack_into("<Q", code, 40, 0)
    struct.pack_into("<HHH", code, 58, 0, 0, 0)
    library.write_bytes(code[:end])


def used(app: Path) -> list[Path]:
    """The sources of every module that the service's packages import, and those packages' own."""
    os.environ.update(SETTINGS)
    sys.dont_write_bytecode = True
    names = [module.name for module in pkgutil.walk_packages([str(app)]) if not module.name.endswith("__main__")]
    for name in (*names, *IMPORTED_LATE):
        with contextlib.suppress(Exception, SystemExit):  # a program, or of a package that this service does not have
            importlib.import_module(name)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted({*app.rglob("*.py"), *(Path(file) for file in files if file and file.endswith(".py"))})


def main(packages: Path, later: Path, app: Path, standard: Path) -> None:
    """All of it; `later` is where the packages will lie, which is what tracebacks say."""
    prune(packages)
    for library in [*packages.rglob("*.so"), *packages.rglob("*.so.*")]:
        strip(library)
    sys.path[:0] = [str(app), str(packages)]
    stdlib = Path(sysconfig.get_path("stdlib"))
    for source in used(app):
        compiled = None
        if source.is_relative_to(packages):
            named, by_content = later / source.relative_to(packages), py_compile.PycInvalidationMode.UNCHECKED_HASH
        elif source.is_relative_to(app):
            # An image on top of this one may change our modules, and is believed.
            named, by_content = source, py_compile.PycInvalidationMode.CHECKED_HASH
        elif source.is_relative_to(stdlib):
            named, by_content = source, py_compile.PycInvalidationMode.UNCHECKED_HASH
            compiled = f"{standard}{importlib.util.cache_from_source(str(source))}"
        else:
            continue
        py_compile.compile(str(source), compiled, str(named), doraise=True, invalidation_mode=by_content)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
