"""What the tests of a running server share: version directories of fake models, servers, requests."""
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.environ.get("MLC_BIN", os.path.join(ROOT, "build", "release", "bin"))
SERVE = os.path.join(BIN, "mlc-serve")
FAKES = os.path.join(BIN, "..", "test", "models")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def write_version(folder, fake="half_plus_two", files={}):
    """Makes a version directory of a fake model, with further files by name; it appears by a rename."""
    staging = folder.rstrip("/") + ".staging"
    os.makedirs(staging)
    shutil.copy(os.path.join(FAKES, f"lib{fake}.so"), os.path.join(staging, "libmodel.so"))
    for name, text in files.items():
        with open(os.path.join(staging, name), "w") as file:
            file.write(text)
    entries = {}
    for name in sorted(os.listdir(staging)):
        with open(os.path.join(staging, name), "rb") as file:
            data = file.read()
        entries[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"format": 1, "library": "libmodel.so", "files": entries, "compiler": "test", "created": "2026-01-31T12:00:00Z",
                "source": {"file": fake + ".onnx", "sha256": hashlib.sha256(fake.encode()).hexdigest(), "commit": ""}}
    with open(os.path.join(staging, "manifest.json"), "w") as file:
        json.dump(manifest, file)
    os.rename(staging, folder)


class Server:
    """A process of mlc-serve on ports of its own."""

    def __init__(self, *flags, rest_port=None, port=None, log=None, program=SERVE):
        self.rest_port, self.port = rest_port or free_port(), port or free_port()
        self.url = f"http://127.0.0.1:{self.rest_port}"
        command = [program, f"--port={self.port}", f"--rest_api_port={self.rest_port}", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log or subprocess.DEVNULL)

    def wait_until_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"mlc-serve ended with {self.process.returncode}")
            try:
                if request(self.url + "/v2/health/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("mlc-serve is not ready")

    def stop(self, seconds=60):
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def request(url, body=None, headers={}, method=None):
    """Returns status, headers and body of an answer, whatever the status."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class ServeTest(unittest.TestCase):
    """A test with a folder of its own, and servers that end with it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mlc-serve-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def serve(self, *flags, **options):
        server = Server(*flags, **options)
        self.addCleanup(server.kill)
        server.wait_until_ready()
        return server
