"""TensorFlow Serving's REST API of a running server, with curl and with clients that misbehave."""
import gzip
import json
import os
import socket
import subprocess
import unittest

from servers import Server, ServeTest, request, write_version


def curl(*arguments):
    """Status and body."""
    done = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", *arguments], capture_output=True, text=True, timeout=60)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body or done.stderr


def exchange(port, data, seconds=20):
    """What a server answers to bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass  # it has answered and closed
        answer = b""
        try:
            while part := connection.recv(1 << 16):
                answer += part
        except ConnectionResetError:
            pass
        return answer


class TensorFlowRest(ServeTest):
    def half(self, *flags):
        write_version(self.path("1"), "half_plus_three")
        server = self.serve("--model_name=half", f"--model_base_path={self.folder}", *flags)
        self.models = server.url + "/v1/models/half"
        return server

    def test_curl_gets_predictions(self):
        self.half()
        self.assertEqual(curl("-d", '{"instances": [[1.0], [2.0], [5.0]]}', self.models + ":predict"),
                         (200, '{"predictions": [[3.5], [4.0], [5.5]]}'))
        self.assertEqual(curl("-d", '{"inputs": {"x": [[NaN]]}}', self.models + "/versions/1:predict"), (200, '{"outputs": [[NaN]]}'))
        self.assertEqual(curl("-d", '{"examples": [{"x": 1.0}]}', self.models + ":regress"), (200, '{"results": [3.5]}'))
        status, body = curl(self.models)
        self.assertEqual((status, json.loads(body)["model_version_status"][0]["state"]), (200, "AVAILABLE"))
        status, body = curl(self.models + "/metadata")
        self.assertEqual(json.loads(body)["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["x"]["dtype"], "DT_FLOAT")
        status, body = curl("-d", "{}", self.models[:-4] + "other:predict")
        self.assertEqual((status, json.loads(body)), (404, {"error": "Servable not found for request: Latest(other)"}))
        self.assertEqual(curl("-d", "{}", self.models + ":predict?x=1")[0], 400)
        # Expect: 100-continue, which curl sends with large bodies; and a body that is compressed.
        rows = json.dumps({"instances": [[float(i % 10)] for i in range(300_000)]})
        for name, data in (("rows.json", rows.encode()), ("rows.gz", gzip.compress(rows.encode()))):
            with open(self.path(name), "wb") as file:
                file.write(data)
        for more in (("rows.json", "Expect: 100-continue"), ("rows.json", "Transfer-Encoding: chunked"), ("rows.gz", "Content-Encoding: gzip")):
            status, body = curl("--data-binary", "@" + self.path(more[0]), "-H", more[1], self.models + ":predict")
            self.assertEqual((status, len(json.loads(body)["predictions"])), (200, 300_000), more)

    def test_hostile_requests_get_their_status_and_leave_the_server_well(self):
        server = self.half("--max_body_bytes=1000000", "--max_inflated_bytes=2000000")
        post = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        deep = b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        bomb = gzip.compress(b" " * 50_000_000)
        body = lambda data, more=b"": post + more + b"Content-Length: %d\r\n\r\n" % len(data) + data
        for data, status in ((body(deep), 400), (body(bomb, b"Content-Encoding: gzip\r\n"), 413), (body(b"x" * 1_000_001), 413),
                             (post + b"Transfer-Encoding: chunked\r\n\r\n" + b"fffff\r\n" + b"x" * 0xfffff + b"\r\n0\r\n\r\n", 413),
                             (b"\0" * 1000, 400), (b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", 431),
                             (body(b'{"instances": [[1]]}', b"Transfer-Encoding: chunked\r\n"), 400)):
            answer = exchange(server.rest_port, data)
            self.assertEqual(answer.split(b" ")[1:2], [b"%d" % status], (data[:100], answer[:200]))
        self.assertEqual(request(self.models + ":predict", {"instances": [[1.0]]})[0], 200)
        self.assertIsNone(server.process.poll())

    def test_large_bodies_are_served_up_to_the_limit(self):
        server = self.half()

        def most_memory():  # KiB
            with open(f"/proc/{server.process.pid}/status") as file:
                return int(file.read().split("VmHWM:")[1].split()[0])

        body = b'{"instances": [[1.0]]' + b" " * 100_000_000 + b"}"
        answer = exchange(server.rest_port, b"POST /v1/models/half:predict HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                          b"Content-Length: %d\r\n\r\n" % len(body) + body, 60)
        self.assertTrue(answer.endswith(b'{"predictions": [[3.5]]}'), answer[:200])
        # What is larger than may be is refused before it is read, whether it says so or not.
        before = most_memory()
        post = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: h\r\n"
        self.assertIn(b" 413 ", exchange(server.rest_port, post + b"Content-Length: 300000000\r\n\r\n"))
        self.assertIn(b" 413 ", exchange(server.rest_port, post + b"Transfer-Encoding: chunked\r\n\r\n12000000\r\n" + b"x" * 1000))
        self.assertLess(most_memory() - before, 50_000)
        self.assertEqual(request(self.models + ":predict", {"instances": [[1.0]]})[0], 200)

    def test_half_closed_and_slow_connections_leave_room_for_others(self):
        server = self.half("--rest_api_num_threads=2")
        idle = []
        for data in (b"", b"POST /v1/models/half:predict HTT", b"POST /v1/models/half:predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{"):
            for _ in range(50):
                connection = socket.create_connection(("127.0.0.1", server.rest_port), timeout=20)
                self.addCleanup(connection.close)
                connection.sendall(data)
                idle.append(connection)
        for connection in idle[::2]:
            connection.shutdown(socket.SHUT_WR)
        for _ in range(20):
            self.assertEqual(request(self.models + ":predict", {"instances": [[1.0]]})[0], 200)
        whole = b'{"instances": [[1.0]]}'
        with socket.create_connection(("127.0.0.1", server.rest_port), timeout=20) as connection:
            connection.sendall(b"POST /v1/models/half:predict HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole)
            connection.shutdown(socket.SHUT_WR)
            self.assertTrue(connection.makefile("rb").read().endswith(b'{"predictions": [[3.5]]}'))

    def test_every_route_of_the_document_answers(self):
        server = self.half()
        document = json.loads(request(server.url + "/openapi.json")[2])
        inference = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}]}
        for path, operations in document["paths"].items():
            for method in operations:
                target = path.replace("{model}", "half").replace("{version}", "1")
                if "{label}" in target:
                    continue
                body = {":predict": {"instances": [[1.0]]}, ":explain": {"instances": [[1.0]]}, "/invocations": {"inputs": [[1.0]]}, "/infer": inference}
                sent = next((sent for end, sent in body.items() if target.endswith(end)), {"examples": [{"x": 1.0}]} if ":" in target else {})
                status = request(server.url + target, sent if method == "post" else None)[0]
                # Version 1 has no gradients, and one output of one column is no class.
                self.assertEqual(status, 501 if target.endswith(":explain") else 200, target)

    def test_tokens_and_tls(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")],
                       check=True, capture_output=True)
        with open(self.path("ssl.config"), "w") as config:
            for field, name in (("server_key", "key.pem"), ("server_cert", "cert.pem")):
                with open(self.path(name)) as file:
                    config.write(f"{field}: {json.dumps(file.read())}\n")
        with open(self.path("tokens"), "w") as file:
            file.write("# ours\nsecret\n")
        os.makedirs(self.path("model"))
        write_version(self.path("model", "1"), "half_plus_two")
        server = Server("--model_name=half", f"--model_base_path={self.path('model')}", f"--rest_ssl_config_file={self.path('ssl.config')}",
                        f"--token_file={self.path('tokens')}")
        self.addCleanup(server.kill)
        url = server.url.replace("http:", "https:")
        trust = ("--cacert", self.path("cert.pem"), "--retry", "50", "--retry-connrefused", "--retry-delay", "0", "--retry-max-time", "20")
        self.assertEqual(curl(*trust, url + "/readyz")[0], 200)
        self.assertEqual(curl(*trust, url + "/v1/models/half")[0], 401)
        self.assertEqual(curl(*trust, "-H", "Authorization: Bearer wrong", url + "/v1/models/half")[0], 401)
        self.assertEqual(curl(*trust, "-H", "Authorization: Bearer secret", "-d", '{"instances": [[1.0]]}', url + "/v1/models/half:predict"),
                         (200, '{"predictions": [[2.5]]}'))
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
