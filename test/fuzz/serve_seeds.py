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


def tensorflow_json():
    """The first byte is the type of the inputs, plus 16 for two inputs, 32 for a text with room behind it, 48 for a path and examples, and 64
    for MLflow's words. The inputs are x and y."""
    def seed(choice, body):
        return bytes([choice]) + (body if isinstance(body, bytes) else text(body))

    words = ["instances", "inputs", "signature_name", "serving_default", "examples", "context", "b64", "dataframe_split", "dataframe_records", "columns",
             "data", "x", "y"]
    return {
        "rows": seed(0, {"signature_name": "serving_default", "instances": [[1.0, 2], [3e-2, 4]]}),
        "named": seed(16 + 1, {"instances": [{"x": 1, "y": [1, 2]}, {"y": [3, 4], "x": 2}], "other": {"a": [1, None, "]}"]}}),
        "columns": seed(32 + 5, {"inputs": {"x": [[1], [2]], "more": {}}}),
        "bare": seed(32 + 9, {"inputs": [True, False]}),
        "words": seed(0, b'{"inputs": [NaN, -Infinity, Inf, 1E5], "a\\"}": 1} behind'),
        "ragged": seed(2, b'{"instances": [[[1, 2]], [[3]]]}'),
        "examples": seed(48, {"context": {"c": 1}, "examples": [{"x": [1, 2]}, {"x": [0.5]}, {"x": {"b64": "AP8="}}, {"x": [True]}]}),
        "path": seed(48, b"/v1/models/m%20x/versions/3:predict"),
        "label": seed(48, b"/v1/models/m/labels/stable/metadata"),
        "split": seed(64 + 16, {"dataframe_split": {"index": [0], "columns": ["y", "x"], "data": [[1, 2]]}}),
        "records": seed(64, {"dataframe_records": [{"x": 1}, {"x": 2}]}),
    }, [f'"{word}"' for word in words] + ["NaN", "-Infinity", "null", "true", "[[", "]]", "/v1/models/", "/versions/", "/labels/", ":predict", "\\u0069"]


def configuration():
    """The first byte is the kind of the file."""
    header = text({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"rtol": "0"}})
    manifest = {"format": 1, "library": "manifest.json", "files": {"manifest.json": {"bytes": 10, "sha256": "0" * 64}}, "compiler": "mlc",
                "source": {"file": "m.onnx", "sha256": "", "commit": ""}, "created": "2026-01-31T12:00:00Z"}
    files = {
        "batching": b"bmax_batch_size { value: 128 } batch_timeout_micros { value: 5 } max_enqueued_batches { value: 3 } num_batch_threads { value: 2 } "
                    b"allowed_batch_sizes: [2, 128] pad_variable_length_inputs: true enable_large_batch_splitting { value: true } "
                    b"max_execution_batch_size { value: 128 } thread_pool_name { value: 'p' }",
        "triton": b"tname: 'm' backend: 'x' max_batch_size: 8 instance_group [ { count: 2 kind: KIND_CPU } ] dynamic_batching { preferred_batch_size: [4, 8] "
                  b"max_queue_delay_microseconds: 100 priority_levels: 2 default_priority_level: 1 default_queue_policy { timeout_action: DELAY "
                  b"default_timeout_microseconds: 5 max_queue_size: 3 } } input [ { name: 'x' } ]",
        "models": b"cmodel_config_list { config { name: 'm' base_path: '/m' model_platform: 'tensorflow' model_version_policy { specific { versions: 42 } } "
                  b"version_labels { key: 'stable' value: 42 } logging_config { sampling_config { sampling_rate: 0.5 } } } }",
        "custom": b"ccustom_model_config { }",
        "manifest": b"m" + text(manifest),
        "tensors": b"s" + struct.pack("<Q", len(header)) + header + struct.pack("<ff", 1, 2),
        "records": b"r" + struct.pack("<QI", 3, 0) + b"abc" + struct.pack("<I", 0),
    }
    words = ["model_config_list", "config", "name", "base_path", "model_platform", "model_version_policy", "latest", "all", "specific", "versions",
             "version_labels", "max_batch_size", "allowed_batch_sizes", "dynamic_batching", "instance_group", "priority_levels", "value", "sha256", "files",
             "library", "data_offsets", "dtype", "shape", "F32", "BF16", "__metadata__"]
    return files, words + ["{", "}", "[", "]", ": "]


def messages():
    """The first byte is the message, of which the rest is the text: t and i for tensors, and four forms of examples."""
    return {
        "float": b"tdtype: DT_FLOAT tensor_shape { dim { size: 2 } dim { size: 3 } } float_val: 1 float_val: 2.5",
        "content": b"tdtype: DT_INT16 tensor_shape { dim { size: 2 } } tensor_content: 'abcd'",
        "half": b"tdtype: DT_HALF tensor_shape { dim { size: 1 } } half_val: [15360]",
        "string": b"tdtype: DT_STRING tensor_shape { unknown_rank: true } string_val: 'a'",
        "raw": b"imodel_name: 'm' inputs { name: 'x' datatype: 'FP32' shape: [1, 2] } raw_input_contents: 'abcdefgh'",
        "contents": b"iinputs { name: 'x' datatype: 'UINT8' shape: [3] contents { uint_contents: [1, 2, 255] } }",
        "context": b"bexample_list_with_context { examples { features { feature { key: 'x' value { float_list { value: [1, 2] } } } } } context { features "
                   b"{ feature { key: 'y' value { int64_list { value: [1, 2] } } } } } }",
        "bytes": b"cexample_list { examples { features { feature { key: 'x' value { bytes_list { value: 'abc' } } } } } }",
    }, ["dtype", "DT_FLOAT", "DT_BOOL", "DT_BFLOAT16", "DT_UINT64", "tensor_shape", "dim", "size", "tensor_content", "float_val", "int_val", "int64_val",
        "bool_val", "half_val", "uint32_val", "uint64_val", "inputs", "datatype", "shape", "contents", "raw_input_contents", "FP32", "BF16", "BYTES", "INT8",
        "examples", "features", "feature", "key", "value", "bytes_list", "float_list", "int64_list", "-1", "9223372036854775807", "4611686018427387904"]


FUZZERS = {"messages-fuzzer": messages, "open-inference-fuzzer": open_inference, "tensorflow-json-fuzzer": tensorflow_json, "configuration-fuzzer": configuration}


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
