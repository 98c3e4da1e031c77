import sys
import traceback
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.errors import BadUrl, FarscopeError, LogRefused
from farscope.logs.embedded.log import FolderLog
from farscope.logs.memory import MemoryLog, forget
from farscope.logs.url import default_url, folder_of, open_log, redacted, redacted_text, state_folder


def folder(url: str) -> Path:
    log = open_log(url)
    assert isinstance(log, FolderLog)
    return log.folder


def test_without_an_address_the_environment_names_the_log(monkeypatch):
    monkeypatch.setenv("FARSCOPE_URL", "memory:from-environment")
    assert default_url() == "memory:from-environment"
    assert open_log(None).url == "memory:from-environment"


def test_without_any_address_the_log_lies_in_the_users_state_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "my state?"))
    assert folder(default_url()) == tmp_path / "my state?" / "farscope" / "log"
    assert not (tmp_path / "my state?").exists()


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"XDG_STATE_HOME": "/state"}, "/state/farscope/log"),
        ("linux", {"XDG_STATE_HOME": "not/absolute"}, "~/.local/state/farscope/log"),
        ("linux", {}, "~/.local/state/farscope/log"),
        ("darwin", {"XDG_STATE_HOME": "/state"}, "~/Library/Application Support/farscope/log"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/farscope/log"),
        ("win32", {}, "~/AppData/Local/farscope/log"),
    ],
)
def test_each_platform_has_its_state_folder(platform, environ, expected):
    assert state_folder(environ, platform) == Path(expected).expanduser()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("///a/b", "/a/b"),
        ("//localhost/a/b", "/a/b"),
        ("/with space/and%20escaped%3F", "/with space/and escaped?"),
        ("/100% sure#1", "/100% sure#1"),
        ("relative/dir", "relative/dir"),
        ("./dir", "dir"),
    ],
)
def test_a_folder_is_written_in_any_of_the_usual_ways(path, expected):
    assert folder_of(path, windows=False) == Path(expected)


@pytest.mark.parametrize("path", ["C:/logs/x", "/C:/logs/x", "///C:/logs/x", "//C:/logs/x"])
def test_a_windows_drive_is_a_drive_on_windows_only(path):
    assert PurePosixPath(folder_of(path, windows=True)) == PurePosixPath("C:/logs/x")


def test_home_is_the_users():
    assert folder("sqlite:~/charts") == Path("~/charts").expanduser()


def test_a_relative_folder_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = open_log("sqlite:charts")
    monkeypatch.chdir("/")
    assert log.url == f"sqlite:{tmp_path.as_posix()}/charts"


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_the_address_of_a_log_leads_back_to_its_folder(name):
    log = FolderLog(Path("/tmp") / name, max_bytes=10**6)  # noqa: S108 (named only, never touched)
    again = open_log(log.url)
    assert isinstance(again, FolderLog)
    assert (again.folder, again.url) == (log.folder, log.url)


def test_bounds_are_read_and_shown_in_the_address():
    log = open_log("sqlite:/charts?max_bytes=2GiB&max_age=12h")
    assert log.url == f"sqlite:/charts?max_bytes={2 * 1024**3}&max_age={12 * 3600 * 10**9}ns"
    assert isinstance(open_log("memory:x?max_bytes=1MB&max_age=1h"), MemoryLog)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:/x?max_size=1", r"unknown parameter 'max_size'(.|\n)*known are max_age and max_bytes"),
        ("sqlite:/x?max_bytes=lots", r"max_bytes in sqlite:/x\?max_bytes=lots: invalid size 'lots'"),
        ("sqlite:/x?max_age=0", "more than nothing"),
        ("sqlite:/x?max_age=1h&max_age=2h", "twice"),
        ("sqlite:", "names no folder"),
        ("sqlite:?max_age=1h", "names no folder"),
        ("sqlite://elsewhere/x", "names the host 'elsewhere'"),
        ("sqlite:/a%00b", "names no folder"),
        ("", "sqlite:~/charts, memory:test"),
        ("   ", "cannot be understood"),
        ("kafka://host", "sqlite:~/charts, memory:test"),
        ("/var/log/charts", "for a folder write sqlite:/var/log/charts"),
        (r"C:\charts", r"for a folder write sqlite:C:\\charts"),
        ("~/charts", "for a folder write sqlite:~/charts"),
    ],
)
def test_an_address_that_cannot_be_understood_is_refused_with_the_remedy(url, says):
    with pytest.raises(BadUrl, match=says):
        open_log(url)


