"""The Celery application: settings without which jobs run twice, workers obey strangers, or publishers hang."""

import pytest
from celery.app.utils import Settings

from core.broker import celery_app


@pytest.fixture
def conf() -> Settings:
    """The settings that both the senders and the workers have."""
    return celery_app("redis://127.0.0.1:1/0").conf


def test_a_ticket_is_given_out_once(conf: Settings) -> None:
    # Redis gives a message that was not acknowledged for an hour to another worker: a long job would start twice.
    assert conf.task_acks_late is False
    # A worker whose process is lost would be given its ticket back, and be lost again: the database decides that.
    assert not conf.task_reject_on_worker_lost
    # What a busy worker has fetched ahead waits for it while another is idle, and is given out again after an hour.
    assert conf.worker_disable_prefetch is True
    assert conf.worker_prefetch_multiplier == 1
    # A broker that is away for a moment says nothing about the trainings that run.
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False


def test_whoever_reaches_the_broker_commands_no_worker(conf: Settings) -> None:
    # Remote control is a broadcast without a key: shutdown, revoke, listen to another queue.
    assert conf.worker_enable_remote_control is False
    # To read a pickle is to run it.
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"


def test_nothing_grows_in_the_broker(conf: Settings) -> None:
    # Nobody reads results; the database has them. A backend would keep each for a day.
    assert conf.result_backend is None
    assert conf.task_ignore_result is True
    # Events that nobody collects.
    assert conf.worker_send_task_events is False


def test_a_broker_that_is_away_is_waited_for_but_hangs_nobody(conf: Settings) -> None:
    # A worker goes on however long it lasts, also when it starts before the broker.
    assert conf.broker_connection_max_retries is None
    assert conf.broker_connection_retry_on_startup is True
    # Without its own limits kombu waits for an answer for ever.
    options = conf.broker_transport_options
    assert 0 < options["socket_connect_timeout"] <= options["socket_timeout"] <= 60
    assert options["socket_keepalive"] is True
    # A ticket that cannot be sent is sent again by the reconciler; a retry here would hold up the tickets behind it.
    assert conf.task_publish_retry is False
