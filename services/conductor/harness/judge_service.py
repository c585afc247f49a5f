"""Answers the questions of a drill that is played from outside the cluster; conductor.judge runs it."""

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from conductor import redis_client
from conductor.capabilities import RejectsMessages
from conductor.capstone import capability
from conductor.errors import ConductorError, DrillFailed
from conductor.harness import dependency_faults, questions
from conductor.harness.broker_client import BrokerClient
from conductor.harness.confirmed_stream import ConfirmedStream
from conductor.harness.consumer_gaps import ConsumerWatch
from conductor.harness.held_flushes import HeldFlushes
from conductor.harness.questions import Question
from conductor.harness.workload_run import WorkloadRun
from conductor.history import Kill, now

FAULTS_SECONDS = 60.0

Answer = Mapping[str, Any]


class JudgeService:
    """The load and the verdict of one drill. What is broken is broken by who asks; this only writes it down."""

    def __init__(self, run: WorkloadRun) -> None:
        self._run = run
        self._load = ExitStack()
        self._hurry = ExitStack()
        self._steered: dict[str, ExitStack] = {}
        self._began: float | None = None
        self._consumers: ConsumerWatch | None = None
        self._streams: dict[str, ConfirmedStream] = {}
        self._streamed: dict[str, Answer] = {}
        self._submitted: dict[str, str] = {}
        self._held_flushes: dict[str, HeldFlushes] = {}

    def answer(self, sent: Mapping[str, Any]) -> Answer | None:
        """The answer to a question as it was sent; None to go. What cannot be answered is `{"failed": WHY}`."""
        question = questions.of_json(sent)
        if isinstance(question, questions.Leave):
            return None
        try:
            return self._answer(question)
        except ConductorError as error:
            return {"failed": str(error)}

    def _answer(self, question: Question) -> Answer:
        run = self._run
        match question:
            case questions.Begin():
                # Asked again when the answer was lost on the way: one load is enough.
                if self._began is None:
                    self._began = time.monotonic()
                    self._load.enter_context(run.load())
            case questions.AwaitLoaded():
                return {"in_flight": run.await_loaded()}
            case questions.AwaitProgress(requests):
                run.await_progress(requests)
            case questions.Status():
                return self.status()
            case questions.Accepted(last):
                return {"requests": run.capstone.accepted([run.journal.path])[-last:]}
            case questions.InFlight():
                return {"in_flight": run.progress.in_flight()}
            case questions.Submit(name):
                if name not in self._submitted:
                    self._submitted[name] = run.workload.submit(name)
                return {"request": self._submitted[name]}
            case questions.Startable(request):
                return {"startable": capability(run.capstone, RejectsMessages).startable(run.access, request)}
            case questions.Attention(request):
                return {"attention": capability(run.capstone, RejectsMessages).attention(run.access, request)}
            case questions.Publish(queue, messages):
                with BrokerClient(os.environ["BROKER_URL"]) as broker:
                    broker.send_all(queue, messages)
            case questions.Held(address):
                return {"commands": [asdict(one) for one in run.outbox.held_at(address)]}
            case questions.HoldFlush(store, command, address):
                return {"held": self._flushes(store).hold(command, address)}
            case questions.ReleaseFlush(store, address):
                return {"gone": self._flushes(store).release(address)}
            case questions.StillOpen(keys):
                return {"keys": run.outbox.still_open(keys)}
            case questions.Clock():
                return {"at": now()}
            case questions.Record(pool, which, since, open_orders):
                run.record(Kill(since, pool, which, (), open_orders=open_orders, until=now()))
            case questions.Fail(server, plan):
                told = {**plan, "expires_in_seconds": FAULTS_SECONDS}
                dependency_faults.call(run.access, "PUT", server, "faults", told)
            case questions.Calm(server):
                dependency_faults.call(run.access, "DELETE", server, "faults")
            case questions.Hurry():
                self._hurry.close()
                self._hurry.enter_context(run.workload.hurried())
                return {"in_flight": run.await_loaded(), "times": len(run.away_seconds)}
            case questions.AwaitBack(times):
                try:
                    return {"away_seconds": run.await_back(times)}
                finally:
                    self._hurry.close()
            case questions.Steer(way):
                if way not in self._steered:
                    self._steered[way] = ExitStack()
                    self._steered[way].enter_context(run.steered(way))
            case questions.Release(way):
                self._steered.pop(way, ExitStack()).close()
            case questions.Counts():
                return {"counts": dict(run.counted())}
            case questions.WatchConsumers(queues):
                self._consumers = self._consumers or ConsumerWatch(os.environ["BROKER_URL"], queues)
            case questions.Consumers():
                if self._consumers is None:
                    raise DrillFailed("nobody looked at the queues' consumers")
                return self._consumers.told()
            case questions.PublishConfirmed(queue, host):
                if queue not in self._streams:
                    self._streams[queue] = ConfirmedStream(os.environ["BROKER_URL"], queue, host)
            case questions.Confirmed(queue):
                if queue not in self._streams:
                    raise DrillFailed(f"nothing was published to {queue}")
                if queue not in self._streamed:
                    self._streamed[queue] = self._streams[queue].close()
                return self._streamed[queue]
            case questions.Finish():
                self._load.close()
                return self.status()
            case questions.Abandon():
                self._load.__exit__(DrillFailed, DrillFailed("the drill was given up"), None)
            case questions.Settle():
                run.settle()
            case questions.Judge():
                run.settle()
                return asdict(run.verdict())
        return {}

    def _flushes(self, store: str) -> HeldFlushes:
        if store not in self._held_flushes:
            self._held_flushes[store] = HeldFlushes(redis_client.nodes(self._run.access.addresses()[store]))
        return self._held_flushes[store]

    def status(self) -> Answer:
        """How far the load is; `asked_again` counts requests that were not taken at once, `abrupt` those not told when to come."""
        load = self._run.workload
        again = load.asked_again()
        seconds = time.monotonic() - (self._began or 0.0)
        return {
            "accepted": load.accepted,
            "asked_again": again.total(),
            "abrupt": load.abrupt,
            "gave_up": load.gave_up,
            "why": dict(again.most_common(5)),
            "accepted_per_second": round(load.accepted / seconds, 1),
            "away_seconds": list(self._run.away_seconds),
        }
