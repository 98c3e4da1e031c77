"""The consumer of the miros example, on top of farscope: spy and trace of charts elsewhere.

Needs a RabbitMQ on this machine and the key file that the producers have. It prints what arrives; from ten
seconds on it prints once a second all that came, thirty times, and ends; Ctrl-C ends it earlier::

    $ python miros_local_consumer.py bob dobbs
     [x] Trace: [2018-01-10 18:23:35.647035] [producer_192.168.1.72] e->start_at() top->c1
     [x] Spy: START
     [x] Spy: SEARCH_FOR_SUPER_SIGNAL:producer_outer
    ...
"""

import socket
import sys
import time
from urllib.parse import quote

from farscope import ForeignHsm, Scope, pp


class LocalConsumer:
    """Shows all charts that broadcast to the RabbitMQ of this machine.

    ``ip`` and ``port`` name another one; after ``first_s`` seconds, and then every ``every_s``, what came is
    printed as a whole, ``times`` times.
    """

    def __init__(
        self, rabbit_user, rabbit_password, *, ip=None, port=5672, first_s=10.0, every_s=1.0, times=30
    ) -> None:
        user, password = quote(rabbit_user, safe=""), quote(rabbit_password, safe="")
        self.scope = Scope(f"amqp://{user}:{password}@{ip or self.get_ip()}:{port}/")
        self.foreign_hsm = ForeignHsm()
        self.first_s, self.every_s, self.times = first_s, every_s, times

    def start(self) -> None:
        """Show what comes until it was printed as a whole for the last time, or Ctrl-C."""
        try:
            with self.scope:
                due = time.monotonic() + self.first_s
                for count in range(1, self.times + 1):
                    self._collect_until(due)
                    self._print_all(clear=count < self.times)
                    due += self.every_s
        except KeyboardInterrupt:
            print("ended")

    def _collect_until(self, due) -> None:
        while (left_s := due - time.monotonic()) > 0:
            for step in self.scope.take(left_s):
                if trace := step.trace():
                    self.foreign_hsm.append_to_trace(trace)
                    print(f" [x] Trace: {trace}")
                for line in step.spy():
                    self.foreign_hsm.append_to_spy(line)
                    print(f" [x] Spy: {line}")

    def _print_all(self, *, clear) -> None:
        if self.foreign_hsm.spy():
            pp(self.foreign_hsm.spy())
            print(self.foreign_hsm.trace())
        if clear:
            self.foreign_hsm.clear_spy()
            self.foreign_hsm.clear_trace()

    @staticmethod
    def get_ip() -> str:
        """Return the address by which other machines know this one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("10.255.255.255", 1))  # sends nothing, and need not be there
            except OSError:
                return "127.0.0.1"
            return s.getsockname()[0]


if __name__ == "__main__":
    user, password = sys.argv[1:] or ("bob", "dobbs")
    LocalConsumer(rabbit_user=user, rabbit_password=password).start()
