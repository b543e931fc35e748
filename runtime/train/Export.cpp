//===- Export.cpp - trained weights for others -------------------------------------------------------------------===//
//
// A message of protobuf that is appended to another is merged with it, so the ONNX file is the model without weights
// and then, for each weight, ModelProto{graph = 7{initializer = 5{dims = 1, data_type = 2, name = 8, raw_data = 9}}}:
// one weight in memory at a time.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Export.h"
#include "runtime/train/File.h"
#include "runtime/train/InputError.h"
#include "runtime/train/Safetensors.h"

#include <protozero/pbf_writer.hpp>

#include <filesystem>

namespace mlc::train {

void exportWeights(const mlc_train_info &info, State &state, const std::string &path) {
  auto weights = state.weights();
  if (std::filesystem::path(path).extension() == ".safetensors") {
    writeSafetensors(path, weights, {});
    return;
  }
  uint64_t total = info.onnx_bytes;
  for (const auto &[name, array] : weights)
    total += array.bytes() + name.size() + 128;
  if (total > 0x7fffffff) // a protobuf message has less than 2 GiB
    throw InputError(path + ": cannot write " + std::to_string(total) +
                     " bytes as one ONNX file, which has less than 2 GiB; export .safetensors");
  AtomicFile file(path);
  file.write(info.onnx, info.onnx_bytes);
  for (const auto &[name, array] : weights) {
    std::string message;
    {
      protozero::pbf_writer model(message), graph(model, 7), initializer(graph, 5);
      initializer.add_packed_int64(1, array.sizes.begin(), array.sizes.end());
      initializer.add_int32(2, array.dtype);
      initializer.add_string(8, name);
      initializer.add_bytes(9, array.data, array.bytes());
    }
    file.write(message);
  }
  file.commit();
}

} // namespace mlc::train
