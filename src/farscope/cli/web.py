"""``farscope web``: serve the web page."""

from __future__ import annotations

import signal
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import click

from farscope.cli.options import key_option, since_option
from farscope.cli.style import report, say
from farscope.errors import UsageError, install_hint
from farscope.logs.recording.log import RecordingLog
from farscope.logs.url import open_log
from farscope.scope.playback.time_index import TimeIndex
from farscope.scope.playback.yielding_log import YieldingLog
from farscope.scope.scope import Scope
from farscope.scope.since import START
from farscope.views.text import escape, stats_line


@click.command()
@click.argument("url", required=False)
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Listen on this address instead of loopback; a token is then required.",
)
@click.option("--port", type=click.IntRange(0, 65_535), help="Listen on this port; 0 picks a free one.")
@since_option
@click.option("--open", "open_browser", is_flag=True, help="Open the page in your browser.")
@key_option()
def web(
    url: str | None,
    *,
    host: str,
    port: int | None,
    since: str | None,
    open_browser: bool,
    key: Path | None,
) -> None:
    """Show every chart on a page in your browser.

    URL is the log that charts broadcast to, such as sqlite:FOLDER. The default is FARSCOPE_URL, or else the
    log in your state folder. A recording is shown from its start.

    The page is served to this machine only. For any other address a token is created and printed, and the
    traffic is not encrypted: prefer ssh -L. Ctrl-C stops the server.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise UsageError("the page needs starlette and uvicorn", install_hint("web"))
    # Only here, because the rest of the command line works without them.
    from farscope.views.web.auth import new_token  # noqa: PLC0415 - an extra
    from farscope.views.web.server import bind, is_loopback, serve  # noqa: PLC0415 - an extra

    token = None if is_loopback(host) else new_token()
    log = open_log(url)
    with ExitStack() as stack:
        seek = stack.enter_context(TimeIndex(log, key, since)) if isinstance(log, RecordingLog) else None
        source = YieldingLog(log, seek) if seek is not None and isinstance(log, RecordingLog) else log
        scope = stack.enter_context(Scope(source, key=key, since=START if seek and since is None else since))
        listener = stack.enter_context(bind(host, port))
        stack.enter_context(_ending_quietly())
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
        if token:
            address += f"?token={token}"
            report("anyone with this address sees everything, and the connection is not encrypted")
        report(f"watching {escape(log.url)}; Ctrl-C ends")
        say(address)
        if open_browser:
            webbrowser.open(address)
        try:
            serve(scope, listener, host=host, token=token, seek=seek)
        finally:
            # Closed first, so that the account says whether it ends where the log does.
            scope.close()
            report(stats_line(scope.stats))


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the page without an error."""
    before = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
