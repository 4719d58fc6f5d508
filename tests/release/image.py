"""The steps of docs/deploy/Dockerfile without a container engine, as root: `python -m tests.release.image FOLDER`.

FOLDER gets a base from Debian's packages (debootstrap), a tree for each stage, and the image: the last of them. It is
run as the pages say: root mounted read-only, user 10001 without capabilities, a network of its own, a writable /data.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
DOCKERFILE: Final = ROOT / "docs" / "deploy" / "Dockerfile"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BASE: Final = ("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "trixie")
_SECONDS: Final = 60
_MOUNTED: Final = """\
set -e
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --bind /dev "$ROOT/dev"
"""
_TO_BUILD: Final = f"""{_MOUNTED}
mount --bind /etc/ssl/certs "$ROOT/etc/ssl/certs"
mount --bind /etc/resolv.conf "$ROOT/etc/resolv.conf"
exec chroot "$ROOT" "$@"
"""
_TO_RUN: Final = f"""ip link set lo up
{_MOUNTED}
mount -t tmpfs tmpfs "$ROOT/tmp"
mount --bind "$DATA" "$ROOT/data"
mount --bind "$BOT" "$ROOT/bot"
mount -o remount,ro,bind "$ROOT/bot"
mount -o remount,ro,bind "$ROOT"
exec chroot "$ROOT" "$@"
"""
_SECRET: Final = "inbound-password-0123456789"
_BOT: Final = """
[handlers]
load = ["handlers.menu"]
[accounts.shop]
provider = "konnek"
client_id = "demo"
base_url = "http://127.0.0.1:9"
channels = ["whatsapp"]
username = "env:OUT"
password = "env:OUT"
[accounts.shop.inbound]
auth = "headers"
username = "env:IN"
password = "env:IN"
"""
_POST: Final = f"""
import json, urllib.request
body = json.dumps({{"from": {{"username": "6281234500099"}}, "message": {{"id": "m-1", "type": "text", "text": "hi"}}}})
headers = {{"Content-Type": "application/json", "Auth-username": "{_SECRET}", "Auth-password": "{_SECRET}"}}
asked = urllib.request.Request("http://127.0.0.1:8080/webhooks/shop/whatsapp", body.encode(), headers)
print(urllib.request.urlopen(asked, timeout=5).status)
"""


@dataclass
class Stage:
    """A stage of the Dockerfile, as far as its steps were taken."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    folder: str = "/"
    user: str = "0:0"
    words: dict[str, list[str]] = field(default_factory=dict)

    def inside(self, path: str) -> Path:
        return self.root / str(Path(self.folder) / path).lstrip("/")


def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, with their arguments."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE))
    return [(word, rest.strip()) for word, rest in re.findall(r"^([A-Z]+) (.+)$", text, re.MULTILINE)]


def _begin(base: Path, root: Path) -> Stage:
    """A stage whose tree is that of the base, which is made if it is not there."""
    if not (base / "usr/local/bin/python").is_symlink():
        subprocess.run([*_BASE, str(base)], check=True)
        (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(base, root, symlinks=True, ignore=shutil.ignore_patterns("dev", "proc"))
    for empty in ("dev", "proc"):
        (root / empty).mkdir()
    return Stage(root)


def build(folder: Path) -> Stage:
    """Take the steps one by one; the last stage is the image."""
    base, stages, stage = folder / "base", dict[str, Stage](), Stage(folder)
    for word, rest in steps():
        sys.stdout.write(f"{word} {rest[:100]}\n")
        sys.stdout.flush()
        match word:
            case "FROM":
                name = rest.partition(" AS ")[2] or "image"
                stage = stages[name] = _begin(base, folder / name)
            case "ENV":
                stage.environment |= {
                    key: Template(value).safe_substitute(stage.environment)
                    for key, _, value in (pair.partition("=") for pair in shlex.split(rest))
                }
            case "RUN":
                _inside(stage, ["sh", "-c", f"cd {stage.folder} && {rest}"])
            case "COPY":
                _copy(stage, stages, rest)
            case "WORKDIR":
                stage.folder = rest
                stage.inside("").mkdir(parents=True, exist_ok=True)
            case "USER":
                stage.user = rest
            case _:
                stage.words[word] = json.loads(rest[rest.index("[") :]) if "[" in rest else [rest]
    return stage


def _copy(stage: Stage, stages: dict[str, Stage], rest: str) -> None:
    *sources, target = rest.split()
    home = stages[sources.pop(0).removeprefix("--from=")].root if sources[0].startswith("--from=") else ROOT
    for name in sources:
        source, to = home / name.lstrip("/"), stage.inside(target)
        if source.is_dir():
            skipped = shutil.ignore_patterns("__pycache__") if home == ROOT else None
            shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True, ignore=skipped)
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to)


