"""A real broker for the tests of this folder that ask for one."""

from support.broker_fixtures import amqp_url, broker, fresh_log_url

__all__ = ["amqp_url", "broker", "fresh_log_url"]
