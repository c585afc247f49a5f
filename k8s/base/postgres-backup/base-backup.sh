#!/bin/sh
# base-backup.sh [daily]: a base backup of the server beside us, now, or whenever the last one is a day old. The last two stay, and the log
# from the first of them on: that is what bounds the archive.
set -eu
bases=/backup/base
server="--host 127.0.0.1 --username postgres"

take() {
  mkdir -p "$bases"
  name=$(date -u +%Y%m%dT%H%M%SZ)
  rm -rf "$bases"/*.new
  # shellcheck disable=SC2086
  pg_basebackup $server --pgdata "$bases/$name.new" --format tar --gzip --checkpoint fast --no-password
  lsn=$(sed -n 's/.*"Start-LSN": "\([^"]*\)".*/\1/p' "$bases/$name.new/backup_manifest" | head -n 1)
  # shellcheck disable=SC2086
  psql $server --no-align --tuples-only --command "SELECT pg_walfile_name('$lsn')" >"$bases/$name.new/wal"
  # A later time than that can be restored from it.
  # shellcheck disable=SC2086
  psql $server --no-align --tuples-only --command "SELECT extract(epoch FROM clock_timestamp())" >"$bases/$name.new/ended"
  mv "$bases/$name.new" "$bases/$name"
  # shellcheck disable=SC2012
  ls -d "$bases"/*Z | head -n -2 | xargs -r rm -rf
  oldest=$(cut -c 9-24 "$(ls -d "$bases"/*Z | head -n 1)/wal")
  for file in /backup/wal/*.gz; do
    segment=$(basename "$file" .gz | cut -c 9-24)
    # Histories of timelines are short and stay.
    if [ ${#segment} -eq 16 ] && [ "$segment" \< "$oldest" ]; then rm "$file"; fi
  done
  echo "base backup $name: every time from $(date -u -d "@$(cat "$bases/$name/ended")" +%Y-%m-%dT%H:%M:%S.%3N+00:00) on can be restored"
}

if [ "${1:-}" != daily ]; then
  take
  exit
fi
trap exit TERM
while :; do
  if [ -z "$(find "$bases" -mindepth 1 -maxdepth 1 -name '*Z' -mmin -1430 2>/dev/null)" ]; then
    # shellcheck disable=SC2086
    if pg_isready --quiet $server; then take || echo "no base backup was made; the next try is in a minute" >&2; fi
  fi
  sleep 60 &
  wait $!
done
