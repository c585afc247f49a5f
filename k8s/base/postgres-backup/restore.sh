#!/bin/sh
# restore.sh TIME: bring the data folder back to a time, while no server runs on it. What there was is kept beside it, and is put back when
# anything fails. Ids that the lost time may have given are skipped: the broker may still hold messages about them.
set -eu
to=$1
data=$PGDATA
wanted=$(date -u -d "$to" +%s.%N)
base=
for folder in /backup/base/*Z; do
  if [ -e "$folder/ended" ] && [ "$(printf '%s\n' "$(cat "$folder/ended")" "$wanted" | sort -g | head -n 1)" = "$(cat "$folder/ended")" ]; then
    base=$folder
  fi
done
if [ -z "$base" ]; then
  echo "no base backup was finished by $to; there are: $(ls /backup/base 2>/dev/null | tr '\n' ' ')" >&2
  exit 1
fi

kept=$data.before-$(date -u +%Y%m%dT%H%M%SZ)
mv "$data" "$kept"
back() {
  echo "putting back what was there before" >&2
  pg_ctl --pgdata "$data" --mode immediate stop >/dev/null 2>&1 || true
  rm -rf "$data"
  mv "$kept" "$data"
  exit 1
}
trap back EXIT

mkdir -m 700 "$data"
tar -xzf "$base/base.tar.gz" -C "$data"
tar -xzf "$base/pg_wal.tar.gz" -C "$data/pg_wal"
cp "$base/backup_manifest" "$data/"
pg_verifybackup --no-parse-wal --quiet "$data"
# What the old server had not archived: PostgreSQL looks there when the archive ends.
for segment in "$kept"/pg_wal/????????????????????????; do
  if [ -f "$segment" ]; then cp -n "$segment" "$data/pg_wal/"; fi
done
cat >>"$data/postgresql.auto.conf" <<SETTINGS
restore_command = 'gzip -dc /backup/wal/%f.gz > %p'
recovery_target_time = '$to'
recovery_target_action = 'promote'
SETTINGS
touch "$data/recovery.signal"
pg_ctl --pgdata "$data" --wait --timeout 600 --log /tmp/recovery.log \
  --options "-c listen_addresses= -c max_connections=200 -c archive_mode=on -c archive_command='sh /etc/postgres-backup/archive.sh %p %f'" \
  start >/dev/null || { grep FATAL /tmp/recovery.log >&2; exit 1; }
until [ "$(psql --username postgres --no-align --tuples-only --command 'SELECT pg_is_in_recovery()')" = f ]; do
  if ! pg_ctl --pgdata "$data" status >/dev/null; then
    grep FATAL /tmp/recovery.log >&2
    exit 1
  fi
  sleep 1
done
psql --username postgres --dbname orders --quiet --output /dev/null --set ON_ERROR_STOP=1 --command \
  "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, coalesce(last_value, 0) + 1000000000) FROM pg_sequences"
pg_ctl --pgdata "$data" --mode fast --wait stop >/dev/null
trap - EXIT
echo "restored to $to from base backup $(basename "$base"); what there was is kept in $kept"