def test_a_file_that_is_there_and_is_something_else_is_called_no_recording(tmp_path):
    program = tmp_path / "gate.py"
    program.write_text("print()")
    with pytest.raises(BadUrl, match=r"gate\.py is not a recording"):
        open_log(str(program))


def test_an_unknown_home_is_refused():
    with pytest.raises(BadUrl, match="write an absolute path"):
        open_log("sqlite:~nobody-of-that-name/x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://guest:secret@host/vhost", "amqp://guest:***@host/vhost"),
        ("amqps://guest:se/c?r@et@host:5671/", "amqps://guest:***@host:5671/"),
        ("amqp://:secret@host", "amqp://:***@host"),
        ("kafka://u:secret@host", "kafka://u:***@host"),
        ("u:secret@host", "***@host"),
        ("amqp://host/?password=secret&x=1", "amqp://host/?password=***&x=1"),
        ("amqp://host:5672/vhost", "amqp://host:5672/vhost"),
        ("amqp://user@host/", "amqp://user@host/"),
        ("sqlite:/home/me@work/log", "sqlite:/home/me@work/log"),
    ],
)
def test_a_password_is_never_shown(url, shown):
    assert redacted(url) == shown


@given(st.text(min_size=1, max_size=30).filter(lambda text: text not in "kafka://user:***@host"))
def test_no_error_about_an_address_shows_its_password(password):
    secret = f"<{password}>"
    with pytest.raises(BadUrl) as caught:
        open_log(f"kafka://user:{secret}@host")
    assert secret not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_either_a_log_or_refused_in_our_words(text):
    try:
        log = open_log(f"sqlite:{text}")
    except FarscopeError as error:
        assert error.hint  # noqa: PT017 (both outcomes are right; only another exception is not)
    else:
        assert log.url.startswith("sqlite:")


def test_without_pika_the_message_says_how_to_get_it(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("farscope.logs.rabbitmq")]:
        monkeypatch.delitem(sys.modules, module)
    for module in [name for name in sys.modules if name.partition(".")[0] == "pika"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [NoPika(), *sys.meta_path])
    with pytest.raises(LogRefused, match=r"pip install .\.\[rabbitmq\]") as caught:
        open_log("amqp://guest:secret@host/")
    assert "secret" not in str(caught.value)


class NoPika:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "pika":
            raise ModuleNotFoundError("No module named 'pika'", name=name)


def test_a_log_in_memory_goes_by_its_name_in_the_address():
    writer = open_log("memory:by%20name").writer("a1")
    writer.append([b"x"], 1.0)
    assert [entry.data for entry in open_log("memory:by name").reader(since_ns=0).read(0.0)] == [b"x"]
    forget("by name")


def test_a_log_in_memory_needs_no_name():
    assert open_log("memory:").url == "memory:default"


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:verysecret/word@host/vhost",
        "amqp://user:12/verysecret@host",
        "amqp://user:verysecret?word@host/",
        "amqp://user:12?verysecret@host/",
        "amqp://user:verysecret#word@host/",
        "amqp://user:12#verysecret@host/",
        "amqp://user:one@two/verysecret@host",
        "amqp://user:[verysecret@host/",
        "amqp://user:very\u2100secret@host:x/",
        "amqp://user:verysecret@host:x/",
    ],
)
def test_no_part_of_a_password_that_was_not_escaped_is_shown_by_error_or_traceback(url):
    secrets = ("verysecret", "secret")
    with pytest.raises(BadUrl) as caught:
        open_log(url)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.hint
    assert not any(secret in told for secret in secrets)


def test_an_address_in_any_text_is_shown_without_its_password():
    assert redacted_text("no amqp://u:se/cr@et@h:1/v here") == "no amqp://u:***@h:1/v here"
    assert redacted_text("plain: text") == "plain: text"
