"""The client of the control socket, through which a command asks the running bridge."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bridge.errors import HandlerError, Unavailable
from bridge.web.control_protocol import BROADCAST, KEEP, SEND, STATUS, reachable, socket_path

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        status, answer = self._exchange("POST", f"/{kind}/{quote(id_, safe='')}/{verb}", body)
        if status == http.client.OK:
            return None
        return missing if status == http.client.NOT_FOUND else str(answer.get("error", f"refused ({status})"))

    def send(self, asked: Mapping[str, object]) -> str:
        """Ask for a message to be sent, as control_protocol.SEND says; its id.

        Raises:
            ConnectionRefusedError: no bridge listens there.
            HandlerError: the bridge refuses it; the text says why.
            Unavailable: the bridge did not answer.
        """
        status, answer = self._exchange("POST", SEND, json.dumps(asked))
        if status != http.client.OK:
            raise HandlerError(str(answer.get("error", f"refused ({status})")))
        return str(answer["id"])

    def keep(self, verb: str, asked: Mapping[str, object]) -> dict[str, Any]:
        """Ask for a piece of housekeeping, as control_protocol.KEEP says; what it answers.

        Raises:
            ConnectionRefusedError: no bridge listens there.
            Unavailable: the bridge refuses it, or did not answer.
        """
        status, answer = self._exchange("POST", KEEP.format(verb=quote(verb)), json.dumps(asked))
        if status != http.client.OK:
            raise Unavailable(str(answer.get("error", f"the running bridge refused it ({status})")))
        return answer

    def compose(self, verb: str, asked: Mapping[str, object]) -> dict[str, Any]:
        """Ask about a broadcast, as control_protocol.BROADCAST says; what it answers.

        Raises:
            ConnectionRefusedError: no bridge listens there.
            HandlerError: the bridge refuses it; the text says why.
            Unavailable: the bridge did not answer.
        """
        status, answer = self._exchange("POST", BROADCAST.format(verb=quote(verb)), json.dumps(asked))
        if status != http.client.OK:
            raise HandlerError(str(answer.get("error", f"refused ({status})")))
        return answer

    def listens(self) -> bool:
        """Whether a bridge listens there, perhaps for another user."""
        connection = _UnixConnection(self._path)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
        finally:
            connection.close()
        return True

    def status(self) -> dict[str, Any]:
        """What control_protocol.STATUS answers.

        Raises:
            ConnectionRefusedError: no bridge listens there.
            OSError: this user may not ask.
            Unavailable: the bridge did not answer.
        """
        status, answer = self._exchange("GET", STATUS)
        if status != http.client.OK:
            raise Unavailable(f"the running bridge did not answer ({status})")
        return answer

    def _exchange(self, method: str, target: str, body: str = "") -> tuple[int, dict[str, Any]]:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, target, body=body.encode())
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (http.client.HTTPException, ConnectionResetError, BrokenPipeError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the running bridge did not answer ({type(error).__name__})") from None
        finally:
            connection.close()


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
