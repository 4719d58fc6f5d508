"""The client of the control socket: how a command asks the bridge that is running."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

from bridge.errors import Unavailable
from bridge.web.control_protocol import reachable, socket_path

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 30.0


class Control:
    """Asks the bridge that owns a database."""

    def __init__(self, database: Path) -> None:
        """Nothing is opened yet."""
        self._path = socket_path(database)

    def ask(self, kind: str, id_: str, verb: str, *, missing: str, told: str = "") -> str | None:
        """Have something done (`verb`) with one of a `kind`, see bridge.control. None when it was, else why it was not.

        `missing` is said of an id that is none.

        Raises:
            ConnectionRefusedError: no bridge is listening there.
            Unavailable: it did not answer.
        """
        connection = _UnixConnection(self._path)
        try:
            connection.request("POST", f"/{kind}/{quote(id_, safe='')}/{verb}", body=told.encode())
            answer = connection.getresponse()
            said = {"error": missing}
            if answer.status != http.client.NOT_FOUND:
                said = json.loads(answer.read() or b"{}")
        except (http.client.HTTPException, ConnectionResetError, BrokenPipeError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the running bridge did not answer ({type(error).__name__})") from None
        finally:
            connection.close()
        return None if answer.status == http.client.OK else str(said.get("error", f"refused ({answer.status})"))


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_PATIENCE)
        try:
            with reachable(self._path) as address:
                self.sock.connect(address)
        except FileNotFoundError:
            raise ConnectionRefusedError from None
