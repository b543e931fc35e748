"""Measures mlc-serve: what it adds to the library, what batching gives, and how it stands against Python servers of ONNX Runtime.

usage: serving.py --models DIR [--python PATH] [--rounds 3] [--seconds 4] [--parts latency,peers,batching]
DIR has mnist_cnn.onnx, mnist_cnn_dyn.onnx and resnet50.onnx; PATH is a Python with onnxruntime, fastapi, uvicorn and kserve (without one, no
peers). Clients and servers share the machine. Rounds are interleaved; a line says the best round of each, since others only disturb.
"echo" is a server of gRPC alone, which answers the bytes that came: what the library takes by itself. "infer-h2load" is the request of "infer"
from a client that knows HTTP/2 alone (h2load of Debian's nghttp2-client, where it is installed), as gRPC's own takes as long as a server.
"""
import argparse
import contextlib
import json
import math
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

import onnx
from onnx import TensorProto as T
from onnx import helper as h

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.path.join(ROOT, "build", "release", "bin")


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait(number, process):
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", number), 1):
            return
        if process.poll() is not None:
            sys.exit(f"a server ended: {process.args}")
        time.sleep(0.1)
    sys.exit(f"a server does not listen: {process.args}")


class Servers:
    """mlc-serve with all models, and the peers with one."""

    def __init__(self, folder, models, options, python):
        self.rest, self.grpc, self.peers, self.processes = port(), port(), {}, []
        config = "".join(f"config {{ name: '{m}' base_path: '{folder}/{m}' model_platform: 'tensorflow' }}\n" for m in models)
        with open(os.path.join(folder, "models.conf"), "w") as file:
            file.write(f"model_config_list {{ {config} }}")
        self.start([os.path.join(BIN, "mlc-serve"), f"--rest_api_port={self.rest}", f"--port={self.grpc}",
                    f"--model_config_file={folder}/models.conf", *options], self.rest)
        for kind in ("fastapi", "kserve") if python else ():
            self.peers[kind] = port()
            self.start([python, os.path.join(ROOT, "test", "perf", "serving_peers.py"), kind, os.path.join(folder, "mnist_cnn.onnx"),
                        str(self.peers[kind])], self.peers[kind])

    def start(self, command, number):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        wait(number, process)

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


