"""Certificates made for the run by the openssl command: an authority, a server, clients."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    file: Path
    key: Path


class Authority:
    """A certificate authority of one test, in a folder of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.own = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
        self._openssl(
            "req", "-x509", *self._new_key(self.own), "-days", "2", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-out", str(self.own.file),
        )  # fmt: skip

    def issue(self, common_name: str, *alternatives: str) -> Certificate:
        """A certificate for that common name, with alternative names such as `DNS:epr.test`."""
        name = self._folder / f"{self.own.file.stem}-{common_name}"
        made = Certificate(name.with_suffix(".pem"), name.with_suffix(".key"))
        request, extensions = name.with_suffix(".csr"), name.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={','.join(alternatives)}\n" if alternatives else "")
        self._openssl("req", *self._new_key(made), "-subj", f"/CN={common_name}", "-out", str(request))
        self._openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.own.file), "-CAkey", str(self.own.key),
            "-CAcreateserial", "-days", "2", "-extfile", str(extensions), "-out", str(made.file),
        )  # fmt: skip
        return made

    @staticmethod
    def _new_key(certificate: Certificate) -> tuple[str, ...]:
        return (
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(certificate.key)),
        )

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], capture_output=True, check=True)
