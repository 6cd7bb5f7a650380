"""The API over HTTPS, as old and as new clients speak it."""

import asyncio
import signal
import ssl
from pathlib import Path

import aiohttp
import pytest
from integration.support import APP_KEY, SECRET, StartBench
from integration.test_command import voicecall

from controller.api.certificate import self_signed
from controller.clock import SystemClock
from controller.settings import HttpSettings
from testbed.client import CALLNOTIFY, aksk_headers
from testbed.controller_process import controller_process

CALLEE = "+99901600001"


async def settings_with_certificate(directory: Path) -> HttpSettings:
    """Settings for HTTPS, and the files that `voicecall certificate` made for them."""
    files = HttpSettings(
        port=0, tls_certificate=str(directory / "tls.pem"), tls_key=str(directory / "tls.key")
    )
    (directory / "voicecall.toml").write_text(
        f'[http]\ntls_certificate = "{files.tls_certificate}"\ntls_key = "{files.tls_key}"\n'
    )
    status, said = await voicecall("certificate", "127.0.0.1", "localhost", directory=directory)
    assert status == 0, said
    return files


def client_context(certificate: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks one version of TLS and trusts this certificate alone."""
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_A4_5_given_a_client_of_one_tls_version_when_it_calls_over_https_then_the_call_is_made(
    bench: StartBench, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    files = await settings_with_certificate(tmp_path)
    b = await bench(phones={}, sections={"http": files})
    assert b.controller.url.startswith("https://127.0.0.1:")

    context = client_context(files.tls_certificate, version)
    async with aiohttp.ClientSession(b.controller.url) as http:
        headers = aksk_headers(APP_KEY, SECRET)
        async with http.post(
            CALLNOTIFY, json=b.request(callee=CALLEE), headers=headers, ssl=context
        ) as answer:
            told = await answer.json()

    assert told["resultdesc"] == "Success"
    await b.over(told["sessionId"])


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_client_that_knows_tls_1_1_alone_when_it_connects_then_it_is_refused(
    bench: StartBench, tmp_path: Path
) -> None:
    files = await settings_with_certificate(tmp_path)
    b = await bench(phones={}, sections={"http": files})
    context = client_context(files.tls_certificate, ssl.TLSVersion.TLSv1_2)
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    async with aiohttp.ClientSession(b.controller.url) as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get("/healthz", ssl=context)


@pytest.mark.requirement("E3")
async def test_E3_given_files_that_are_there_when_a_certificate_is_asked_for_then_they_stay(
    tmp_path: Path,
) -> None:
    files = await settings_with_certificate(tmp_path)
    before = Path(files.tls_certificate).read_text(), Path(files.tls_key).read_text()

    status, said = await voicecall("certificate", "localhost", directory=tmp_path)

    assert status == 2
    assert "is there already" in said
    assert (Path(files.tls_certificate).read_text(), Path(files.tls_key).read_text()) == before
    assert Path(files.tls_key).stat().st_mode & 0o077 == 0


@pytest.mark.requirement("E3")
async def test_E3_given_a_certificate_without_its_key_when_settings_are_read_then_that_is_said(
    tmp_path: Path,
) -> None:
    (tmp_path / "voicecall.toml").write_text('[http]\ntls_certificate = "tls.pem"\n')

    status, said = await voicecall("settings", directory=tmp_path)

    assert status == 2
    assert "tls_certificate and tls_key go together" in said


@pytest.mark.requirement("E3")
async def test_E3_given_a_renewed_certificate_when_sighup_comes_then_new_connections_get_it(
    bench: StartBench, tmp_path: Path
) -> None:
    files = await settings_with_certificate(tmp_path)
    b = await bench(phones={}, sections={"http": files}, controller=False)
    async with controller_process(b.home.settings, tmp_path / "controller") as process:
        port = int(process.url.rpartition(":")[2])
        made = self_signed(["127.0.0.1"], SystemClock().now())
        before = await served_certificate(port)
        Path(files.tls_key).write_text(made.key)

        process.send(signal.SIGHUP)
        await said(process.log, "the old certificate stays")
        kept = await served_certificate(port)
        Path(files.tls_certificate).write_text(made.certificate)
        process.send(signal.SIGHUP)
        after = await certificate_other_than(before, port)

    assert kept == before
    assert after.strip() == made.certificate.strip()


async def said(log: Path, text: str) -> None:
    async with asyncio.timeout(20):
        while text not in log.read_text("utf-8", "replace"):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)


async def served_certificate(port: int) -> str:
    return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))


async def certificate_other_than(before: str, port: int) -> str:
    async with asyncio.timeout(20):
        while (after := await served_certificate(port)) == before:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.02)
    return after
