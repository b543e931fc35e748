"""The status page in a browser: it shows the models, draws, sends requests, and asks nobody else for anything."""
import base64
import json
import shutil
import struct
import subprocess
import time
import unittest
import zlib

from servers import ServeTest, free_port, request, write_version

CHROMEDRIVER = shutil.which("chromedriver")


class Browser:
    """Chromium without a window, driven by WebDriver."""

    def __init__(self):
        port = free_port()
        self.driver = subprocess.Popen([CHROMEDRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                request(self.base + "/status")
                break
            except OSError:
                time.sleep(0.05)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,1400"]
        options = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self.ask("/session", {"capabilities": {"alwaysMatch": options}})["sessionId"]

    def ask(self, path, body=None):
        status, _, answer = request(self.base + path, body)
        value = json.loads(answer)["value"]
        if status != 200:
            raise AssertionError(f"{path}: {value}")
        return value

    def open(self, url):
        self.ask(f"/session/{self.session}/url", {"url": url})

    def run(self, script, *arguments):
        return self.ask(f"/session/{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, seconds=15):
        """Waits until an expression is true, and returns it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run("return " + script):
                return value
            time.sleep(0.05)
        raise AssertionError("never true: " + script)

    def screenshot(self):
        return base64.b64decode(self.ask(f"/session/{self.session}/screenshot"))

    def log(self):
        return [entry["message"] for entry in self.ask(f"/session/{self.session}/se/log", {"type": "browser"})]

    def close(self):
        try:
            request(f"{self.base}/session/{self.session}", method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()


def pixels(png):
    """Rows of a PNG of 8 bits, each a list of colours."""
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", png[at + 8:at + 18])
        if kind == b"IDAT":
            data += png[at + 8:at + 8 + length]
        at += length + 12
    assert depth == 8 and colour in (2, 6)
    step = 3 if colour == 2 else 4
    raw, rows, above = zlib.decompress(data), [], bytearray(width * step)
    for y in range(height):
        kind, line = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for i in range(len(line)):
            left, up, corner = (line[i - step] if i >= step else 0), above[i], (above[i - step] if i >= step else 0)
            if kind == 4:
                guess = left + up - corner
                predicted = min((left, up, corner), key=lambda v: abs(guess - v))
            else:
                predicted = (0, left, up, (left + up) // 2)[kind]
            line[i] = (line[i] + predicted) & 255
        above = line
        rows.append([bytes(line[x * step:x * step + 3]) for x in range(width)])
    return rows


@unittest.skipUnless(CHROMEDRIVER, "requires chromedriver")
class PageTest(ServeTest):
    def setUp(self):
        super().setUp()
        write_version(self.path("half", "1"), "half_plus_two")
        write_version(self.path("half", "2"), "half_plus_three")
        write_version(self.path("odd", "7"), "identity", {"labels.txt": "cat\ndog\n"})
        with open(self.path("models.config"), "w") as file:
            file.write("model_config_list {\n"
                       f"config {{ name: 'half' base_path: '{self.path('half')}' model_platform: 'mlc'\n"
                       "  model_version_policy { all {} } version_labels { key: 'stable' value: 1 } }\n"
                       f"config {{ name: '<b>odd</b>' base_path: '{self.path('odd')}' model_platform: 'mlc' }}\n}}\n")
        self.server = self.serve(f"--model_config_file={self.path('models.config')}")
        self.browser = Browser()
        self.addCleanup(self.browser.close)
        self.browser.open(self.server.url + "/")
        self.browser.wait("document.querySelectorAll('[data-model=half] tbody tr').length === 2")

    def test_shows_models_versions_and_labels(self):
        text = self.browser.run("return document.getElementById('models').innerText")
        for expected in ("half", "stable → 1", "AVAILABLE", "x: FP32 [N, D]", "y: FP32 [N, D]", "half_plus_three.onnx"):
            self.assertIn(expected, text)
        # Names are text, not markup.
        self.assertIn("<b>odd</b>", text)
        self.assertEqual(self.browser.run("return document.querySelectorAll('#models b').length"), 0)
        self.assertIn("ready", self.browser.run("return document.getElementById('server').innerText"))

    def test_draws_what_happens(self):
        body = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}
        end = time.monotonic() + 15
        drawn = "document.querySelector('[data-model=half] svg path').getAttribute('d')"
        busy = f"({drawn} || '').split(' ').filter(p => p && Number(p.split(',')[1]) < 50).length > 0"
        while time.monotonic() < end and not self.browser.run("return " + busy):
            for _ in range(20):
                request(self.server.url + "/v2/models/half/infer", body)
        self.assertTrue(self.browser.run("return " + busy), "no rate was drawn")
        label = self.browser.wait("Array.from(document.querySelectorAll('[data-model=half] svg')).map(s => s.getAttribute('aria-label')).join()")
        self.assertIn("requests per second", label)
        self.assertIn("99th percentile", label)
        waiting = "document.querySelector('[data-model=half] tbody tr').innerText"
        self.assertIn("AVAILABLE", self.browser.run("return " + waiting))

    def test_sends_a_request(self):
        choose = ("const s = document.getElementById('try-model'); s.value = Array.from(s.options).map(o => o.value).find(v => v.includes(arguments[0]));"
                  "s.dispatchEvent(new Event('change')); return document.getElementById('try-path').innerText")
        self.assertEqual(self.browser.run(choose, "/half/versions/2"), "POST /v2/models/half/versions/2/infer")
        body = self.browser.run("return document.getElementById('try-body').value")
        self.assertEqual(json.loads(body)["inputs"][0]["shape"], [1, 1])
        self.browser.run("document.getElementById('try-body').value = arguments[0]",
                         json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [2, 8, 4]}]}))
        self.browser.run("document.getElementById('try-send').click()")
        answer = json.loads(self.browser.wait("document.getElementById('try-answer').value"))
        self.assertEqual(answer["outputs"][0]["data"], [4, 7, 5])
        self.assertIn("HTTP 200", self.browser.run("return document.getElementById('try-took').innerText"))
        self.assertEqual(self.browser.run("return document.querySelector('#try-top tbody tr').innerText").split(), ["1", "7"])
        # What is wrong is said.
        self.browser.run("document.getElementById('try-body').value = '{'; document.getElementById('try-send').click()")
        self.browser.wait("document.getElementById('try-took').innerText.includes('HTTP 400')")
        self.assertIn("error", self.browser.run("return document.getElementById('try-answer').value"))
        # Names in a path are encoded, and the request begins anew with another model.
        self.assertEqual(self.browser.run(choose, "odd"), "POST /v2/models/%3Cb%3Eodd%3C%2Fb%3E/versions/7/infer")
        self.browser.run("document.getElementById('try-send').click()")
        self.browser.wait("document.getElementById('try-took').innerText.includes('HTTP 200')")

    def test_follows_changes_and_says_when_the_server_is_gone(self):
        write_version(self.path("half", "3"), "square")
        self.browser.wait("document.querySelector('[data-model=half] [data-version=\"3\"] .AVAILABLE')")
        self.server.kill()
        self.browser.wait("!document.getElementById('problem').hidden")

    def test_has_labels_for_everyone_and_asks_nobody_else(self):
        unlabelled = ("Array.from(document.querySelectorAll('input, select, textarea, output'))"
                      ".filter(e => e.labels === null || e.labels.length === 0).map(e => e.id)")
        self.assertEqual(self.browser.run("return " + unlabelled), [])
        self.assertEqual(self.browser.run("return document.documentElement.lang"), "en")
        self.assertEqual(self.browser.run("return Array.from(document.querySelectorAll('svg')).filter(s => s.getAttribute('role') !== 'img').length"), 0)
        foreign = "performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))"
        self.assertEqual(self.browser.run("return " + foreign), [])
        # Nothing that the policy forbids, no error of the script.
        self.assertEqual([message for message in self.browser.log() if "status.json" not in message], [])
        _, headers, _ = request(self.server.url + "/")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        weight = sum(len(request(self.server.url + path)[2]) for path in ("/", "/page.css", "/page.js"))
        self.assertLess(weight, 60_000)

    def test_is_drawn_in_both_colour_schemes(self):
        self.browser.wait("document.querySelector('[data-model=half] svg').getAttribute('aria-label')")
        for scheme, lightest in (("light", True), ("dark", False)):
            self.browser.ask(f"/session/{self.browser.session}/goog/cdp/execute",
                             {"cmd": "Emulation.setEmulatedMedia", "params": {"features": [{"name": "prefers-color-scheme", "value": scheme}]}})
            rows = pixels(self.browser.screenshot())
            counts = {}
            for row in rows:
                for colour in row:
                    counts[colour] = counts.get(colour, 0) + 1
            background = max(counts, key=counts.get)
            self.assertEqual(sum(background) > 3 * 128, lightest, f"{scheme}: {background.hex()}")
            self.assertGreater(len(counts), 50, f"{scheme}: the page is blank")
            rest = sum(counts.values()) - counts[background]
            self.assertGreater(rest / sum(counts.values()), 0.02)


if __name__ == "__main__":
    unittest.main()
