"""The line format of miros: one Fernet token for each line of spy and trace, through two RabbitMQ exchanges.

``broadcast(wire="lines")`` and ``Scope(wire="lines")`` load it through ``farscope.wire.registry``. On the way
out: ``transport`` (steps to lines), ``tokens`` (sealing), ``writer``. On the way in: ``reader``, ``feed``,
``tokens`` (opening), ``intake`` (lines to steps), ``spy_parser``.
"""