def load(mode, number, model, name, shape, connections, seconds):
    output = subprocess.run([os.path.join(BIN, "serve-load"), mode, "--port", str(number), "--model", model, "--input", name, "--shape",
                             ",".join(map(str, shape)), "--connections", str(connections), "--seconds", str(seconds)],
                            check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def best_latency(rounds, measure):
    return min((measure()["microseconds"] for _ in range(rounds)), key=lambda r: r["p99"])


def infer_frame(model, name, shape):
    """A gRPC message: the ModelInferRequest of the Open Inference Protocol with a tensor of zeros."""
    def varint(value):
        return bytes([value]) if value < 128 else bytes([value % 128 + 128]) + varint(value // 128)

    def field(number, data):
        return bytes([number << 3 | 2]) + varint(len(data)) + data
    tensor = field(1, name.encode()) + field(2, b"FP32") + b"".join(b"\x18" + varint(axis) for axis in shape)
    message = field(1, model.encode()) + field(5, tensor) + field(7, bytes(4 * math.prod(shape)))
    return b"\0" + struct.pack(">I", len(message)) + message


def h2load(number, frame, seconds, folder):
    """Latencies of one connection with one stream, as of serve-load."""
    body, log = os.path.join(folder, "frame"), os.path.join(folder, "h2load.log")
    with open(body, "wb") as file:
        file.write(frame)
    call = ["-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{number}/inference.GRPCInferenceService/ModelInfer"]
    # h2load does not look at trailers.
    headers = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-D", "-", "-o", "/dev/null", "--data-binary", f"@{body}", *call], check=True,
                             capture_output=True, text=True).stdout
    if "grpc-status: 0" not in headers:
        sys.exit(f"h2load's request is refused: {headers}")
    subprocess.run(["h2load", "-c1", "-m1", "-t1", "-D", f"{seconds * 1000:.0f}ms", "--warm-up-time", "500ms", "-d", body, f"--log-file={log}", *call], check=True,
                   stdout=subprocess.DEVNULL)
    with open(log) as file:
        times = sorted(int(line.split()[2]) for line in file)
    os.remove(log)
    return {"microseconds": {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True)
    parser.add_argument("--python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--parts", default="latency,peers,batching", help="which of latency, peers and batching are measured")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlc-serving-") as folder:
        identity = h.make_graph([h.make_node("Identity", ["x"], ["y"])], "g", [h.make_tensor_value_info("x", T.FLOAT, ["N", "D"])],
                                [h.make_tensor_value_info("y", T.FLOAT, ["N", "D"])])
        onnx.save(h.make_model(identity, opset_imports=[h.make_opsetid("", 17)], ir_version=10), os.path.join(folder, "identity.onnx"))
        os.symlink(os.path.abspath(os.path.join(args.models, "mnist_cnn.onnx")), os.path.join(folder, "mnist_cnn.onnx"))
        sources = {"identity": os.path.join(folder, "identity.onnx")}
        parts = args.parts.split(",")
        if unknown := set(parts) - {"latency", "peers", "batching"}:
            parser.error(f"expected latency, peers or batching, but got {', '.join(sorted(unknown))}")
        wanted = (("mnist_cnn",) if "peers" in parts else ()) + (("mnist_cnn_dyn", "resnet50") if "batching" in parts else ())
        sources |= {m: os.path.join(args.models, m + ".onnx") for m in wanted}
        for model, source in sources.items():
            os.makedirs(os.path.join(folder, model))
            subprocess.run([os.path.join(BIN, "mlc-opt"), source, "-o", os.path.join(folder, model, "1", "")], check=True)
        for part in parts:
            {"latency": latency, "peers": peers, "batching": batching}[part](args, folder, list(sources))


def latency(args, folder, models):
    servers = Servers(folder, models, [], None)
    echo = port()
    servers.start([os.path.join(BIN, "serve-load"), "echo", "--port", str(echo)], echo)
    try:
        print("what it adds: identity, one connection, µs of the client (p50, p99)")
        for mode in ("rest-predict", "rest-infer", "rest-binary", "predict", "infer", "infer-h2load", "echo"):
            if mode == "infer-h2load" and not shutil.which("h2load"):
                continue
            number = servers.rest if mode.startswith("rest") else echo if mode == "echo" else servers.grpc
            for shape in ((1, 1), (1, 150528)):
                if shape[1] > 1 and mode in ("rest-predict", "rest-infer", "infer-h2load"):  # of h2load its small windows would be measured
                    continue
                if mode == "infer-h2load":
                    r = best_latency(args.rounds, lambda: h2load(number, infer_frame("identity", "x", shape), args.seconds, folder))
                else:
                    r = best_latency(args.rounds, lambda: load("infer" if mode == "echo" else mode, number, "identity", "x", shape, 1,
                                                               args.seconds))
                print(f"  {mode:13} {shape[1] * 4:7} bytes  {r['p50']:9.0f} {r['p99']:9.0f}", flush=True)
    finally:
        servers.stop()


def peers(args, folder, models):
    servers = Servers(folder, models, [], args.python)
    try:
        print("mnist_cnn, 16 connections, JSON, requests/s")
        rates = {name: [] for name in ("mlc-serve", *servers.peers)}
        for _ in range(args.rounds):
            for name in rates:
                model, number = ("mnist_cnn", servers.rest) if name == "mlc-serve" else ("m", servers.peers[name])
                rates[name].append(load("rest-predict", number, model, "image", (1, 1, 28, 28), 16, args.seconds)["requests_per_second"])
        for name, rate in rates.items():
            print(f"  {name:10} {max(rate):9.0f}   mlc-serve is {max(rates['mlc-serve']) / max(rate):.2f} times as fast", flush=True)
    finally:
        servers.stop()


def processor(pid):
    """The processor time of a process in µs."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def batching(args, folder, models):
    """Requests of one sample from 16 connections, against the library alone on as many samples at a time as there were connections."""
    params = os.path.join(folder, "batching.conf")
    with open(params, "w") as file:
        file.write("max_batch_size { value: 16 } batch_timeout_micros { value: 0 } max_enqueued_batches { value: 100 }\n")
    print("batching: 16 connections, binary, samples/s (server, library alone on batches of 16, ratio), processor µs a sample")
    for model, shape in (("resnet50", (1, 3, 224, 224)), ("mnist_cnn_dyn", (1, 1, 28, 28))):
        library = next(os.path.join(folder, model, "1", f) for f in os.listdir(os.path.join(folder, model, "1")) if f.endswith(".so"))
        signature = json.loads(subprocess.run([os.path.join(BIN, "mlc-run"), library, "--signature"], check=True, capture_output=True,
                                              text=True).stdout)
        dynamic = signature["symbols"]
        count = 16 if dynamic else 1
        sizes = ["--dim", f"{dynamic[0]}=16"] if dynamic else []
        pairs = []
        for _ in range(args.rounds):
            servers = Servers(folder, models, ["--enable_batching", f"--batching_parameters_file={params}"], None)
            try:
                name = signature["inputs"][0]["name"]
                before = processor(servers.processes[0].pid)
                r = load("rest-binary", servers.rest, model, name, shape, 16, args.seconds)
                rate, client = r["requests_per_second"], r["client_cpu_microseconds"]
                server = (processor(servers.processes[0].pid) - before) / (rate * (args.seconds + 0.5))  # with serve-load's warm-up
            finally:
                servers.stop()
            alone = json.loads(subprocess.run([os.path.join(BIN, "mlc-run"), library, f"--bench={args.seconds}", "--threads",
                                               str(os.cpu_count()), *sizes], check=True, capture_output=True, text=True).stdout)
            pairs.append((rate, 1000 * count / alone["median_ms"], server, client))
        rate, alone = (max(p[i] for p in pairs) for i in (0, 1))
        server, client = (min(p[i] for p in pairs) for i in (2, 3))
        print(f"  {model:14} {rate:9.1f} {alone:9.1f} {rate / alone:6.2f}   (batches of {count} alone)   server {server:.0f}, client "
              f"{client:.0f}", flush=True)


if __name__ == "__main__":
    main()
