#!/bin/sh
# Starts one node. It is known to clients and to the other nodes by the address of its own Service, which stays when its pod's changes. So a
# cluster whose pods all got new addresses is the same cluster, and nobody has to introduce its nodes to each other again.
set -eu
# By its longer name, because the shorter one is the pod's own host name, which /etc/hosts leads to the pod's address.
until address=$(getent hosts "$POD_NAME.$POD_NAMESPACE.svc" | cut -d' ' -f1) && [ -n "$address" ]; do
    echo "the Service $POD_NAME has no address yet" >&2
    sleep 1
done
# A node that is away costs its own slots; by default every node would refuse every key.
exec redis-server /etc/redis/redis.conf \
    --requirepass "$REDISCLI_AUTH" \
    --masterauth "$REDISCLI_AUTH" \
    --cluster-enabled yes \
    --cluster-config-file nodes.conf \
    --cluster-require-full-coverage no \
    --cluster-node-timeout 5000 \
    --cluster-announce-ip "$address"
