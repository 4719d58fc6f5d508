"""Where the bytes of media are: the same promises of a folder, a bucket and a simulation's memory."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from bridge.engine.media.contents import Contents, Folder, Memory, NoContent
from bridge.engine.media.opening import open_contents
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BYTES = b"%PDF-1.7 " + bytes(range(256)) * 3000
DIGEST = hashlib.sha256(BYTES).hexdigest()


class FakeS3:
    """As much of S3 as is asked for, by path."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if request.method == "PUT":
            self.objects[path] = await request.read()
            return web.Response(headers={"ETag": '"e"'})
        if request.method == "DELETE":
            self.objects.pop(path, None)
            return web.Response(status=204)
        if request.method == "POST":  # several at once
            keys = re.findall(r"<Key>(.*?)</Key>", (await request.read()).decode())
            for key in keys:
                self.objects.pop(f"/bucket/{key}", None)
            gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            return web.Response(text=f"<DeleteResult>{gone}</DeleteResult>", content_type="application/xml")
        return self._given(request) if path in self.objects else web.Response(status=404)

    def _given(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        data, headers = self.objects[path], {"ETag": '"e"', "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
        if request.method == "HEAD":
            return web.Response(headers={**headers, "Content-Length": str(len(data))})
        if "Range" not in request.headers:
            return web.Response(body=data, headers=headers)
        part = request.http_range.indices(len(data))
        headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{len(data)}"
        return web.Response(status=206, body=data[slice(*part)], headers=headers)


@pytest.fixture(params=["folder", "bucket", "memory"])
async def contents(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Contents]:
    if request.param == "memory":
        yield Memory()
    elif request.param == "folder":
        yield open_contents(str(tmp_path / "kept"))
    else:
        runner = web.ServerRunner(web.Server(FakeS3().answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        settings = {"ENDPOINT_URL": f"http://127.0.0.1:{runner.addresses[0][1]}", "ALLOW_HTTP": "true"}
        for name, value in {**settings, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "s", "REGION": "r"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield open_contents("s3://bucket/media")
        await runner.cleanup()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def kept(contents: Contents, data: bytes = BYTES) -> str:
    draft = await contents.begin()
    for place in range(0, len(data), 300_001):
        await draft.write(data[place : place + 300_001])
    await contents.keep(draft)
    await contents.drop(draft)
    return draft.medium.sha256


async def test_what_is_kept_is_there_under_its_hash(contents: Contents, tmp_path: Path) -> None:
    assert await kept(contents) == await kept(contents) == DIGEST
    assert await contents.size(DIGEST) == len(BYTES)
    assert await contents.read(DIGEST) == BYTES
    assert await contents.read(DIGEST, 5, 500_000) == BYTES[5:500_000]
    with await contents.open(DIGEST) as file:
        assert file.read() == BYTES
    await contents.save(DIGEST, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == BYTES


async def test_what_is_removed_is_gone(contents: Contents) -> None:
    await kept(contents)
    await contents.remove(DIGEST)
    await contents.remove(DIGEST)
    for asking in (contents.size, contents.read, contents.open):
        with pytest.raises(NoContent):
            await asking(DIGEST)


async def test_what_is_not_kept_leaves_nothing(contents: Contents, tmp_path: Path) -> None:
    draft = await contents.begin()
    await draft.write(BYTES)
    await contents.drop(draft)
    with pytest.raises(NoContent):
        await contents.read(DIGEST)
    assert files_in(tmp_path) == []


async def test_a_folder_is_its_owners_alone_and_holds_each_content_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "kept")
    for _ in range(3):
        await kept(folder)
    files = files_in(tmp_path)
    assert files == [tmp_path / "kept" / DIGEST[:2] / DIGEST]
    assert oct(files[0].stat().st_mode & 0o777) == "0o600"
    assert {path.stat().st_mode & 0o777 for path in files[0].parents[:2]} == {0o700}


async def test_drafts_of_a_process_that_died_are_swept_away(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "kept")
    draft = await folder.begin()
    assert draft.path is not None
    born = draft.path.stat().st_mtime
    await folder.tidy(born + 3599)
    assert draft.path.exists()
    await folder.tidy(born + 3601)
    assert not draft.path.exists()
    await folder.drop(draft)


def test_a_bucket_without_its_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bridge.engine.media.bucket", None)
    with pytest.raises(ConfigError, match="pip install 'threadbridge"):
        open_contents("s3://bucket")
