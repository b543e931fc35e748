"""KServe's own SDK over REST, unchanged, against mlc-serve: the Open Inference Protocol. Requires the package kserve."""
import asyncio
import unittest

from servers import ServeTest, write_version

try:
    import httpx
    import numpy as np
    from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig
except ImportError:
    InferenceRESTClient = None


@unittest.skipUnless(InferenceRESTClient, "requires kserve")
class KServeRestTest(ServeTest):
    def setUp(self):
        super().setUp()
        write_version(self.path("half", "2"), "half_plus_three")
        self.url = self.serve(f"--model_base_path={self.path('half')}", "--model_name=half").url

    def infer(self, request):
        return asyncio.run(InferenceRESTClient(RESTConfig(protocol="v2")).infer(self.url, request, model_name="half"))

    def request(self, binary, name="x"):
        tensor = InferInput(name, [1, 3], "FP32")
        tensor.set_data_from_numpy(np.array([[2, 4, 6]], np.float32), binary_data=binary)
        return InferRequest(model_name="half", infer_inputs=[tensor])

    def test_health(self):
        async def asked():
            client = InferenceRESTClient(RESTConfig(protocol="v2"))
            return [await client.is_server_live(self.url), await client.is_server_ready(self.url),
                    await client.is_model_ready(self.url, "half"), await client.is_model_ready(self.url, "none")]

        self.assertEqual(asyncio.run(asked()), [True, True, True, False])

    def test_infers(self):
        for binary in (False, True):
            answer = self.infer(self.request(binary))
            self.assertEqual(answer.outputs[0].as_numpy().tolist(), [[4, 5, 6]])
            self.assertEqual(answer.model_name, "half")

    def test_says_what_is_wrong(self):
        with self.assertRaises(httpx.HTTPStatusError) as raised:
            self.infer(self.request(False, "z"))
        self.assertEqual(raised.exception.response.status_code, 400)
        self.assertIn("Missing but required: {x}", str(raised.exception))


if __name__ == "__main__":
    unittest.main()
