"""The client of the control socket: how a command asks the bridge that is running."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

from bridge.control import NOT_FOUND, reachable, socket_path
from bridge.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 30.0


class Control:
    """Asks the bridge that owns a database."""

    def __init__(self, database: Path) -> None:
        """Nothing is opened yet."""
        self._path = socket_path(database)

    def ask(self, letter_id: str, verb: str) -> str | None:
        """Have a dead letter replayed or dropped (`verb`). None when it was done, else why it was not.

        Raises:
            ConnectionRefusedError: no bridge is listening there.
            Unavailable: it did not answer.
        """
        connection = _UnixConnection(self._path)
        try:
            connection.request("POST", f"/dead/{quote(letter_id, safe='')}/{verb}")
            answer = connection.getresponse()
            said = (
                json.loads(answer.read() or b"{}") if answer.status != http.client.NOT_FOUND else {"error": NOT_FOUND}
            )
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
