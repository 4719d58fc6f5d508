"""What keeps a process of threadbridge's own small; an application of somebody else's imports as it likes."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDLESS: Final = {
    "structlog": ("rich", "greenlet"),  # for tracebacks, and ours are plain; for contexts in greenlets
    "frozenlist": ("frozenlist._frozenlist",),  # the same in C++, for lists that a message does not meet
}
"""What a package takes where it is there, and does without where it is not."""
_READS: Final = "set_default_verify_paths"


def import_slim() -> None:
    """Import structlog without rich, which takes 3 MB for good, and nothing that takes a MB for C++'s library.

    Whatever needs these itself, imports them later as usual.
    """
    for package, needless in _NEEDLESS.items():
        if package not in sys.modules:
            _import_without(package, [name for name in needless if name not in sys.modules])


@contextmanager
def unread_certificates() -> Iterator[None]:
    """What makes a context of TLS meanwhile, reads the certificates of authorities for its first connection.

    aiohttp makes two when it is imported, for clients that may never be: each takes 1 MB and 20 ms.
    """
    setattr(SSLContext, _READS, _read_later)
    try:
        yield
    finally:
        delattr(SSLContext, _READS)


class _Unread(SSLContext):
    """A context without the certificates of authorities, until it is to verify one."""

    def wrap_bio(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - as ssl has it
        """See ssl.SSLContext."""
        return _read(self).wrap_bio(*given, **named)

    def wrap_socket(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - as ssl has it
        """See ssl.SSLContext."""
        return _read(self).wrap_socket(*given, **named)


def _read_later(context: SSLContext) -> None:
    if type(context) is SSLContext:
        context.__class__ = _Unread
    else:  # somebody else's kind of context stays what it is
        super(SSLContext, context).set_default_verify_paths()


def _read(context: SSLContext) -> SSLContext:
    context.set_default_verify_paths()
    context.__class__ = SSLContext  # last: another thread may be about to connect with it
    return context


def _import_without(package: str, left_out: list[str]) -> None:
    absent: Any = None  # what makes an import fail
    sys.modules.update(dict.fromkeys(left_out, absent))
    try:
        import_module(package)
    finally:
        for name in left_out:
            del sys.modules[name]
