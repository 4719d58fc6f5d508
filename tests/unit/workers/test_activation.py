"""What systemd hands over, and what it is told."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from bridge.errors import ConfigError
from bridge.workers import activation
from bridge.workers.activation import inherited_sockets, notify
from bridge.workers.address import bound, check_address

if TYPE_CHECKING:
    from pathlib import Path


def environment(opened: socket.socket, monkeypatch: pytest.MonkeyPatch, pid: int | None = None) -> dict[str, str]:
    """As systemd leaves it, with a socket that has the first descriptor."""
    monkeypatch.setattr(activation, "_FIRST", opened.fileno())
    os.set_inheritable(opened.fileno(), True)
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "HOME": "/"}


def test_a_listening_socket_is_taken_and_no_child_takes_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    (opened,) = bound("127.0.0.1", 0)
    told = environment(opened, monkeypatch)
    (taken,) = inherited_sockets(told)
    assert taken.getsockname() == opened.getsockname()
    assert not os.get_inheritable(taken.fileno())
    assert told == {"HOME": "/"}
    opened.detach()
    taken.close()


def test_sockets_of_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with bound("127.0.0.1", 0)[0] as opened:
        assert inherited_sockets(environment(opened, monkeypatch, pid=1)) == []
    assert inherited_sockets({}) == []


def test_what_does_not_listen_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as opened:
        told = environment(opened, monkeypatch)
        with pytest.raises(ValueError, match=r"web \(descriptor \d+\) is no listening TCP socket"):
            inherited_sockets(told)


def test_a_socket_elsewhere_than_configured_is_refused() -> None:
    with bound("127.0.0.1", 0)[0] as opened:
        port = opened.getsockname()[1]
        check_address([opened], "127.0.0.1", port, "x.toml")
        for host, other in (("127.0.0.1", port + 1), ("127.0.0.2", port), ("0.0.0.0", port)):
            with pytest.raises(ConfigError, match=rf"x\.toml: server\.port: .* at 127\.0\.0\.1 port {port}"):
                check_address([opened], host, other, "x.toml")


def test_a_host_of_no_name_is_a_name_that_does_not_resolve() -> None:
    with pytest.raises(socket.gaierror, match=r"a\.\.b is no host name"):
        bound("a..b", 0)


@pytest.mark.parametrize("prefix", ["", "@"])
def test_the_service_manager_hears_what_is_told(prefix: str, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{path}" if prefix else path)
        notify("READY=1", "STATUS=fine", environment={"NOTIFY_SOCKET": f"{prefix}{path}"})
        assert manager.recv(100) == b"READY=1\nSTATUS=fine"


def test_a_service_manager_that_is_gone_or_wants_nothing_stops_nobody(tmp_path: Path) -> None:
    for address in ("", "nonsense", str(tmp_path / "nobody")):
        notify("READY=1", environment={"NOTIFY_SOCKET": address})
