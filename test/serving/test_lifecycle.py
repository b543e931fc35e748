"""What a server keeps over its life: the versions that it served when it is killed, and its memory over a thousand loads."""
import json
import os
import re
import shutil
import subprocess
import threading
import unittest

from servers import SERVE, ServeTest, request, write_version

LOADS = int(os.environ.get("MLC_LOADS", "1000"))


def resident(server):
    """MiB of the server's memory."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s*(\d+) kB", status.read())[1]) / 1024


class KillTest(ServeTest):
    def setUp(self):
        super().setUp()
        for name in ("latest", "labelled"):
            write_version(self.path(name, "1"), "half_plus_two")
            write_version(self.path(name, "2"), "half_plus_three")
        with open(self.path("models.config"), "w") as file:
            file.write(f"model_config_list {{ config {{ name: 'latest' base_path: '{self.path('latest')}' model_platform: 'tensorflow' }}\n"
                       f"config {{ name: 'labelled' base_path: '{self.path('labelled')}' model_platform: 'tensorflow' model_version_policy {{ all {{}} }}\n"
                       "version_labels { key: 'stable' value: 1 } version_labels { key: 'canary' value: 2 } } }")

    def start(self):
        return self.serve(f"--model_config_file={self.path('models.config')}", "--file_system_poll_wait_seconds=1")

    def files(self):
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(self.folder) for name in names)

    def answers(self, server):
        """What each model, version and label says, and what is listed."""
        paths = ["latest", "latest/versions/2", "labelled", "labelled/versions/1", "labelled/versions/2", "labelled/labels/stable", "labelled/labels/canary"]
        said = {path: request(f"{server.url}/v1/models/{path}:predict", {"instances": [[2.0]]})[::2] for path in paths}
        said["index"] = request(server.url + "/v2/repository/index", {})[::2]
        return said

    def test_serves_the_same_after_a_kill(self):
        server = self.start()
        before, files = self.answers(server), self.files()
        self.assertEqual(before["latest"], (200, b'{"predictions": [[4.0]]}'))
        self.assertEqual(before["labelled/labels/stable"], (200, b'{"predictions": [[3.0]]}'))
        for _ in range(5):
            stop = threading.Event()

            def load():
                while not stop.is_set():
                    try:
                        request(server.url + "/v1/models/latest:predict", {"instances": [[2.0]]})
                    except OSError:
                        return

            clients = [threading.Thread(target=load) for _ in range(4)]
            for client in clients:
                client.start()
            server.kill()
            stop.set()
            for client in clients:
                client.join()
            self.assertEqual(self.files(), files)  # nothing that somebody must tidy up
            server = self.start()
            self.assertEqual(self.answers(server), before)

    def test_serves_what_was_rolled_back_and_published_before_the_kill(self):
        server = self.start()
        subprocess.run([SERVE, "rollback", self.path("latest")], check=True, stdout=subprocess.DEVNULL)
        server.kill()
        server = self.start()
        self.assertEqual(request(server.url + "/v1/models/latest:predict", {"instances": [[2.0]]})[2], b'{"predictions": [[3.0]]}')
        write_version(self.path("new", "1"), "half_plus_three")
        number = subprocess.run([SERVE, "publish", self.path("new", "1"), self.path("latest")], check=True, capture_output=True, text=True).stdout
        self.assertEqual(number.strip(), "3")
        server.kill()
        server = self.start()
        status = json.loads(request(server.url + "/v1/models/latest")[2])["model_version_status"]
        self.assertEqual([(one["version"], one["state"]) for one in status], [("3", "AVAILABLE")])

    def test_does_not_serve_a_copy_that_was_cut_off(self):
        """As a kill of whoever copies leaves it: no version until its last byte is there."""
        shutil.copytree(self.path("latest", "2"), self.path("latest", "3"))
        with open(self.path("latest", "3", "libmodel.so"), "r+b") as file:
            file.truncate(1000)
        server = self.start()
        self.assertEqual(request(server.url + "/v1/models/latest/versions/3:predict", {"instances": [[2.0]]})[0], 404)
        self.assertEqual(request(server.url + "/v1/models/latest:predict", {"instances": [[2.0]]})[2], b'{"predictions": [[4.0]]}')


class MemoryTest(ServeTest):
    def test_a_thousand_loads(self):
        write_version(self.path("half", "1"), "half_plus_two")
        server = self.serve("--model_name=half", f"--model_base_path={self.path('half')}", "--file_system_poll_wait_seconds=0")
        model = server.url + "/v2/repository/models/half"

        def cycle():
            for action in ("/unload", "/load"):
                self.assertEqual(request(model + action, {})[0], 200)
            self.assertEqual(request(server.url + "/v1/models/half:predict", {"instances": [[2.0]]})[2], b'{"predictions": [[3.0]]}')

        for _ in range(LOADS // 10):  # what is made once is there then
            cycle()
        before = resident(server)
        for _ in range(LOADS):
            cycle()
        self.assertLess(resident(server), 1.05 * before)
        self.assertIn(b"half", request(server.url + "/v2/repository/index", {})[2])


if __name__ == "__main__":
    unittest.main()