def _inside(stage: Stage, command: Sequence[str]) -> None:
    """Run a step of the build, with the network of this machine."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT"))}
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", _TO_BUILD, "sh", *command],
        env={**passed, **stage.environment, "ROOT": str(stage.root)},
        check=True,
    )


class Container:
    """The image as a process: what `docker run --read-only --tmpfs /tmp --cap-drop ALL` would start."""

    def __init__(self, image: Stage, folder: Path) -> None:
        self._image = image
        uid, _, gid = image.user.partition(":")
        rights = ("--reuid", uid, "--regid", gid, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all")
        variables = {**image.environment, "THREADBRIDGE_STORAGE__URL": "sqlite:////data/threadbridge.db"}
        variables |= {"OUT": "outbound-password-012345", "IN": _SECRET, "HOME": "/data"}
        pairs = [f"{name}={value}" for name, value in variables.items()]
        self._as_user = ["setpriv", *rights, "--no-new-privs", "env", "-i", "-C", image.folder, *pairs]
        data, bot = folder / "data", folder / "bot"
        for made in (data, bot):
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
        os.chown(data, int(uid), int(gid))
        (bot / "threadbridge.toml").write_text(_BOT, "utf-8")
        command = [*self._as_user, *image.words["ENTRYPOINT"], *image.words["CMD"]]
        namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        paths = {"ROOT": str(image.root), "DATA": str(data), "BOT": str(bot), "PATH": _PATH}
        self._parent = subprocess.Popen([*namespaces, "sh", "-c", _TO_RUN, "sh", *command], env=paths)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What `docker exec` would do."""
        entered = ["nsenter", "--target", str(self._first), "--mount", "--net", "--pid", "--root", *self._as_user]
        return subprocess.run([*entered, *command], capture_output=True, text=True, check=False)

    @property
    def _first(self) -> int:
        children = Path(f"/proc/{self._parent.pid}/task/{self._parent.pid}/children")
        return int((children.read_text().split() or ["0"])[0])

    def wait_until_healthy(self) -> None:
        """Ask as HEALTHCHECK does, until it is content."""
        until = time.monotonic() + _SECONDS
        while not self._first or self.execute(*self._image.words["HEALTHCHECK"]).returncode:
            if time.monotonic() > until or self._parent.poll() is not None:
                raise SystemExit("the health check never passed")
            time.sleep(0.5)

    def stop(self) -> int:
        """SIGTERM to the first process, and its exit code."""
        os.kill(self._first, signal.SIGTERM)
        return self._parent.wait(_SECONDS)


def try_out(image: Stage, folder: Path) -> list[str]:
    """Run the image, use it as the page on containers does, and return what was seen."""
    container = Container(image, folder)
    container.wait_until_healthy()
    status = container.execute("grep", "-E", "^(Uid|CapEff|CapBnd|NoNewPrivs)", "/proc/1/status").stdout
    writable = [
        path
        for path in ("/", "/bot", "/opt/threadbridge", "/etc", "/tmp", "/data")
        if container.execute("touch", f"{path.rstrip('/')}/tried").returncode == 0
    ]
    seen = [
        "healthy",
        " ".join(status.split()),
        f"writable: {' '.join(writable)}",
        f"webhook: {container.execute('python', '-c', _POST).stdout.strip()}",
        f"status: {container.execute('threadbridge', 'status').returncode}",
        f"backup: {container.execute('threadbridge', 'backup', '/data/monday.db').returncode}",
        f"pip: {container.execute('python', '-m', 'pip').returncode}",
    ]
    return [*seen, f"stopped: {container.stop()}"]


def main(folder: Path) -> None:
    """Build, run, and print what was seen."""
    folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.write("\n".join(try_out(build(folder), folder)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
