"""Three servers behind HAProxy, with the configuration of docs/examples: each is restarted under load, and no request is
lost."""
import os
import re
import shutil
import socket
import subprocess
import time
import unittest

from servers import ROOT, ServeTest, Server, free_port, request, write_version

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
WRK = shutil.which("wrk")
EXAMPLE = os.path.join(ROOT, "docs", "examples", "serving", "haproxy.cfg")
SECONDS = int(os.environ.get("MLC_ROLLING_SECONDS", "12"))


@unittest.skipUnless(HAPROXY and WRK, "requires haproxy and wrk")
class RollingRestartTest(ServeTest):
    def setUp(self):
        super().setUp()
        write_version(self.path("half", "1"), "half_plus_two")
        self.flags = [f"--model_base_path={self.path('half')}", "--model_name=half", "--drain_notice_in_ms=1500", "--drain_timeout_in_ms=20000"]
        self.servers = [self.serve(*self.flags) for _ in range(3)]
        with open(EXAMPLE) as file:
            text = file.read()
        self.front = free_port()
        text = text.replace("127.0.0.1:9501", f"127.0.0.1:{self.front}").replace("127.0.0.1:9500", f"127.0.0.1:{free_port()}")
        for i, server in enumerate(self.servers):
            text = text.replace(f"10.0.0.1{i + 1}:8501", f"127.0.0.1:{server.rest_port}").replace(
                f"10.0.0.1{i + 1}:8500", f"127.0.0.1:{server.port}")
            text = re.sub(rf"(127\.0\.0\.1:{server.port} proto h2) port 8501", rf"\1 port {server.rest_port}", text)
        self.assertNotIn("10.0.0.", text)
        self.configuration = text
        with open(self.path("haproxy.cfg"), "w") as file:
            file.write(text)
        haproxy = subprocess.Popen([HAPROXY, "-db", "-f", self.path("haproxy.cfg")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(haproxy.wait)
        self.addCleanup(haproxy.terminate)
        self.url = f"http://127.0.0.1:{self.front}"
        end = time.monotonic() + 20
        while True:
            try:
                if request(self.url + "/v2/health/ready")[0] == 200:
                    break
            except OSError:
                pass
            self.assertLess(time.monotonic(), end, "haproxy does not answer")
            time.sleep(0.1)

    def script(self):
        with open(self.path("infer.lua"), "w") as file:
            file.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
                       'wrk.body = \'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[2,4]}]}\'\n'
                       'response = function(status, headers, body)\n'
                       '  if status ~= 200 or not body:find("3.0,4.0", 1, true) then wrong = (wrong or 0) + 1 end\nend\n'
                       'local threads = {}\nsetup = function(thread) table.insert(threads, thread) end\n'
                       'done = function(summary, latency, requests)\n'
                       '  local sum = 0\n  for _, thread in ipairs(threads) do sum = sum + (thread:get("wrong") or 0) end\n'
                       '  local e = summary.errors\n'
                       '  print("requests " .. summary.requests .. " wrong " .. sum .. " connect " .. e.connect .. " read " .. e.read ..\n'
                       '        " write " .. e.write .. " status " .. e.status .. " timeout " .. e.timeout)\nend\n')
        return self.path("infer.lua")

    def restart(self, index):
        old = self.servers[index]
        self.assertEqual(old.stop(), 0, "SIGTERM drains and ends well")
        self.servers[index] = self.serve(*self.flags, rest_port=old.rest_port, port=old.port)
        # As whoever rolls a fleet does: the next one only when this one serves again.
        time.sleep(1.5)

    def test_no_request_is_lost(self):
        load = subprocess.Popen([WRK, "-t2", "-c16", f"-d{SECONDS}s", "--timeout", "20s", "-s", self.script(), self.url + "/v2/models/half/infer"],
                                stdout=subprocess.PIPE, text=True)
        begin, restarts = time.monotonic(), 0
        while restarts < 3 or time.monotonic() - begin < SECONDS - 6:
            self.restart(restarts % 3)
            restarts += 1
            if load.poll() is not None:
                break
        out, _ = load.communicate(timeout=SECONDS + 60)
        self.assertGreaterEqual(restarts, 3)
        match = re.search(r"requests (\d+) wrong (\d+) connect (\d+) read (\d+) write (\d+) status (\d+) timeout (\d+)", out)
        self.assertTrue(match, out)
        requests, *lost = map(int, match.groups())
        self.assertGreater(requests, 500, out)
        self.assertEqual(lost, [0] * 6, out)

    def test_grpc_goes_through(self):
        """HTTP/2 on both sides: the front answers the preface of gRPC with settings of its own, and its servers are up."""
        port = int(re.search(r"frontend grpc\n.*bind 127\.0\.0\.1:(\d+)", self.configuration).group(1))
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            frame = connection.recv(9)
            self.assertEqual(frame[3], 4)  # SETTINGS


if __name__ == "__main__":
    unittest.main()
