"""Our .proto files against the descriptors of the projects whose protocols they are: each message, field, number, type
and method of ours is one of theirs. Which project is asked depends on the packages of the environment."""
import os
import shutil
import subprocess
import tempfile
import unittest

from servers import ROOT

try:
    from google.protobuf import descriptor_pb2, descriptor_pool
except ImportError:
    descriptor_pb2 = None

PROTOS = os.path.join(ROOT, "runtime", "serve", "protos")
# What differs on purpose, and not on the wire.
EXCEPTIONS = {
    "tensorflow.serving.StatusProto.error_code",  # enumerations there
    "tensorflow.serving.ModelConfig.model_type",
    "inference.ModelMetadataResponse.properties",
    "inference.ModelMetadataResponse.PropertiesEntry",  # in the Open Inference Protocol's own, not in the clients'
}


def ours(name):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "set")
        subprocess.run(["protoc", f"--proto_path={PROTOS}", "--include_imports", f"--descriptor_set_out={path}",
                        os.path.join(PROTOS, name)], check=True)
        with open(path, "rb") as file:
            return descriptor_pb2.FileDescriptorSet.FromString(file.read()).file


@unittest.skipUnless(descriptor_pb2 and shutil.which("protoc"), "requires protobuf and protoc")
class WireTest(unittest.TestCase):
    def compare(self, proto):
        """Returns how many messages were compared."""
        pool = descriptor_pool.Default()
        compared = 0

        def message(prefix, mine):
            nonlocal compared
            name = f"{prefix}.{mine.name}"
            try:
                theirs = descriptor_pb2.DescriptorProto()
                pool.FindMessageTypeByName(name).CopyToProto(theirs)
            except KeyError:
                return None
            compared += 1
            fields = {field.number: field for field in theirs.field}
            for field in mine.field:
                if f"{name}.{field.name}" in EXCEPTIONS:
                    continue
                if field.number not in fields and self.project == "kserve":  # which has an earlier state of the protocol
                    continue
                self.assertIn(field.number, fields, f"{name}.{field.name}")
                other = fields[field.number]
                self.assertEqual((field.name, field.type, field.label, field.type_name),
                                 (other.name, other.type, other.label, other.type_name), name)
            for nested in mine.nested_type:
                if f"{name}.{nested.name}" in EXCEPTIONS:
                    continue
                self.assertIsNotNone(message(name, nested), f"{name}.{nested.name}")
            for nested in mine.enum_type:
                enumeration(name, nested)
            return name

        def enumeration(prefix, mine):
            theirs = pool.FindEnumTypeByName(f"{prefix}.{mine.name}")
            for value in mine.value:
                self.assertEqual(theirs.values_by_name[value.name].number, value.number, theirs.full_name)

        for file in ours(proto):
            if file.package not in ("tensorflow", "tensorflow.serving", "inference"):
                continue
            for mine in file.message_type:
                # KServe's messages of a repository have other numbers than Triton's, which ours are.
                if self.project != "kserve" or not mine.name.startswith("Repository"):
                    message(file.package, mine)
            for mine in file.service:
                theirs = pool.FindServiceByName(f"{file.package}.{mine.name}")
                for method in mine.method:
                    if method.name not in theirs.methods_by_name:
                        self.assertEqual(self.project, "kserve", method.name)  # which has not all of Triton's
                        continue
                    other = theirs.methods_by_name[method.name]
                    self.assertEqual((method.input_type, method.output_type),
                                     ("." + other.input_type.full_name, "." + other.output_type.full_name))
        return compared

    def test_tensorflow_serving(self):
        try:
            from tensorflow_serving.apis import model_service_pb2, prediction_log_pb2, prediction_service_pb2  # noqa: F401
            from tensorflow_serving.config import model_server_config_pb2  # noqa: F401
        except ImportError:
            self.skipTest("requires tensorflow-serving-api and tensorflow")
        self.project = "tensorflow"
        self.assertGreater(self.compare("tensorflow_serving.proto"), 55)

    def test_triton(self):
        try:
            from tritonclient.grpc import service_pb2  # noqa: F401
        except ImportError:
            self.skipTest("requires tritonclient[grpc]")
        self.project = "triton"
        self.assertGreater(self.compare("inference.proto"), 60)

    def test_kserve(self):
        try:
            from kserve.protocol.grpc import grpc_predict_v2_pb2  # noqa: F401
        except ImportError:
            self.skipTest("requires kserve")
        self.project = "kserve"
        self.assertGreater(self.compare("inference.proto"), 20)


if __name__ == "__main__":
    unittest.main()
