"""Replay a Dockerfile in clean Debian roots: ``replay_dockerfile.py FILE FOLDER [MOUNT ...]``.

For machines without a container daemon. Needs root, debootstrap and Debian's archive. Every stage
gets a root of its own in FOLDER; COPY, ENV, RUN, USER, WORKDIR and CMD are done as Docker does
them, as far as our files use them. MOUNT: folders of this machine that are seen inside as well
(a package index on disk, say). At the end the last stage's command runs as its user.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHROOT = shutil.which("chroot") or "/usr/sbin/chroot"
CERTIFICATES = "/etc/replay.crt"  # this machine's, for package indexes
KEPT = ("PIP_", "http_proxy", "https_proxy", "no_proxy")


def steps(path: Path) -> list[tuple[str, str]]:
    """(instruction, rest) of every line; continued lines are joined, comments left out."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, rest in lines]


class Stage:
    """One root, and what ENV, USER and WORKDIR have said of it."""

    def __init__(self, place: Path, image: str, mounts: list[str]) -> None:
        suite = re.fullmatch(r"debian:(\w+)-slim", image)
        if suite is None:
            sys.exit(f"{image}: expected debian:SUITE-slim")
        self.place, self.mounts = place, ["/proc", *mounts]
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}  # noqa: S108
        self.user, self.folder, self.entry = "0", "/", [""]
        command = ["debootstrap", "--variant=minbase", suite[1], str(place)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        shutil.copy("/etc/resolv.conf", place / "etc" / "resolv.conf")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", place / CERTIFICATES[1:])

    def run(self, command: list[str]) -> None:
        """Run a command inside."""
        user = [] if self.user == "0" else [f"--userspec={self.user}:{self.user}"]
        inside = f"cd {shlex.quote(self.folder)} && exec {shlex.join(command)}"
        kept = {key: value for key, value in os.environ.items() if key.startswith(KEPT)}
        kept |= dict.fromkeys(("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), CERTIFICATES)
        for path in self.mounts:
            (self.place / path[1:]).mkdir(parents=True, exist_ok=True)
            bind = ["mount", "--bind", path, str(self.place / path[1:])]
            subprocess.run(bind, check=True)
        try:
            subprocess.run(
                [CHROOT, *user, str(self.place), "/bin/sh", "-c", inside],
                env={**kept, **self.environment},
                check=True,
            )
        finally:
            for path in self.mounts:
                subprocess.run(["umount", str(self.place / path[1:])], check=True)

    def copy(self, words: list[str], stages: dict[str, Stage]) -> None:
        """COPY of the context as git knows it, or of another stage."""
        if words[0].startswith("--from="):
            source = stages[words[0].removeprefix("--from=")].place / words[1][1:]
            command = f"tar -C {source.parent} -c {source.name}"
            target = self.place / Path(words[2][1:]).parent
        else:
            command = f"git -C {ROOT} ls-files -z | tar -C {ROOT} -c --null -T -"
            target = self.place / words[1][1:]
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{command} | tar -C {target} -x"], check=True
        )


def main(file: Path, folder: Path, mounts: list[str]) -> None:
    """Replay the file."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for number, (name, rest) in enumerate(steps(file)):
        print(f"{name} {rest}"[:120], flush=True)
        if name == "FROM":
            words = rest.split()
            key = words[2] if len(words) > 2 else "last"
            stage = stages[key] = Stage(folder / f"{number}-{key}", words[0], mounts)
        elif stage is None:
            sys.exit(f"{name}: expected FROM first")
        elif name == "RUN":
            stage.run(["/bin/sh", "-ec", rest])
        elif name == "COPY":
            stage.copy(rest.split(), stages)
        elif name in ("ENV", "ARG"):
            stage.environment |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif name == "USER":
            stage.user = rest
        elif name == "WORKDIR":
            stage.folder = rest
        elif name == "ENTRYPOINT":
            stage.entry = json.loads(rest)
    last = stages["last"]
    for words in (["--version"], ["doctor"], ["run", "test://64x48@30", "-o", "null", "-n", "5"]):
        last.run([*last.entry, *words])
    print(f"{file}: every step worked")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
