#!/bin/sh
# archive_command: archive.sh FILE NAME. A file is in the archive whole or not at all, and is never replaced by another one.
set -eu
archive=/backup/wal
mkdir -p "$archive"
if [ -e "$archive/$2.gz" ]; then
  gzip -dc "$archive/$2.gz" | cmp -s - "$1" && exit 0
  echo "$archive/$2.gz is another file than $1: it is not replaced" >&2
  exit 1
fi
gzip -1 <"$1" >"$archive/.$2.new"
sync "$archive/.$2.new"
mv "$archive/.$2.new" "$archive/$2.gz"
sync "$archive"
