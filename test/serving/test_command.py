"""A server from its start to its end, as supervisors, images and balancers see it: flags, ports, configuration, signals."""
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from servers import ROOT, SERVE, Server, ServeTest, free_port, request, write_version


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except ConnectionRefusedError:
        return False


class CommandTest(ServeTest):
    def start(self, *flags, program=SERVE):
        """A server that may not become ready; `said` is what it prints."""
        self.log = open(self.path("log"), "w+")
        self.addCleanup(self.log.close)
        server = Server(*flags, log=self.log, program=program)
        self.addCleanup(server.kill)
        return server

    def said(self):
        if not os.path.exists(self.path("log")):
            return ""
        with open(self.path("log")) as file:
            return file.read()

    def wait_for(self, condition, what, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.said()}")
            time.sleep(0.02)

    def predict(self, server, name, value=1.0):
        status, _, body = request(f"{server.url}/v1/models/{name}:predict", {"instances": [[value]]})
        return (status, json.loads(body))

    def models_config(self, *names):
        """Written by a rename, as configuration volumes do."""
        text = "".join(f"config {{ name: '{name}' base_path: '{self.path(name)}' model_platform: 'tensorflow' }}\n" for name in names)
        with open(self.path("new"), "w") as file:
            file.write(f"model_config_list {{ {text} }}")
        os.replace(self.path("new"), self.path("models.config"))
        return f"--model_config_file={self.path('models.config')}"

    def test_kserves_command_line_starts_it_by_its_other_name(self):
        os.symlink(SERVE, self.path("tensorflow_model_server"))
        write_version(self.path("models", "00000123"), "half_plus_three")
        server = self.start("--model_name=m", f"--model_base_path={self.path('models')}", "--rest_api_timeout_in_ms=60000",
                            "--tensorflow_session_parallelism=4", "--enable_profiler", "--of_the_future=1",
                            program=self.path("tensorflow_model_server"))
        server.wait_until_ready()
        self.assertEqual(self.predict(server, "m"), (200, {"predictions": [[3.5]]}))
        status = json.loads(request(server.url + "/v1/models/m")[2])
        self.assertEqual(status["model_version_status"][0]["version"], "123")
        self.assertIn("--tensorflow_session_parallelism has no effect: ", self.said())
        self.assertIn("--enable_profiler has no effect: ", self.said())
        self.assertIn("unknown argument: --of_the_future=1", self.said())
        self.assertEqual(server.stop(), 0)

    def test_the_images_command_line_takes_its_variables(self):
        with open(os.path.join(ROOT, "docs", "examples", "serving", "Containerfile")) as file:
            entry = json.loads(next(line for line in file if line.startswith("ENTRYPOINT "))[len("ENTRYPOINT "):])
        write_version(self.path("models", "half", "1"))
        write_version(self.path("models", "model", "1"), "half_plus_three")
        os.mkdir(self.path("bin"))
        os.symlink(SERVE, self.path("bin", "mlc-serve"))
        for name, answer in (("model", 3.5), ("half", 2.5)):  # the first is the image's default
            port, rest_port = free_port(), free_port()
            environment = {"PATH": self.path("bin") + ":" + os.environ["PATH"], "MODEL_NAME": name, "MODEL_BASE_PATH": self.path("models")}
            process = subprocess.Popen([*entry, f"--port={port}", f"--rest_api_port={rest_port}"], env=environment, stderr=subprocess.DEVNULL)
            self.addCleanup(lambda process=process: (process.kill(), process.wait()))
            self.wait_for(lambda: is_open(rest_port), "the port is not open")
            status, _, body = request(f"http://127.0.0.1:{rest_port}/v1/models/{name}:predict", {"instances": [[1.0]]})
            self.assertEqual((status, json.loads(body)), (200, {"predictions": [[answer]]}))
            process.terminate()
            self.assertEqual(process.wait(20), 0)  # the shell has made way for the server

    def test_ports_open_when_the_models_are_there(self):
        os.mkdir(self.path("half"))
        server = self.start("--model_name=half", f"--model_base_path={self.path('half')}", "--file_system_poll_wait_seconds=0.1")
        self.wait_for(lambda: "Did you forget to name your leaf directory as a number" in self.said(), "no warning")
        self.assertFalse(is_open(server.rest_port) or is_open(server.port))
        write_version(self.path("half", "1"))
        server.wait_until_ready()
        self.assertTrue(is_open(server.port))
        self.assertEqual(self.predict(server, "half"), (200, {"predictions": [[2.5]]}))

    def test_ends_while_it_waits_for_its_models(self):
        os.mkdir(self.path("half"))
        server = self.start("--model_name=half", f"--model_base_path={self.path('half')}")
        self.wait_for(lambda: "No versions of servable found" in self.said(), "no warning")
        self.assertEqual(server.stop(10), 0)

    def test_says_why_it_cannot_start(self):
        write_version(self.path("bad", "1"), "broken")
        server = self.start("--model_name=bad", f"--model_base_path={self.path('bad')}", "--max_num_load_retries=0")
        self.assertNotEqual(server.process.wait(20), 0)
        self.assertIn("Failed to start server. Error: model bad did not become available: ", self.said())
        with open(self.path("models.config"), "w") as file:
            file.write("model_config_list { config { nonsense: 1 } }")
        server = self.start(f"--model_config_file={self.path('models.config')}")
        self.assertNotEqual(server.process.wait(20), 0)
        self.assertIn("nonsense", self.said())

    def test_port_that_is_taken(self):
        write_version(self.path("half", "1"))
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            server = self.start("--model_name=half", f"--model_base_path={self.path('half')}", f"--rest_api_port={taken.getsockname()[1]}")
            self.assertNotEqual(server.process.wait(20), 0)
            self.assertIn("Failed to start server. Error: cannot listen on port", self.said())

    def test_reads_its_configuration_again(self):
        for name in ("a", "b"):
            write_version(self.path(name, "1"))
        server = self.start(self.models_config("a"), "--model_config_file_poll_wait_seconds=0.1")
        server.wait_until_ready()
        self.models_config("a", "b")
        self.wait_for(lambda: self.predict(server, "b")[0] == 200, "the new model is not served")
        # One that is not valid is said, and changes nothing.
        with open(self.path("models.config"), "w") as file:
            file.write("model_config_list {")
        self.wait_for(lambda: "the models stay as they are" in self.said(), "nothing is said")
        self.assertEqual(self.predict(server, "b")[0], 200)
        self.models_config("b", "missing")
        self.wait_for(lambda: "model missing did not become available" in self.said(), "nothing is said")
        self.assertEqual(self.predict(server, "a")[0], 200)
        self.models_config("b")
        self.wait_for(lambda: self.predict(server, "a")[0] == 404, "the old model is still served")

    def test_reads_its_configuration_on_sighup(self):
        for name in ("a", "b"):
            write_version(self.path(name, "1"))
        server = self.start(self.models_config("a"))
        server.wait_until_ready()
        self.models_config("b")
        server.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.predict(server, "b")[0] == 200, "the new model is not served")
        self.assertEqual(self.predict(server, "a")[0], 404)

    def test_drains_on_sigterm(self):
        """Not ready, then what is in flight is finished, then 0."""
        write_version(self.path("slow", "1"), "slow")  # 50 ms a run
        server = self.start("--model_name=slow", f"--model_base_path={self.path('slow')}", "--threads=1", "--drain_notice_in_ms=1000")
        server.wait_until_ready()
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(self.predict(server, "slow"))) for _ in range(8)]
        for client in clients:
            client.start()
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        self.wait_for(lambda: request(server.url + "/v2/health/ready")[0] == 503, "it is still ready", 1)
        self.assertEqual(request(server.url + "/v2/health/live")[0], 200)
        for client in clients:
            client.join()
        self.assertEqual(answers, [(200, {"predictions": [[1.0]]})] * 8)
        self.assertEqual(server.process.wait(10), 0)
        self.assertIn("drained", self.said())

    def test_drains_within_a_deadline(self):
        write_version(self.path("slow", "1"), "slow")
        server = self.start("--model_name=slow", f"--model_base_path={self.path('slow')}", "--threads=1", "--drain_timeout_in_ms=300")
        server.wait_until_ready()
        # 100 runs of 50 ms are more than the time that there is.
        connections = []
        body = b'{"instances": [[1.0]]}'
        for _ in range(100):
            connection = socket.create_connection(("127.0.0.1", server.rest_port), timeout=20)
            self.addCleanup(connection.close)
            connection.sendall(b"POST /v1/models/slow:predict HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            connections.append(connection)
        time.sleep(0.2)
        start = time.monotonic()
        self.assertEqual(server.stop(30), 1)
        self.assertLess(time.monotonic() - start, 8)
        self.assertIn("calls in flight were cut off", self.said())

    def test_a_version_is_loaded_when_it_is_complete(self):
        write_version(self.path("half", "1"))
        server = self.start("--model_name=half", f"--model_base_path={self.path('half')}", "--file_system_poll_wait_seconds=0.05")
        server.wait_until_ready()
        write_version(self.path("two"), "half_plus_three")
        os.mkdir(self.path("half", "2"))
        for name in ("manifest.json", "libmodel.so"):  # the larger one last, and in two pieces
            with open(self.path("two", name), "rb") as source:
                data = source.read()
            with open(self.path("half", "2", name), "wb") as target:
                for part in (data[:len(data) // 2], data[len(data) // 2:]):
                    time.sleep(0.2)
                    self.assertEqual(self.predict(server, "half"), (200, {"predictions": [[2.5]]}))
                    target.write(part)
                    target.flush()
        self.wait_for(lambda: self.predict(server, "half") == (200, {"predictions": [[3.5]]}), "version 2 is not served")

    def test_metrics_of_a_monitoring_config(self):
        write_version(self.path("half", "1"))
        with open(self.path("monitoring"), "w") as file:
            file.write("prometheus_config { enable: true }")
        server = self.start("--model_name=half", f"--model_base_path={self.path('half')}", f"--monitoring_config_file={self.path('monitoring')}")
        server.wait_until_ready()
        self.predict(server, "half")
        status, headers, body = request(server.url + "/monitoring/prometheus/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain"))
        self.assertIn(b':tensorflow:serving:request_count{model_name="half",status="OK"} 1\n', body)
        self.assertEqual(request(server.url + "/monitoring/prometheus/metrics?x")[0], 400)
        plain = self.start("--model_name=half", f"--model_base_path={self.path('half')}")
        plain.wait_until_ready()
        self.assertEqual(request(plain.url + "/monitoring/prometheus/metrics")[0], 404)


if __name__ == "__main__":
    unittest.main()
