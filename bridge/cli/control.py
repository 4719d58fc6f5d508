"""The client of the control socket, through which a command asks the running bridge."""

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
    """A connection to the bridge that owns a database."""

    def __init__(self, database: Path) -> None:
        """Opens nothing."""
        self._path = socket_path(database)

    def ask(self, kind: str, id_: str, verb: str, *, missing: str, body: str = "") -> str | None:
        """Ask for `verb` on the item of a `kind` and id; None when it is done, else the reason for the refusal.

        `missing` is the reason for an unknown id; `body` is the text that goes with the verb.

        Raises:
            ConnectionRefusedError: no bridge listens there.
            Unavailable: the bridge did not answer.
        """
        connection = _UnixConnection(self._path)
        try:
            connection.request("POST", f"/{kind}/{quote(id_, safe='')}/{verb}", body=body.encode())
            answer = connection.getresponse()
            refusal = {"error": missing}
            if answer.status != http.client.NOT_FOUND:
                refusal = json.loads(answer.read() or b"{}")
        except (http.client.HTTPException, ConnectionResetError, BrokenPipeError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the running bridge did not answer ({type(error).__name__})") from None
        finally:
            connection.close()
        return None if answer.status == http.client.OK else str(refusal.get("error", f"refused ({answer.status})"))


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

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
