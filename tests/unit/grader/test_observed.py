"""What is seen of tasks is kept by task, and no learner fills the grader's memory with it."""

from grader.adapters.observed import MOST_CHARACTERS, Log


def test_a_log_has_an_end() -> None:
    log = Log()
    flood = {"result": "x" * (MOST_CHARACTERS // 10)}
    for number in range(20):
        log.add("flood", {**flood, "number": number})

    log.add("one", {"status": "SUCCESS"})

    assert list(range(9)) == [seen.what["number"] for seen in log.of("flood")]
    assert ["SUCCESS"] == [seen.what["status"] for seen in log.of("one")]
