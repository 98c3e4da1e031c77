"""The commands in ``docs/rabbitmq.md`` give exactly the rights that it names."""

import re
import shlex
from pathlib import Path
from time import time_ns

import pytest

from farscope.errors import LogRefused
from farscope.logs.rabbitmq.log import open as open_rabbitmq
from farscope.logs.rabbitmq.settings import Settings
from support.broker import Broker

PAGE = Path(__file__).parents[2] / "docs" / "rabbitmq.md"
TEXT = PAGE.read_text()


def typed(section: str) -> list[list[str]]:
    """The rabbitmqctl commands of a section, in words."""
    part = TEXT.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [shlex.split(line)[1:] for line in part.splitlines() if line.startswith("rabbitmqctl ")]


def vhost() -> str:
    """The virtual host the page makes."""
    (name,) = re.findall(r"rabbitmqctl add_vhost (\S+)", TEXT)
    return name


def test_all_commands_and_addresses_of_the_page_are_for_the_virtual_host_it_makes():
    assert set(re.findall(r"\brabbitmqctl \S*? ?-p (\S+)", TEXT)) == {vhost()}
    assert not re.findall(r"\brabbitmqctl (?:delete_queue|set_permissions (?!-p))", TEXT)
    addresses = re.findall(r"\bamqps?://[^\s\"`]*broker\.example[^\s\"`?]*", TEXT)
    assert addresses
    assert {address.rpartition("broker.example")[2] for address in addresses} == {f"/{vhost()}"}


@pytest.mark.broker
def test_the_three_users_may_do_just_what_the_page_says(broker: Broker):
    commands = typed("Users with only the permissions they need")
    assert len(commands) == 6
    names = [words[1] for words in commands if words[0] == "add_user"]
    passwords = [words[2] for words in commands if words[0] == "add_user"]
    begun_ns = time_ns()
    broker.control("add_vhost", vhost())
    try:
        for words in commands:
            broker.control(*words)
        admin, producer, watcher = (
            open_rabbitmq(broker.url(name, password, vhost=vhost()))
            for name, password in zip(names, passwords, strict=True)
        )
        setting_up = admin.writer("00")
        setting_up.append([b"by the administrator"], 20)
        setting_up.close()
        writing = producer.writer("01")
        writing.append([b"by the producer"], 20)
        writing.close()
        reading = watcher.reader(since_ns=begun_ns)
        assert [entry.data for entry in reading.read(10)] == [b"by the administrator", b"by the producer"]
        reading.close()
        with pytest.raises(LogRefused, match="may not do this"):
            producer.reader()
        forbidden = watcher.writer("02")
        with pytest.raises(LogRefused, match="may not do this"):
            forbidden.append([b"by the watcher"], 20)
        forbidden.close()
    finally:
        broker.control("delete_vhost", vhost())
        for name in names:
            broker.control("delete_user", name)


def test_every_setting_of_an_address_is_on_the_page_with_its_default():
    table = TEXT.partition("| setting |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines()[2:])))
    with pytest.raises(Exception, match="unknown setting") as caught:
        Settings.from_url("amqp://host?no_such_setting=1")
    known = set(caught.value.hint.removeprefix("known are ").split(", "))
    assert told == known
    defaults = Settings.from_url("amqp://host")
    assert Settings.from_url(
        "amqp://host?max_bytes=1GiB&max_age=7d&segment_bytes=16MiB"
    ).stream_arguments == (defaults.stream_arguments)
    for default in (defaults.heartbeat_s, defaults.connect_timeout_s, defaults.prefetch):
        assert f"| {default:g} |" in table
