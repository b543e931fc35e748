"""Triton's own HTTP client, unchanged, against mlc-serve. Requires the package tritonclient[http]."""
import unittest

from servers import ServeTest, write_version

try:
    import numpy as np
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException
except ImportError:
    triton = None


@unittest.skipUnless(triton, "requires tritonclient[http]")
class TritonClientTest(ServeTest):
    def setUp(self):
        super().setUp()
        write_version(self.path("half", "1"), "half_plus_two", {"labels.txt": "cat\ndog\nemu\n"})
        write_version(self.path("half", "2"), "half_plus_three", {"labels.txt": "cat\ndog\nemu\n"})
        with open(self.path("models.config"), "w") as file:
            file.write(f"model_config_list {{ config {{ name: 'half' base_path: '{self.path('half')}' model_platform: 'mlc' "
                       "model_version_policy { all {} } } }")
        server = self.serve(f"--model_config_file={self.path('models.config')}")
        self.client = triton.InferenceServerClient(f"127.0.0.1:{server.rest_port}")
        self.addCleanup(self.client.close)
        self.values = np.array([[2, 4, 6]], np.float32)

    def input(self, binary=True, name="x", datatype="FP32"):
        tensor = triton.InferInput(name, [1, 3], datatype)
        tensor.set_data_from_numpy(self.values if datatype == "FP32" else self.values.astype(np.int32), binary_data=binary)
        return tensor

    def assert_fails(self, status, message, call):
        with self.assertRaises(InferenceServerException) as raised:
            call()
        self.assertEqual(raised.exception.status(), str(status))
        self.assertIn(message, raised.exception.message())

    def test_health_and_metadata(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("half"))
        self.assertTrue(self.client.is_model_ready("half", "1"))
        self.assertFalse(self.client.is_model_ready("none"))
        self.assertFalse(self.client.is_model_ready("half", "9"))
        self.assertIn("binary_tensor_data", self.client.get_server_metadata()["extensions"])
        metadata = self.client.get_model_metadata("half")
        self.assertEqual(metadata["versions"], ["1", "2"])
        self.assertEqual(metadata["inputs"], [{"name": "x", "datatype": "FP32", "shape": [-1, -1]}])
        self.assertEqual(metadata["outputs"], [{"name": "y", "datatype": "FP32", "shape": [-1, -1]}])
        self.assertEqual(self.client.get_model_config("half")["input"][0]["data_type"], "TYPE_FP32")

    def test_infers_in_all_forms(self):
        self.assertEqual(self.client.infer("half", [self.input()]).as_numpy("y").tolist(), [[4, 5, 6]])
        for binary_in in (True, False):
            for binary_out in (True, False):
                outputs = [triton.InferRequestedOutput("y", binary_data=binary_out)]
                result = self.client.infer("half", [self.input(binary_in)], outputs=outputs, model_version="1", request_id="7", priority=1,
                                           timeout=10_000_000)
                self.assertEqual(result.as_numpy("y").tolist(), [[3, 4, 5]])
                self.assertEqual(result.get_response()["id"], "7")
                self.assertEqual(result.get_response()["model_version"], "1")
        for way in ("gzip", "deflate"):
            result = self.client.infer("half", [self.input()], request_compression_algorithm=way, response_compression_algorithm=way)
            self.assertEqual(result.as_numpy("y").tolist(), [[4, 5, 6]])

    def test_classifies(self):
        result = self.client.infer("half", [self.input()], outputs=[triton.InferRequestedOutput("y", class_count=2)])
        self.assertEqual(result.as_numpy("y").tolist(), [[b"6.000000:2:emu", b"5.000000:1:dog"]])

    def test_infers_asynchronously(self):
        requests = [self.client.async_infer("half", [self.input()]) for _ in range(5)]
        for request in requests:
            self.assertEqual(request.get_result().as_numpy("y").tolist(), [[4, 5, 6]])

    def test_says_what_is_wrong(self):
        self.assert_fails(404, "unknown model: 'none'", lambda: self.client.infer("none", [self.input()]))
        self.assert_fails(404, "version 9 is not found", lambda: self.client.infer("half", [self.input()], model_version="9"))
        self.assert_fails(400, "Missing but required: {x}", lambda: self.client.infer("half", [self.input(name="z")]))
        self.assert_fails(400, "expected float, but got int32", lambda: self.client.infer("half", [self.input(datatype="INT32")]))
        self.assert_fails(400, "z", lambda: self.client.infer("half", [self.input()], outputs=[triton.InferRequestedOutput("z")]))

    def test_statistics_and_repository(self):
        self.client.infer("half", [self.input()])
        statistics = self.client.get_inference_statistics("half", "2")["model_stats"]
        self.assertEqual(statistics[0]["inference_stats"]["success"]["count"], 1)
        self.assertEqual(len(self.client.get_inference_statistics()["model_stats"]), 2)
        states = {entry["version"]: entry["state"] for entry in self.client.get_model_repository_index()}
        self.assertEqual(states, {"1": "READY", "2": "READY"})
        self.client.unload_model("half")
        self.assertFalse(self.client.is_model_ready("half"))
        self.client.load_model("half")
        self.assertTrue(self.client.is_model_ready("half"))
        self.assert_fails(404, "none", lambda: self.client.load_model("none"))

    def test_settings_and_shared_memory(self):
        self.assertEqual(self.client.get_log_settings()["log_verbose_level"], 0)
        self.assertEqual(self.client.get_trace_settings("half")["trace_level"], ["OFF"])
        self.client.update_trace_settings(settings={"trace_level": None, "trace_rate": "1000"})
        self.assert_fails(501, "unsupported trace setting", lambda: self.client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]}))
        self.assert_fails(400, "unsupported log setting", lambda: self.client.update_log_settings({"log_info": True}))  # there is no log
        self.assertEqual(self.client.get_system_shared_memory_status(), [])
        self.assertEqual(self.client.get_cuda_shared_memory_status(), [])
        self.client.unregister_system_shared_memory()
        self.client.unregister_cuda_shared_memory()
        self.assert_fails(501, "shared memory", lambda: self.client.register_system_shared_memory("r", "/r", 64))


if __name__ == "__main__":
    unittest.main()
