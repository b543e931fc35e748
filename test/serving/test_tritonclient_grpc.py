"""Triton's own gRPC client, unchanged, against mlc-serve. Requires tritonclient[grpc]; a process of its own, since the
messages of the kserve package have the same names."""
import queue
import unittest

from servers import ServeTest, write_version

try:
    import numpy as np
    import tritonclient.grpc as triton
    from tritonclient.utils import InferenceServerException
except ImportError:
    triton = None


@unittest.skipUnless(triton, "requires tritonclient[grpc]")
class TritonClientTest(ServeTest):
    def setUp(self):
        super().setUp()
        write_version(self.path("half", "1"), "half_plus_two", {"labels.txt": "cat\ndog\nemu\n"})
        write_version(self.path("half", "2"), "half_plus_three", {"labels.txt": "cat\ndog\nemu\n"})
        write_version(self.path("slow", "1"), "slow")
        configs = "".join(f"config {{ name: '{name}' base_path: '{self.path(name)}' model_platform: 'mlc' "
                          "model_version_policy { all {} } } " for name in ("half", "slow"))
        with open(self.path("models.config"), "w") as file:
            file.write(f"model_config_list {{ {configs} }}")
        self.server = self.serve(f"--model_config_file={self.path('models.config')}", f"--access_log={self.path('access.log')}")
        self.client = triton.InferenceServerClient(f"127.0.0.1:{self.server.port}")
        self.addCleanup(self.client.close)

    def input(self, values=((2, 4, 6),), name="x", datatype="FP32"):
        values = np.array(values, np.float32 if datatype == "FP32" else np.int32)
        tensor = triton.InferInput(name, values.shape, datatype)
        tensor.set_data_from_numpy(values)
        return tensor

    def assert_fails(self, code, message, call):
        with self.assertRaises(InferenceServerException) as raised:
            call()
        self.assertEqual(raised.exception.status(), f"StatusCode.{code}")
        self.assertIn(message, raised.exception.message())

    def test_health(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("half"))
        self.assertTrue(self.client.is_model_ready("half", "1"))
        self.assertFalse(self.client.is_model_ready("half", "9"))
        self.assertFalse(self.client.is_model_ready("none"))

    def test_metadata(self):
        self.assertEqual(self.client.get_server_metadata().name, "mlc-serve")
        metadata = self.client.get_model_metadata("half", as_json=True)
        self.assertEqual((metadata["name"], metadata["versions"]), ("half", ["1", "2"]))
        self.assertEqual(metadata["inputs"], [{"name": "x", "datatype": "FP32", "shape": ["-1", "-1"]}])
        self.assertEqual(metadata["outputs"], [{"name": "y", "datatype": "FP32", "shape": ["-1", "-1"]}])
        config = self.client.get_model_config("half").config
        self.assertEqual((config.name, config.max_batch_size, config.input[0].name, list(config.output[0].dims)),
                         ("half", 0, "x", [-1, -1]))
        self.assert_fails("NOT_FOUND", "Request for unknown model: 'none' is not found", lambda: self.client.get_model_metadata("none"))

    def test_infers(self):
        result = self.client.infer("half", [self.input()])
        self.assertEqual(result.as_numpy("y").tolist(), [[4, 5, 6]])
        result = self.client.infer("half", [self.input()], model_version="1", request_id="seven",
                                   outputs=[triton.InferRequestedOutput("y")], priority=1, timeout=10_000_000, client_timeout=30,
                                   parameters={"mine": "own"})
        self.assertEqual(result.as_numpy("y").tolist(), [[3, 4, 5]])
        response = result.get_response()
        self.assertEqual((response.id, response.model_name, response.model_version), ("seven", "half", "1"))
        for way in ("gzip", "deflate"):
            self.assertEqual(self.client.infer("half", [self.input()], compression_algorithm=way).as_numpy("y").tolist(), [[4, 5, 6]])

    def test_infers_large_tensors(self):
        values = np.arange(3 << 20, dtype=np.float32).reshape(3, -1)
        np.testing.assert_array_equal(self.client.infer("half", [self.input(values)]).as_numpy("y"), values / 2 + 3)

    def test_classifies(self):
        result = self.client.infer("half", [self.input()], outputs=[triton.InferRequestedOutput("y", class_count=2)])
        names = [text.decode().split(":")[1:] for text in result.as_numpy("y").reshape(-1)]
        self.assertEqual(names, [["2", "emu"], ["1", "dog"]])

    def test_infers_asynchronously(self):
        results = queue.Queue()
        for number in range(50):
            self.client.async_infer("half", [self.input([[number, 0, 0]])], lambda result, error: results.put((result, error)),
                                    request_id=str(number))
        for _ in range(50):
            result, error = results.get(timeout=30)
            self.assertIsNone(error)
            self.assertEqual(result.as_numpy("y")[0, 0], int(result.get_response().id) / 2 + 3)
        self.client.async_infer("none", [self.input()], lambda result, error: results.put((result, error)))
        self.assertIsInstance(results.get(timeout=30)[1], InferenceServerException)

    def test_streams(self):
        results = queue.Queue()
        self.client.start_stream(lambda result, error: results.put((result, error)))
        for number in range(20):
            self.client.async_stream_infer("half", [self.input([[number, 0, 0]])], request_id=str(number))
        for _ in range(20):
            result, error = results.get(timeout=30)
            self.assertIsNone(error)
            self.assertEqual(result.as_numpy("y")[0, 0], int(result.get_response().id) / 2 + 3)
        # An error is said of its request and does not end the stream.
        self.client.async_stream_infer("none", [self.input()])
        self.assertIn("Request for unknown model: 'none'", str(results.get(timeout=30)[1]))
        self.client.async_stream_infer("half", [self.input()], enable_empty_final_response=True)
        result, error = results.get(timeout=30)
        self.assertIsNone(error)
        self.assertTrue(result.get_response().parameters["triton_final_response"].bool_param)
        self.client.stop_stream()

    def test_fails_clearly(self):
        for code, message, call in (
                ("NOT_FOUND", "Request for unknown model: 'none' is not found", lambda: self.client.infer("none", [self.input()])),
                ("NOT_FOUND", "version 9 is not found", lambda: self.client.infer("half", [self.input()], model_version="9")),
                ("INVALID_ARGUMENT", "Sent extra: {z}", lambda: self.client.infer("half", [self.input(name="z")])),
                ("INVALID_ARGUMENT", "expected float, but got int32",
                 lambda: self.client.infer("half", [self.input(datatype="INT32")])),
                ("INVALID_ARGUMENT", "expected sizes [-1,-1]", lambda: self.client.infer("half", [self.input([1])])),
                ("INVALID_ARGUMENT", "alias not found",
                 lambda: self.client.infer("half", [self.input()], outputs=[triton.InferRequestedOutput("nope")])),
                ("UNIMPLEMENTED", "unsupported parameter 'sequence_",
                 lambda: self.client.infer("half", [self.input()], sequence_id=3, sequence_start=True)),
                ("DEADLINE_EXCEEDED", "", lambda: self.client.infer("slow", [self.input()], client_timeout=0.01))):
            self.assert_fails(code, message, call)

    def test_statistics(self):
        self.client.infer("half", [self.input([[1], [2]])])
        statistics = self.client.get_inference_statistics("half", "2").model_stats[0]
        self.assertEqual((statistics.inference_count, statistics.execution_count), (2, 1))
        self.assertEqual(statistics.inference_stats.success.count, 1)
        self.assertEqual([batch.batch_size for batch in statistics.batch_stats], [2])
        self.assertEqual({(one.name, one.version) for one in self.client.get_inference_statistics().model_stats},
                         {("half", "1"), ("half", "2"), ("slow", "1")})
        self.assert_fails("NOT_FOUND", "unknown model", lambda: self.client.get_inference_statistics("none"))

    def index(self):
        return {(model.name, model.version): model.state for model in self.client.get_model_repository_index().models}

    def test_repository(self):
        self.assertEqual(self.index(), {("half", "1"): "READY", ("half", "2"): "READY", ("slow", "1"): "READY"})
        self.client.unload_model("half")
        self.assertEqual(self.index()["half", "2"], "UNAVAILABLE")
        self.assertFalse(self.client.is_model_ready("half"))
        with self.assertRaises(InferenceServerException):
            self.client.infer("half", [self.input()])
        self.client.load_model("half")
        self.assertTrue(self.client.is_model_ready("half"))
        self.assertEqual(self.client.infer("half", [self.input()]).as_numpy("y").tolist(), [[4, 5, 6]])
        self.assert_fails("NOT_FOUND", "none", lambda: self.client.load_model("none"))

    def test_settings(self):
        settings = self.client.get_log_settings(as_json=True)["settings"]
        self.assertEqual((settings["log_file"], settings["log_info"]), ({"string_param": self.path("access.log")}, {"bool_param": True}))
        settings = self.client.update_log_settings({"log_info": False}, as_json=True)["settings"]
        self.assertEqual((settings["log_info"]["bool_param"], settings["log_error"]["bool_param"]), (False, True))
        self.assert_fails("INVALID_ARGUMENT", "unsupported log setting 'log_verbose_level'",
                          lambda: self.client.update_log_settings({"log_verbose_level": 1}))
        settings = self.client.get_trace_settings("half", as_json=True)["settings"]
        self.assertEqual(settings["trace_level"], {"value": ["OFF"]})
        self.client.update_trace_settings(settings={"trace_level": None, "trace_rate": "1000"})
        self.assert_fails("UNIMPLEMENTED", "unsupported trace setting 'trace_level'",
                          lambda: self.client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]}))

    def test_shared_memory(self):
        self.assertEqual(len(self.client.get_system_shared_memory_status().regions), 0)
        self.assertEqual(len(self.client.get_cuda_shared_memory_status().regions), 0)
        self.client.unregister_system_shared_memory()
        self.client.unregister_cuda_shared_memory()
        self.assert_fails("UNIMPLEMENTED", "shared memory", lambda: self.client.register_system_shared_memory("r", "/r", 64))


if __name__ == "__main__":
    unittest.main()
