"""Lines out of what VictoriaLogs and Loki tell."""

import json

from conductor.cluster import log_store


def test_each_line_of_victoria_logs_comes_with_its_pod() -> None:
    told = [{"k8s.pod.name": "orders-saga-1", "_msg": '{"event": "a"}'}, {"_msg": "b"}]

    found = list(log_store.of_victoria_logs("\n".join(map(json.dumps, told))))

    assert [("orders-saga-1", '{"event": "a"}'), ("", "b")] == found


def test_each_line_of_loki_comes_with_its_pod() -> None:
    streams = [
        {"stream": {"k8s_pod_name": "orders-saga-1"}, "values": [["1", "a"], ["2", "b", {"structuredMetadata": {}}]]},
        {"stream": {}, "values": [["3", "c"]]},
    ]

    found = list(log_store.of_loki({"status": "success", "data": {"resultType": "streams", "result": streams}}))

    assert [("orders-saga-1", "a"), ("orders-saga-1", "b"), ("", "c")] == found
