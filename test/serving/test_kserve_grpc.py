"""KServe's own SDK by gRPC, unchanged, against mlc-serve. Requires the package kserve; a process of its own, since the
messages of tritonclient have the same names."""
import asyncio
import unittest

from servers import ServeTest, write_version

try:
    import grpc
    import numpy as np
    from kserve import InferenceGRPCClient, InferInput, InferRequest
except ImportError:
    grpc = None


@unittest.skipUnless(grpc, "requires kserve")
class KServeTest(ServeTest):
    def setUp(self):
        super().setUp()
        write_version(self.path("half", "1"))
        self.server = self.serve("--model_name=half", f"--model_base_path={self.path('half')}")

    def run_with_client(self, use):
        async def run():
            async with InferenceGRPCClient(url=f"127.0.0.1:{self.server.port}") as client:
                return await use(client)
        return asyncio.run(run())

    def request(self, raw, model="half"):
        tensor = InferInput(name="x", shape=[1, 2], datatype="FP32")
        tensor.set_data_from_numpy(np.array([[2, 4]], np.float32), binary_data=raw)
        return InferRequest(model_name=model, infer_inputs=[tensor], request_id="seven")

    def test_health(self):
        async def use(client):
            self.assertTrue(await client.is_server_live())
            self.assertTrue(await client.is_server_ready())
            self.assertTrue(await client.is_model_ready("half"))
            self.assertFalse(await client.is_model_ready("none"))
        self.run_with_client(use)

    def test_infers(self):
        async def use(client):
            for raw in (False, True):
                answer = await client.infer(self.request(raw))
                self.assertEqual((answer.id, answer.model_name, answer.model_version), ("seven", "half", "1"))
                self.assertEqual(answer.outputs[0].as_numpy().tolist(), [[3, 4]])
        self.run_with_client(use)

    def test_fails_clearly(self):
        async def use(client):
            with self.assertRaises(grpc.RpcError) as raised:
                await client.infer(self.request(False, "none"))
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.run_with_client(use)


if __name__ == "__main__":
    unittest.main()
