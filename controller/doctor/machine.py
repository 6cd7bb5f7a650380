"""This machine: its name, its folders, its certificate."""

import os
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from controller.api.certificate import expiry
from controller.api.listener import tls_context
from controller.doctor.finding import Finding, fault, ok, warning
from controller.settings import HttpSettings

_RENEWAL = timedelta(days=21)
"""A certificate that lasts no longer is worth a warning."""


def host_name(name: str, resolve: Callable[[str], object]) -> Finding:
    """Asterisk stalls every call for seconds when it can't resolve its own host name."""
    try:
        resolve(name)
    except OSError:
        return fault(
            "host name",
            f"{name} does not resolve, which stalls every call for seconds",
            f"add a line to /etc/hosts: 127.0.1.1 {name}",
        )
    return ok("host name", f"{name} resolves")


def writable(name: str, directory: Path, remedy: str, *, make: bool = True) -> Finding:
    """A file can be written in the directory."""
    try:
        if make:
            directory.mkdir(parents=True, exist_ok=True)
        if not directory.is_dir():
            return fault(name, f"{directory} does not exist", remedy)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return fault(name, f"{directory} can't be written: {error.strerror}", remedy)
    return ok(name, f"{directory} can be written")


def tls(http: HttpSettings, now: datetime) -> Finding:
    """The certificate can be used, belongs to its key, and has not expired."""
    name = "certificate"
    if not http.tls_certificate:
        return ok(name, "none: the API speaks plain HTTP")
    try:
        tls_context(http)
        expires_at = expiry(Path(http.tls_certificate).read_bytes())
    except (OSError, ValueError) as error:
        return fault(name, str(error), "renew the files, or set http.tls_certificate and http.tls_key")
    left = expires_at - now
    if left <= timedelta(0):
        return fault(name, f"expired on {expires_at:%Y-%m-%d}", "renew it and send the controller SIGHUP")
    if left < _RENEWAL:
        return warning(name, f"expires on {expires_at:%Y-%m-%d}", "renew it, then SIGHUP")
    return ok(name, f"belongs to its key; expires on {expires_at:%Y-%m-%d}")
