"""PostgreSQL's archive_command and restore_command, for its shell. Pure.

A file is in the archive whole or not at all: written beside, synced, renamed, and its folder synced. Segments are compressed, since most
are closed half empty by archive_timeout. Without the folder nothing is archived: the first backup makes it.

The archive is named from the data folder, in which PostgreSQL runs its commands, because the server's user may have no right to walk to
either from the root; and the commands are the system's own, because that user may have no right to run our Python.

https://www.postgresql.org/docs/18/continuous-archiving.html: a file that is there already must not be replaced by another one.
"""

import os
import shlex
from pathlib import Path

_PUT = """\
a={archive}; [ -d "$a" ] || exit 0; \
if [ -e "$a/%f.gz" ]; then \
gzip -dc "$a/%f.gz" | cmp -s - "%p" && exit 0; echo "$a/%f.gz is another file than %p: it is not replaced" >&2; exit 1; \
fi; \
gzip -1 -n < "%p" > "$a/.%f.new" && sync "$a/.%f.new" && mv "$a/.%f.new" "$a/%f.gz" && sync "$a"\
"""

_GET = """a={archive}; [ -e "$a/%f.gz" ] && gzip -dc "$a/%f.gz" > "%p\""""


def put(archive: Path, data: Path) -> str:
    """Archives one file; 0 when it is safe there. PostgreSQL keeps the file and tries again after anything else."""
    return _PUT.format(archive=_from(data, archive))


def get(archive: Path, data: Path) -> str:
    """Brings one file back; 1 when it is not there, which is how PostgreSQL learns where the archive ends."""
    return _GET.format(archive=_from(data, archive))


def _from(data: Path, archive: Path) -> str:
    # Either may be a link to another disk, and ".." leads to where a folder really lies.
    path = os.path.relpath(archive.resolve(), data.resolve())
    # PostgreSQL takes %% for a percent sign.
    return shlex.quote(path).replace("%", "%%")
