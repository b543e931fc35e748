"""Writes what the fuzzers of the server begin with: FOLDER/FUZZER/NAME, and words in FOLDER/FUZZER.dict.
usage: serve_seeds.py FOLDER"""
import json
import os
import struct
import sys


def text(value):
    return json.dumps(value, separators=(",", ":")).encode()


def tensor(data, shape, datatype="FP32"):
    return {"name": "x", "shape": shape, "datatype": datatype, "data": data}


def open_inference():
    """The first byte is the way to read, the next two the length of the JSON."""
    def seed(way, body, length=0):
        return bytes([way, length & 255, length >> 8]) + body

    header = text({"parameters": {"binary_data_output": True},
                   "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
                              {"name": "h", "shape": [2], "datatype": "FP16", "parameters": {"binary_data_size": 4}}, tensor([255], [1], "UINT8")]})
    words = ["inputs", "outputs", "name", "shape", "datatype", "data", "parameters", "id", "binary_data_size", "binary_data", "binary_data_output",
             "classification", "priority", "timeout", "explain", "explain_output", "explain_target", "explain_steps", "FP32", "FP64", "FP16", "BF16", "BOOL", "INT8",
             "INT64", "UINT64"]
    return {
        "flat": seed(0, text({"id": "1", "inputs": [tensor([1, 2.5, -3e2, 4], [2, 2])],
                              "outputs": [{"name": "y", "parameters": {"binary_data": True, "classification": 2}}]})),
        "nested": seed(8, text({"inputs": [tensor([[1, 2], [3, 4]], [2, 2], "INT64"), tensor([True, False, 1], [3], "BOOL")],
                                "parameters": {"priority": 1, "timeout": "1000"}})),
        "words": seed(0, b'{"inputs":[{"data":[NaN,Infinity,-Infinity],"datatype":"FP64","shape":[3],"name":"x","parameters":null}]}'),
        "explain": seed(0, text({"parameters": {"explain": "saliency", "explain_target": 1, "explain_steps": 3, "explain_output": "y"},
                                 "inputs": [tensor([1], [1])]})),
        "binary": seed(9, header + struct.pack("<ff", 1, 2) + b"abcd", len(header)),
        "raw": seed(2, struct.pack("<4f", 1, 2, 3, 4), 7),
        "path": seed(3, b"/models/m%20x/versions/3/infer"),
    }, [f'"{word}"' for word in words] + ["NaN", "-Infinity", "null", "true", "[[", "models/", "/versions/"]


FUZZERS = {"open-inference-fuzzer": open_inference}


def main(folder):
    for fuzzer, seeds in FUZZERS.items():
        files, words = seeds()
        os.makedirs(os.path.join(folder, fuzzer), exist_ok=True)
        for name, data in files.items():
            with open(os.path.join(folder, fuzzer, name), "wb") as file:
                file.write(data)
        with open(os.path.join(folder, fuzzer + ".dict"), "w") as file:
            for word in words:
                file.write('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"\n')


if __name__ == "__main__":
    main(sys.argv[1])
