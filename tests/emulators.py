"""Object stores on this machine, reached through the clients that reach the real ones."""

import contextlib
import http.client
import http.server
import os
import pathlib
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from conftest import free_addresses

BUCKET = "bucket"
_GOOGLE = ("www.googleapis.com", "storage.googleapis.com", "oauth2.googleapis.com")
# What concerns one connection, and is not passed on.
_HOP = {"host", "transfer-encoding", "expect", "content-length", "accept-encoding", "connection"}


@contextlib.contextmanager
def s3() -> Iterator[dict[str, str]]:
    """Amazon's S3, by moto; gives the variables by which its client finds it."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    (address,) = free_addresses(1)
    with _server("moto.server", "-p", address.rpartition(":")[2]) as log:
        _wait(f"http://{address}/", log)
        put = urllib.request.Request(f"http://{address}/{BUCKET}", method="PUT")
        urllib.request.urlopen(put).close()
        yield {
            "AWS_ENDPOINT_URL": f"http://{address}",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextlib.contextmanager
def google(folder: pathlib.Path) -> Iterator[dict[str, str]]:
    """Google's storage, by gcp-storage-emulator; gives the variables by which TensorFlow finds it.

    TensorFlow's client knows one address, by https. So a proxy takes what goes there to the
    emulator, with a certificate that the client is told to trust.
    """
    pytest.importorskip("gcp_storage_emulator")
    back, front = (int(address.rpartition(":")[2]) for address in free_addresses(2))
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ",".join(f"DNS:{name}" for name in _GOOGLE)
    try:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=emulator"),
                *("-addext", f"subjectAltName={names}"),
            ],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate of the emulator")
    options = ("--host=127.0.0.1", f"--port={back}", "--in-memory", f"--default-bucket={BUCKET}")
    with _server("gcp_storage_emulator", "start", *options) as log:
        _wait(f"http://127.0.0.1:{back}/", log)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        proxy = _Proxy(("127.0.0.1", front), _Tunnel)
        proxy.context, proxy.back = context, back
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield {
                "https_proxy": f"http://127.0.0.1:{front}",
                "CURL_CA_BUNDLE": str(certificate),
                "GOOGLE_AUTH_TOKEN_FOR_TESTING": "any",
                "NO_GCE_CHECK": "true",
            }
        finally:
            proxy.shutdown()


@contextlib.contextmanager
def _server(module: str, *arguments: str) -> Iterator[pathlib.Path]:
    """A Python module that serves until it is left; gives its log."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=log,
            stderr=log,
            env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        )
        try:
            yield pathlib.Path(log.name)
        finally:
            process.kill()
            process.wait()


def _wait(url: str, log: pathlib.Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"no server at {url}: {log.read_text()}")


class _Proxy(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    context: ssl.SSLContext
    back: int

    def handle_error(self, request, client_address) -> None:
        """A client that was killed is no news."""


class _Tunnel(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        secure = self.server.context.wrap_socket(self.connection, server_side=True)
        _Forward(secure, self.client_address, self.server)
        self.close_connection = True

    def log_message(self, *_) -> None:
        """Says nothing."""


class _Forward(_Tunnel):
    protocol_version = "HTTP/1.1"

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _pass_on(self) -> None:
        body = self._body()
        emulator = http.client.HTTPConnection("127.0.0.1", self.server.back)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        emulator.request(self.command, self.path, body, headers)
        answer = emulator.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() == "location":  # Of a session, at the address that the client knows.
                value = f"https://{_GOOGLE[0]}/" + value.split("/", 3)[3]
            if name.lower() not in _HOP | {"server", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _pass_on
