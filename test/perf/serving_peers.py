"""ONNX Runtime behind the Python servers that people put before it; for serving.py.

usage: serving_peers.py fastapi|kserve MODEL.onnx PORT
Both serve POST /v1/models/m:predict with TensorFlow Serving's body: {"instances": [...]} -> {"predictions": [...]}. The session has one thread
a core, as ONNX Runtime has by default; uvicorn runs with uvloop and httptools, without an access log.
"""
import sys

import numpy as np
import onnxruntime


class Session:
    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def predict(self, instances):
        return self.session.run(None, {self.input: np.asarray(instances, np.float32)})[0].tolist()


def serve_fastapi(path, port):
    import uvicorn
    from fastapi import FastAPI, Request

    session, app = Session(path), FastAPI()

    @app.post("/v1/models/m:predict")
    async def predict(request: Request):
        return {"predictions": session.predict((await request.json())["instances"])}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def serve_kserve(path, port):
    import kserve

    class Model(kserve.Model):
        def __init__(self):
            super().__init__("m")
            self.session = Session(path)
            self.ready = True

        async def predict(self, payload, headers=None, response_headers=None):
            return {"predictions": self.session.predict(payload["instances"])}

    sys.argv = sys.argv[:1]
    kserve.ModelServer(http_port=port, enable_grpc=False, access_log_format=None).start([Model()])


if __name__ == "__main__":
    {"fastapi": serve_fastapi, "kserve": serve_kserve}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
