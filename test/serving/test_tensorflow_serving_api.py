"""TensorFlow Serving's own stubs, unchanged, against mlc-serve. Requires tensorflow-serving-api and tensorflow."""
import json
import unittest

from servers import ServeTest, request, write_version

try:
    import grpc
    import numpy as np
    import tensorflow as tf
    from google.protobuf import text_format
    from tensorflow_serving.apis import (classification_pb2, get_model_metadata_pb2, get_model_status_pb2, inference_pb2,
                                         model_management_pb2, model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc,
                                         regression_pb2)
except ImportError:
    grpc = None


@unittest.skipUnless(grpc, "requires tensorflow-serving-api and tensorflow")
class TensorFlowServingTest(ServeTest):
    def setUp(self):
        super().setUp()
        write_version(self.path("half", "1"), "half_plus_two", {"labels.txt": "cat\ndog\nemu\n"})
        write_version(self.path("half", "2"), "half_plus_three", {"labels.txt": "cat\ndog\nemu\n"})
        with open(self.path("models.config"), "w") as file:
            file.write("model_config_list { config { " + self.config("half") + " } }")
        self.server = self.serve(f"--model_config_file={self.path('models.config')}")
        channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}", options=[("grpc.max_receive_message_length", -1)])
        self.addCleanup(channel.close)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)

    def config(self, name):
        return (f"name: '{name}' base_path: '{self.path('half')}' model_platform: 'tensorflow' model_version_policy {{ all {{}} }} "
                "version_labels { key: 'stable' value: 1 }")

    def predict(self, values, **spec):
        message = predict_pb2.PredictRequest()
        message.model_spec.name = spec.pop("name", "half")
        for key, value in spec.items():
            if key == "version":
                message.model_spec.version.value = value
            else:
                setattr(message.model_spec, key, value)
        message.inputs["x"].CopyFrom(tf.make_tensor_proto(values))
        return self.prediction.Predict(message, timeout=30)

    def assert_fails(self, code, message, call):
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        self.assertEqual(raised.exception.code(), code)
        self.assertIn(message, raised.exception.details())

    def test_predicts(self):
        answer = self.predict(np.array([[2, 4]], np.float32))
        self.assertEqual(tf.make_ndarray(answer.outputs["y"]).tolist(), [[4, 5]])
        self.assertEqual((answer.model_spec.name, answer.model_spec.version.value, answer.model_spec.signature_name),
                         ("half", 2, "serving_default"))
        self.assertEqual(len(answer.outputs["y"].float_val), 2)  # a list, as without --enable_serialization_as_tensor_content
        for spec in ({"version": 1}, {"version_label": "stable"}):
            answer = self.predict(np.array([[2, 4]], np.float32), **spec)
            self.assertEqual(tf.make_ndarray(answer.outputs["y"]).tolist(), [[3, 4]])
            self.assertEqual(answer.model_spec.version.value, 1)

    def test_predicts_large_and_repeated_tensors(self):
        values = np.arange(3 << 20, dtype=np.float32).reshape(3, -1)
        np.testing.assert_array_equal(tf.make_ndarray(self.predict(values).outputs["y"]), values / 2 + 3)
        repeated = tf.make_tensor_proto(2.0, shape=[2, 3])  # one element for all
        message = predict_pb2.PredictRequest()
        message.model_spec.name = "half"
        message.inputs["x"].CopyFrom(repeated)
        self.assertEqual(tf.make_ndarray(self.prediction.Predict(message).outputs["y"]).tolist(), [[4] * 3] * 2)

    def test_predicts_asynchronously(self):
        message = predict_pb2.PredictRequest()
        message.model_spec.name = "half"
        message.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array([[2]], np.float32)))
        futures = [self.prediction.Predict.future(message) for _ in range(100)]
        for future in futures:
            self.assertEqual(tf.make_ndarray(future.result().outputs["y"]).tolist(), [[4]])

    def test_predict_fails_as_tensorflow_serving_does(self):
        x = np.array([[2]], np.float32)
        for code, message, spec in (
                (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(none)", {"name": "none"}),
                (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(half, 9)", {"version": 9}),
                (grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: canary", {"version_label": "canary"}),
                (grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "other" not found.', {"signature_name": "other"}),
                (grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec", {"name": ""})):
            self.assert_fails(code, message, lambda: self.predict(x, **spec))
        self.assert_fails(grpc.StatusCode.INVALID_ARGUMENT, "expected float, but got int32",
                          lambda: self.predict(np.array([[2]], np.int32)))
        self.assert_fails(grpc.StatusCode.INVALID_ARGUMENT, "expected sizes [-1,-1], but got [1]",
                          lambda: self.predict(np.array([2], np.float32)))
        self.assert_fails(grpc.StatusCode.INVALID_ARGUMENT, "", lambda: self.predict(np.array([["text"]])))

    def examples(self, message, rows):
        message.model_spec.name = "half"
        for row in rows:
            example = message.input.example_list.examples.add()
            example.features.feature["x"].float_list.value.extend(row)
        return message

    def test_classifies_and_regresses(self):
        answer = self.prediction.Classify(self.examples(classification_pb2.ClassificationRequest(), [[2, 4, 6]]))
        self.assertEqual([(one.label, one.score) for one in answer.result.classifications[0].classes],
                         [("cat", 4), ("dog", 5), ("emu", 6)])
        answer = self.prediction.Regress(self.examples(regression_pb2.RegressionRequest(), [[2], [4]]))
        self.assertEqual([one.value for one in answer.result.regressions], [4, 5])
        message = inference_pb2.MultiInferenceRequest()
        for method in ("classify", "regress"):
            task = message.tasks.add()
            task.model_spec.name = "half"
            task.method_name = "tensorflow/serving/" + method
        message.input.example_list.examples.add().features.feature["x"].float_list.value.append(2)
        answer = self.prediction.MultiInference(message)
        self.assertEqual(answer.results[0].classification_result.classifications[0].classes[0].score, 4)
        self.assertEqual(answer.results[1].regression_result.regressions[0].value, 4)

    def test_metadata(self):
        message = get_model_metadata_pb2.GetModelMetadataRequest()
        message.model_spec.name = "half"
        message.metadata_field.append("signature_def")
        answer = self.prediction.GetModelMetadata(message)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        self.assertTrue(answer.metadata["signature_def"].Unpack(signatures))
        signature = signatures.signature_def["serving_default"]
        self.assertEqual(signature.method_name, "tensorflow/serving/predict")
        self.assertEqual(signature.inputs["x"].name, "x:0")
        self.assertEqual(tf.dtypes.as_dtype(signature.inputs["x"].dtype), tf.float32)
        self.assertEqual([dim.size for dim in signature.outputs["y"].tensor_shape.dim], [-1, -1])
        message.metadata_field[0] = "other"
        self.assert_fails(grpc.StatusCode.INVALID_ARGUMENT, "Metadata field other is not supported",
                          lambda: self.prediction.GetModelMetadata(message))

    def status(self, name, version=None):
        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name = name
        if version:
            message.model_spec.version.value = version
        answer = self.models.GetModelStatus(message)
        state = get_model_status_pb2.ModelVersionStatus.State.Name
        return {one.version: state(one.state) for one in answer.model_version_status}

    def test_status(self):
        self.assertEqual(self.status("half"), {1: "AVAILABLE", 2: "AVAILABLE"})
        self.assertEqual(self.status("half", 1), {1: "AVAILABLE"})
        self.assert_fails(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model none", lambda: self.status("none"))

    def reload(self, config):
        message = model_management_pb2.ReloadConfigRequest()
        text_format.Parse("config { model_config_list { config { " + config + " } } }", message)
        return self.models.HandleReloadConfigRequest(message, timeout=60)

    def test_reloads_or_keeps_everything(self):
        answer = self.reload(self.config("other"))
        self.assertEqual((answer.status.error_code, answer.status.error_message), (0, ""))
        self.assertEqual(self.status("other"), {1: "AVAILABLE", 2: "AVAILABLE"})
        self.assert_fails(grpc.StatusCode.NOT_FOUND, "", lambda: self.predict(np.array([[2]], np.float32)))
        with self.assertRaises(grpc.RpcError):
            self.reload("name: 'bad' base_path: 'relative' model_platform: 'tensorflow'")
        self.assertEqual(tf.make_ndarray(self.predict(np.array([[2]], np.float32), name="other").outputs["y"]).tolist(), [[4]])

    def test_reload_reports_metrics(self):
        message = model_management_pb2.ReloadConfigRequest()
        text_format.Parse("config { model_config_list { config { " + self.config("half") + " } } }", message)
        if not hasattr(message, "metric_names"):
            self.skipTest("the stubs are of before metric_names")
        message.metric_names.append("/tensorflow/serving/request_count")
        answer = self.models.HandleReloadConfigRequest(message, timeout=60)
        self.assertEqual([(metric.name, metric.int64_value_increase) for metric in answer.metric],
                         [("/tensorflow/serving/request_count", 0)])

    def test_predict_ignores_options_of_newer_clients(self):
        message = predict_pb2.PredictRequest()
        message.model_spec.name = "half"
        message.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array([[2]], np.float32)))
        message.predict_streamed_options.SetInParent()
        if "client_id" in message.DESCRIPTOR.fields_by_name:
            message.client_id = b"me"
        if "request_options" in message.DESCRIPTOR.fields_by_name:
            message.request_options.SetInParent()
        self.assertEqual(tf.make_ndarray(self.prediction.Predict(message).outputs["y"]).tolist(), [[4]])

    def test_rest_agrees(self):
        status, _, body = request(self.server.url + "/v1/models/half:predict", {"instances": [[2, 4]]})
        self.assertEqual((status, json.loads(body)), (200, {"predictions": [[4.0, 5.0]]}))


if __name__ == "__main__":
    unittest.main()
