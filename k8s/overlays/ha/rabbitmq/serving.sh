#!/bin/sh
# Whether this node can serve: it takes AMQP connections, and is connected to another node. Alone of three it has no quorum, so that no queue
# of it takes or gives a message, though its port is open. Read from the kernel's tables, because rabbitmq-diagnostics starts an Erlang
# machine of its own each time; other tables may be given as arguments. 1628 is port 5672 and 6448 port 25672 in hexadecimal, 0A a socket that listens, 01 one that is connected.
cat ${*:-/proc/net/tcp /proc/net/tcp6} | awk '
    { split($2, mine, ":"); split($3, peer, ":") }
    $4 == "0A" && mine[2] == "1628" { listens = 1 }
    $4 == "01" && (mine[2] == "6448" || peer[2] == "6448") && mine[1] != peer[1] { joined = 1 }
    END { exit !(listens && joined) }'
