"""The peers ONNX Runtime and OpenVINO: one model, in a process that answers how long it takes.

usage: worker.py ort|openvino MODEL.onnx INPUTS THREADS f32|bf16     INPUTS: a folder of NAME.npy, index.json says which

Prints `ready VERSION`, or `failed: REASON`. Then it answers each line on standard input: `SECONDS` with {"median_ms": …, "min_ms": …,
"runs": …}, and `save FOLDER` with `saved` after writing the outputs as NUMBER.npy, in the graph's order.
"""
import functools
import json
import os
import statistics
import sys
import time

import numpy as np

import tensors


def ort(path, inputs, threads, precision):
    import onnxruntime as runtime
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    # Bound tensors spare each call the copies and most of the Python around it.
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, runtime.OrtValue.ortvalue_from_numpy(array))
    for output in session.get_outputs():
        binding.bind_output(output.name)
    return runtime.__version__, lambda: session.run_with_iobinding(binding), binding.copy_outputs_to_cpu


def openvino(path, inputs, threads, precision):
    import openvino as ov
    core = ov.Core()
    model = core.read_model(path)
    model.reshape({name: list(array.shape) for name, array in inputs.items()})
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False})
    request = compiled.create_infer_request()
    for name, array in inputs.items():
        if array.dtype.name == "bfloat16":
            tensor = ov.Tensor(array.view(np.uint16), list(array.shape), ov.Type.bf16)  # shares the array's memory
        else:
            tensor = ov.Tensor(array, shared_memory=True)
        request.set_tensor(name, tensor)
    run = functools.partial(request.infer, share_outputs=True)  # spares the copy of the outputs
    return ov.__version__.split("-")[0], run, lambda: [request.get_output_tensor(i).data for i in range(len(compiled.outputs))]


def bench(run, seconds):
    end, times = time.perf_counter() + seconds / 10, []
    while time.perf_counter() < end:  # caches, clock and threads warm up again after the other engines' turns
        run()
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return {"median_ms": statistics.median(times), "min_ms": min(times), "runs": len(times)}


def main(argv):
    engine, path, folder, threads, precision = argv
    inputs = tensors.load_inputs(folder)  # lives on here because the engines share its memory and may not hold it
    try:
        version, run, outputs = {"ort": ort, "openvino": openvino}[engine](path, inputs, int(threads), precision)
        run()
    except Exception as error:  # whatever it is, the table names it
        print("failed: " + " ".join(str(error).split())[:300], flush=True)
        return 1
    print(f"ready {version}", flush=True)
    for line in sys.stdin:
        if line.startswith("save "):
            for number, array in enumerate(outputs()):
                tensors.save(os.path.join(line[5:].strip(), f"{number}.npy"), np.asarray(array))
            print("saved", flush=True)
        else:
            print(json.dumps(bench(run, float(line))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
