"""Measures what changes of models cost the requests that run meanwhile: latencies of a quiet server, and with changes each second.

usage: serving_churn.py --model mnist_cnn.onnx [--seconds 600] [--quiet 75] [--rounds 4] [--rate 2000] [--connections 8]
Run it with build/clients/tensorflow/bin/python, which has TensorFlow Serving's stubs (test/serving/clients.py makes it).

Half of the requests go to a model by gRPC (ModelInfer), which is rolled back to version 1 or forward to version 2 each second
(mlc-serve rollback); half by REST (predict) to the label `stable` of another, which moves from one version to the other each second by
HandleReloadConfigRequest. The same request brings a third model in or takes it out. Requests leave at fixed times, and a latency counts from when
its request was due. Quiet phases and those with changes alternate (`--rounds` times, with a last quiet one); the seconds are those of all phases of a kind together.
Every request that fails is counted.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "serving"))
from servers import BIN, SERVE, Server  # noqa: E402

OPT = os.path.join(BIN, "mlc-opt")


def config(folder, stable, extra):
    def one(name, rest=""):
        return f"config {{ name: '{name}' base_path: '{folder}/{name}' model_platform: 'tensorflow' {rest} }}"
    labelled = one("labelled", "model_version_policy { all {} } " + f"version_labels {{ key: 'stable' value: {stable} }}")
    return f"model_config_list {{ {one('latest')} {labelled} {one('extra') if extra else ''} }}"


class Load:
    """Requests to both models for some time."""

    def __init__(self, server, options, seconds):
        def start(mode, number, model):
            return subprocess.Popen([os.path.join(BIN, "serve-load"), mode, "--port", str(number), "--model", model, "--input", options.input,
                                     "--shape", options.shape, "--connections", str(options.connections), "--seconds", str(seconds),
                                     "--rate", str(options.rate / 2)], stdout=subprocess.PIPE, text=True)
        self.processes = {"gRPC": start("infer", server.port, "latest"), "REST": start("rest-predict", server.rest_port, "labelled/labels/stable")}

    def run(self, each_second=None):
        """Calls `each_second` until the load ends; returns what each client measured, by protocol."""
        while any(process.poll() is None for process in self.processes.values()):
            due = time.monotonic() + 1
            if each_second:
                each_second()
            time.sleep(max(due - time.monotonic(), 0))
        return {name: json.loads(process.stdout.read()) for name, process in self.processes.items()}


def show(name, measured):
    for protocol, result in measured.items():
        latency = result["microseconds"]
        print(f"  {name:8} {protocol}  {result['requests']:9} requests, {len(result['errors'])} failed   p50 {latency['p50']:7.0f}  "
              f"p99 {latency['p99']:7.0f}  p99.9 {latency['p99.9']:7.0f}  max {latency['max']:8.0f} µs", flush=True)
        for error in result["errors"]:
            print(f"    {error}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", default="image")
    parser.add_argument("--shape", default="1,1,28,28")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--quiet", type=float, default=75)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlc-churn-") as folder:
        subprocess.run([OPT, options.model, "-o", os.path.join(folder, "built", "1", "")], check=True)
        for model in ("latest", "labelled", "extra"):
            os.makedirs(os.path.join(folder, model))
            for _ in range(2):
                subprocess.run([SERVE, "publish", os.path.join(folder, "built", "1"), os.path.join(folder, model)], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "first.conf"), "w") as file:
            file.write(config(folder, 1, False))
        server = Server(f"--model_config_file={folder}/first.conf")
        try:
            server.wait_until_ready()
            failed = measure(options, folder, server)
        finally:
            server.kill()
    sys.exit(failed)


def measure(options, folder, server):
    stub = model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(f"127.0.0.1:{server.port}"))
    refused, changes = [], {"reloads": 0, "rollbacks": 0, "label moves": 0}

    def change():
        second = changes["reloads"]
        version = 1 + second % 2
        subprocess.run([SERVE, "rollback", os.path.join(folder, "latest"), f"--version={version}"], check=True, stdout=subprocess.DEVNULL)
        message = text_format.Parse(f"config {{ {config(folder, version, second % 2 == 0)} }}", model_management_pb2.ReloadConfigRequest())
        status = stub.HandleReloadConfigRequest(message, timeout=30).status
        if status.error_code:
            refused.append(status.error_message)
        for name in changes:
            changes[name] += 1

    print(f"{options.rate:.0f} requests a second, {options.connections} connections a protocol")
    quiet, busy = [], []
    for round_ in range(2 * options.rounds + 1):
        if round_ % 2:
            busy.append(Load(server, options, options.seconds / options.rounds).run(change))
            show("changes", busy[-1])
        else:
            quiet.append(Load(server, options, options.quiet / (options.rounds + 1)).run())
            show("quiet", quiet[-1])
    print("  " + ", ".join(f"{count} {name}" for name, count in changes.items()) + f", {len(refused)} refused")
    for message in refused[:5]:
        print(f"    {message}")
    for protocol in busy[0]:
        p99 = [[phase[protocol]["microseconds"]["p99"] for phase in phases] for phases in (quiet, busy)]
        # Neighbours on the machine disturb single phases: medians, and how far the quiet ones are apart.
        print(f"  p99 {protocol}: {statistics.median(p99[1]) / statistics.median(p99[0]):.2f} of quiet "
              f"(quiet {min(p99[0]):.0f} to {max(p99[0]):.0f} µs, with changes {min(p99[1]):.0f} to {max(p99[1]):.0f})")
    return 1 if refused or any(result["errors"] for phase in busy + quiet for result in phase.values()) else 0


if __name__ == "__main__":
    main()
