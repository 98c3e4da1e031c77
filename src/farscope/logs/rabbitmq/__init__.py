"""RabbitMQ as a log: a stream behind a fanout exchange."""
