"""What `make_app` decides, and what it refuses."""

from typing import Any

import pytest

from chassis.app import ChassisApp, make_app
from chassis.batch_consumer import BatchQueue
from chassis.queues import dead_queue, dead_queue_name, work_queue
from chassis.settings import ServiceSettings

BROKERS = {"rabbitmq": "amqp://u:pw@h:1/v", "valkey": "redis://h:1/0"}


def app(broker: str = "rabbitmq", **values: Any) -> ChassisApp:
    settings = ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url=BROKERS[broker], **values)
    return make_app("shop", ("shop.till", "shop.stock"), settings)


PROMISES = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_acks_on_failure": True,
    "task_acks_on_timeout": True,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_backend": None,
    "worker_prefetch_multiplier": 1,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    "task_create_missing_queues": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_enable_prefetch_count_reduction": False,
    "broker_pool_acquire_timeout": 5.0,
    "broker_connection_timeout": 5.0,
    "beat_max_loop_interval": 1,
    "beat_scheduler": "chassis.beat:Scheduler",
    "worker_consumer": "chassis.worker:Consumer",
}


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize(("name", "value"), PROMISES.items(), ids=PROMISES)
def test_the_promise_is_configured_on_every_broker(broker: str, name: str, value: object) -> None:
    assert app(broker).conf[name] == value


def test_on_rabbitmq_every_publish_is_confirmed_and_bounded() -> None:
    options = app().conf.broker_transport_options

    assert (options["confirm_publish"], options["write_timeout"]) == (True, 5.0)


def test_on_redis_the_visibility_timeout_is_the_same_in_all_three_places() -> None:
    conf = app("valkey", visibility_timeout_seconds=77).conf

    places = (conf.broker_transport_options, conf.result_backend_transport_options, conf)
    assert [place["visibility_timeout"] for place in places] == [77, 77, 77]


def test_on_redis_overdue_messages_are_looked_for_every_five_seconds() -> None:
    options = app("valkey").conf.broker_transport_options

    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] == 5


def test_on_redis_a_queue_is_one_list_without_priorities() -> None:
    assert app("valkey").conf.broker_transport_options["priority_steps"] == [0]


def test_on_redis_prefetch_is_off() -> None:
    assert (app("valkey").conf.worker_disable_prefetch, app().conf.worker_disable_prefetch) == (True, False)


def test_on_redis_a_blocking_read_outlasts_the_blocking_pop_and_ends() -> None:
    options = app("valkey", publish_timeout_seconds=0.5).conf.broker_transport_options

    assert 1 < options["socket_timeout"] < 5
    assert (options["socket_keepalive"], options["retry_on_timeout"]) == (True, False)


def test_a_publish_is_tried_twice_at_most() -> None:
    assert app().conf.task_publish_retry_policy["max_retries"] == 1


@pytest.mark.parametrize("queues", [(), ("till",), ("shop.till", "other.till")])
def test_queues_of_no_or_another_service_are_refused(queues: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="queues of 'shop' are named"):
        make_app("shop", queues, app().settings)


@pytest.mark.parametrize("delay", [{"countdown": 5}, {"eta": "2030-01-01"}])
def test_a_delay_in_the_broker_is_refused(delay: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="outbox"):
        app().send_task("shop.note", **delay)


def test_the_schedule_and_the_task_modules_are_taken_over() -> None:
    made = make_app("shop", ("shop.till",), app().settings, includes=["shop.tasks"], beat_schedule={"a": {"task": "t"}})

    assert (made.conf.include, made.conf.beat_schedule) == (["shop.tasks"], {"a": {"task": "t"}})


@pytest.mark.parametrize("name", ["till", "Shop.till", "shop.till.dead", "shop.", "shop.till ", "shop till"])
def test_a_queue_is_named_service_and_pool_in_lower_case(name: str) -> None:
    with pytest.raises(ValueError, match=r"not named service\.pool"):
        work_queue(name, redis=False)


def test_the_dead_letters_of_a_queue_are_beside_it() -> None:
    assert (dead_queue_name("shop.till"), dead_queue("shop.till").name) == ("shop.till.dead", "shop.till.dead")


def test_dead_letters_keep_the_name_of_their_queue_as_routing_key() -> None:
    arguments = work_queue("shop.till", redis=False).queue_arguments

    assert (arguments["x-dead-letter-exchange"], arguments["x-dead-letter-routing-key"]) == (
        dead_queue("shop.till").exchange.name,
        dead_queue("shop.till").routing_key,
    )


@pytest.mark.parametrize("copied", ["shop.till", "shop.stock", "shop.unknown"], ids=["of tasks", "itself", "unknown"])
def test_only_another_queue_of_batches_can_be_copied(copied: str) -> None:
    settings = app().settings

    with pytest.raises(ValueError, match=copied):
        make_app(
            "shop", ("shop.till", "shop.stock"), settings,
            batch_queues={"shop.stock": BatchQueue(lambda: pytest.fail("made"), copies_of=(copied,))},
        )  # fmt: skip


def test_a_copy_is_bound_to_what_it_copies() -> None:
    bound = work_queue("shop.archive", redis=False, copies_of=("shop.columns",))

    assert ["shop.columns"] == [each.routing_key for each in bound.bindings]
    assert "shop.archive" == bound.routing_key
