from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from support.program import Program


def start(*arguments: str) -> Program:
    return Program("-m", "farscope", "web", *arguments)


def code_of(address: str, **headers: str) -> int:
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - our own server on loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - see above
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_address_is_printed_and_answers_and_ctrl_c_ends_cleanly(tmp_path):
    with start(f"sqlite:{tmp_path}", "--port", "0") as server:
        server.wait_out("\n")
        address = server.out.strip()
        assert address.startswith("http://127.0.0.1:")
        assert code_of(address) == 200
        server.interrupt()
        assert server.wait() == 0
        assert server.out.strip() == address
        assert server.err.splitlines() == [
            f"watching sqlite:{tmp_path}; Ctrl-C ends",
            "seen 0 steps of 0 probes, lost 0, duplicated 0",
        ]


def test_an_open_stream_does_not_keep_the_command_from_ending(tmp_path):
    with start(f"sqlite:{tmp_path}", "--port", "0") as server:
        server.wait_out("\n")
        with urllib.request.urlopen(server.out.strip() + "api/live", timeout=10) as stream:  # noqa: S310 - loopback
            assert stream.readline().startswith(b"data: ")
            server.interrupt()
            assert server.wait() == 0


def test_another_address_than_loopback_needs_the_printed_token(tmp_path):
    with start(f"sqlite:{tmp_path}", "--port", "0", "--host", "0.0.0.0") as server:  # noqa: S104 - what is tested
        server.wait_out("token=")
        printed = server.out.strip()
        port = printed.partition("0.0.0.0:")[2].partition("/")[0]
        token = printed.partition("token=")[2]
        assert len(token) >= 32
        here = f"http://127.0.0.1:{port}/"
        assert code_of(here) == 401
        assert code_of(f"{here}?token={token[:-1]}") == 403
        assert code_of(here, Host=f"evil.example:{port}") == 421
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(f"{here}?token={token}", timeout=10) as answer:
            assert answer.status == 200
            assert "token" not in answer.url
        assert "not encrypted" in server.err


def test_a_taken_port_is_an_error_with_a_remedy_unless_it_was_not_asked_for(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "farscope", "web", f"sqlite:{tmp_path}", "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert "--port 0 takes a free one" in done.stderr
    with start(f"sqlite:{tmp_path}") as one, start(f"sqlite:{tmp_path}") as other:
        one.wait_out("http://")
        other.wait_out("http://")
        assert one.out != other.out


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.7"])
def test_an_address_of_another_machine_is_refused(tmp_path, host):
    done = subprocess.run(
        [sys.executable, "-m", "farscope", "web", f"sqlite:{tmp_path}", "--host", host],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "address of this machine" in done.stderr
