//===- OnnxFile.cpp - writing .onnx files ------------------------------------------------------------------------===//
//
// A ModelProto is written field by field: what the model computes was serialized before, and the initializers follow
// inside of the graph, each with its bytes from where they are. So nothing holds the whole file. Tags and lengths are
// those of protobuf's wire format (CodedOutputStream).
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"
#include "lib/Support/WeightEvaluation.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <limits>

using namespace mlir;

namespace mlc {

namespace {

constexpr uint64_t kPage = 4096, kSmallest = 1024;

RankedTensorType typeOf(const OnnxWeight &weight) {
  graph::ParameterOp parameter = weight.parameter; // whose accessors are not const
  return cast<RankedTensorType>(parameter.getType());
}

uint64_t bytesOf(const OnnxWeight &weight) { return static_cast<uint64_t>(graph::getByteSize(typeOf(weight))); }

/// The tag of a field that has a length, and the length.
std::string fieldHeader(int number, uint64_t length) {
  std::string text;
  {
    google::protobuf::io::StringOutputStream stream(&text);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.WriteTag(google::protobuf::internal::WireFormatLite::MakeTag(
        number, google::protobuf::internal::WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    out.WriteVarint64(length);
  }
  return text;
}

/// Name, type and sizes.
onnx::TensorProto describe(const OnnxWeight &weight) {
  onnx::TensorProto tensor;
  RankedTensorType type = typeOf(weight);
  tensor.set_name(weight.name);
  tensor.set_data_type(onnxexport::dataTypeOf(type.getElementType()));
  for (int64_t size : type.getShape())
    tensor.add_dims(size);
  return tensor;
}

/// An initializer of a graph up to where the bytes of the weight start.
std::string initializerHeader(const OnnxWeight &weight) {
  std::string description = describe(weight).SerializeAsString(),
              raw = fieldHeader(onnx::TensorProto::kRawDataFieldNumber, bytesOf(weight));
  return fieldHeader(onnx::GraphProto::kInitializerFieldNumber, description.size() + raw.size() + bytesOf(weight)) +
         description + raw;
}

/// An initializer of a graph that says where its bytes are.
std::string externalInitializer(const OnnxWeight &weight, StringRef file, uint64_t offset) {
  onnx::TensorProto tensor = describe(weight);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  auto say = [&](const char *key, const std::string &value) {
    onnx::StringStringEntryProto *entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  say("location", file.str());
  say("offset", std::to_string(offset));
  say("length", std::to_string(bytesOf(weight)));
  std::string text = tensor.SerializeAsString();
  return fieldHeader(onnx::GraphProto::kInitializerFieldNumber, text.size()) + text;
}

/// An initializer as it will stand in the graph.
struct Place final {
  std::string header;
  uint64_t bytes;  ///< That follow the header.
  uint64_t offset; ///< In the external file, where none follow.
};

SmallVector<Place> placeInitializers(const OnnxModel &model, bool external, StringRef file) {
  SmallVector<Place> places;
  uint64_t end = 0;
  for (const OnnxWeight &weight : model.weights) {
    uint64_t bytes = bytesOf(weight);
    if (!external || bytes < kSmallest) {
      places.push_back({initializerHeader(weight), bytes, 0});
      continue;
    }
    uint64_t offset = llvm::alignTo(end, kPage);
    places.push_back({externalInitializer(weight, file, offset), 0, offset});
    end = offset + bytes;
  }
  return places;
}

uint64_t graphBytes(const OnnxModel &model, ArrayRef<Place> places) {
  uint64_t bytes = model.graph.size();
  for (const Place &place : places)
    bytes += place.header.size() + place.bytes;
  return bytes;
}

} // namespace

std::string serializeWithoutWeights(const OnnxModel &model) {
  return model.model + fieldHeader(onnx::ModelProto::kGraphFieldNumber, model.graph.size()) + model.graph;
}

std::string frameOfWeight(const OnnxWeight &weight) {
  std::string header = initializerHeader(weight);
  return fieldHeader(onnx::ModelProto::kGraphFieldNumber, header.size() + bytesOf(weight)) + header;
}

bool isTooLargeForOneFile(const OnnxModel &model) {
  uint64_t graph = graphBytes(model, placeInitializers(model, /*external=*/false, ""));
  return model.model.size() + fieldHeader(onnx::ModelProto::kGraphFieldNumber, graph).size() + graph >
         static_cast<uint64_t>(std::numeric_limits<int32_t>::max());
}

void writeOnnx(const OnnxModel &model, const WeightStore &weights, const OnnxWriteOptions &options, raw_ostream &out) {
  SmallVector<Place> places = placeInitializers(model, options.external, options.externalName);
  out << model.model << fieldHeader(onnx::ModelProto::kGraphFieldNumber, graphBytes(model, places)) << model.graph;
  uint64_t end = 0;
  for (auto [weight, place] : llvm::zip(model.weights, places)) {
    WeightBytes bytes = evaluateWeight(weight.parameter, weights);
    StringRef text(bytes.bytes.data(), bytes.bytes.size());
    out << place.header;
    if (place.bytes == text.size()) {
      out << text;
      continue;
    }
    options.external->write_zeros(static_cast<unsigned>(place.offset - end));
    *options.external << text;
    end = place.offset + text.size();
  }
}

} // namespace mlc
