//===- ModelFile.cpp - reading .onnx files -----------------------------------------------------------------------===//
//
// The whole file is parsed once. Nothing here trusts it: sizes, offsets and paths are checked before they are used.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/ModelFile.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/stubs/logging.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <limits>

namespace mlc::onnximport {

void readModel(llvm::StringRef path, onnx::ModelProto &model) {
  static const auto silenced = [] {
    google::protobuf::SetLogHandler(nullptr); // we say ourselves what is wrong
    return true;
  }();
  (void)silenced;
  if (llvm::sys::fs::is_directory(path))
    throw ImportError("expected a file, but got a folder");
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    throw ImportError("cannot read the file: " + buffer.getError().message());
  if ((*buffer)->getBufferSize() > static_cast<size_t>(std::numeric_limits<int>::max()))
    throw ImportError("the file is larger than the 2 GiB that protobuf allows",
                      "save the model with external data (onnx.save_model(..., save_as_external_data=True))");
  google::protobuf::io::ArrayInputStream raw((*buffer)->getBufferStart(), static_cast<int>((*buffer)->getBufferSize()));
  google::protobuf::io::CodedInputStream stream(&raw);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    throw ImportError("not an ONNX model: the protobuf message is truncated or malformed");
  if (!model.has_graph())
    throw ImportError("not an ONNX model: it has no graph");
  if (model.opset_import_size() == 0)
    throw ImportError("the model does not say which operator set it uses (opset_import is empty)");
}

unsigned elementBytes(int32_t dataType) {
  using T = onnx::TensorProto;
  switch (dataType) {
  case T::UINT8:
  case T::INT8:
  case T::BOOL:
    return 1;
  case T::UINT16:
  case T::INT16:
  case T::FLOAT16:
  case T::BFLOAT16:
    return 2;
  case T::FLOAT:
  case T::INT32:
  case T::UINT32:
    return 4;
  case T::INT64:
  case T::UINT64:
  case T::DOUBLE:
    return 8;
  default:
    return 0;
  }
}

std::string dataTypeName(int32_t dataType) {
  if (onnx::TensorProto::DataType_IsValid(dataType))
    return onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(dataType));
  return "type " + std::to_string(dataType);
}

int64_t elementCount(const onnx::TensorProto &tensor) {
  int64_t count = 1;
  for (int64_t size : tensor.dims()) {
    if (size < 0)
      throw ImportError("tensor '" + tensor.name() + "' has the negative size " + std::to_string(size));
    if (__builtin_mul_overflow(count, size, &count) || count > (int64_t(1) << 59))
      throw ImportError("tensor '" + tensor.name() + "' is too large to address");
  }
  return count;
}

namespace {

llvm::ArrayRef<char> externalBytes(const onnx::TensorProto &tensor, llvm::StringRef folder, WeightStore &store,
                                   uint64_t bytes) {
  std::string location;
  uint64_t offset = 0, length = bytes;
  for (const auto &entry : tensor.external_data()) {
    auto number = [&](uint64_t &value) {
      if (llvm::StringRef(entry.value()).getAsInteger(10, value))
        throw ImportError("external data of '" + tensor.name() + "': expected a number for " + entry.key() +
                          ", but got '" + entry.value() + "'");
    };
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      number(offset);
    else if (entry.key() == "length")
      number(length);
  }
  if (location.empty())
    throw ImportError("external data of '" + tensor.name() + "' have no location");
  // Only files below the model's folder: no absolute path, no way up, no link out.
  llvm::SmallString<256> path(folder), realPath, realFolder;
  bool leaves = llvm::sys::path::is_absolute(location);
  for (auto part = llvm::sys::path::begin(location), end = llvm::sys::path::end(location); part != end; ++part)
    leaves |= *part == "..";
  llvm::sys::path::append(path, location);
  if (!leaves && !llvm::sys::fs::real_path(path, realPath) &&
      !llvm::sys::fs::real_path(folder.empty() ? "." : folder, realFolder)) {
    if (!realFolder.str().ends_with("/"))
      realFolder += "/";
    leaves = !realPath.str().starts_with(realFolder);
  }
  if (leaves)
    throw ImportError("external data of '" + tensor.name() + "' are outside of the model's folder: '" + location + "'");
  auto file = store.mapFile(path);
  if (!file)
    throw ImportError("external data of '" + tensor.name() + "': cannot read '" + path.str().str() +
                      "': " + llvm::toString(file.takeError()));
  if (length != bytes)
    throw ImportError("external data of '" + tensor.name() + "': expected " + std::to_string(bytes) +
                      " bytes, but got length " + std::to_string(length));
  if (offset > file->size() || bytes > file->size() - offset)
    throw ImportError("external data of '" + tensor.name() + "': '" + location + "' is too short: expected " +
                      std::to_string(bytes) + " bytes at offset " + std::to_string(offset) + ", but the file has " +
                      std::to_string(file->size()));
  return file->slice(offset, bytes);
}

/// Copies a repeated field of wide numbers into elements of type T.
template <typename T, typename Field>
std::vector<char> decode(const onnx::TensorProto &tensor, const Field &field, int64_t count) {
  if (field.size() != count)
    throw ImportError("tensor '" + tensor.name() + "': expected " + std::to_string(count) + " elements, but got " +
                      std::to_string(field.size()));
  std::vector<char> bytes(count * sizeof(T));
  for (int64_t i = 0; i < count; ++i) {
    T value = static_cast<T>(field.Get(static_cast<int>(i)));
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

} // namespace

llvm::ArrayRef<char> tensorBytes(const onnx::TensorProto &tensor, llvm::StringRef folder, WeightStore &store) {
  unsigned width = elementBytes(tensor.data_type());
  if (width == 0)
    throw ImportError(
        "tensor '" + tensor.name() + "' has the unsupported data type " + dataTypeName(tensor.data_type()), "", true);
  int64_t count = elementCount(tensor);
  uint64_t bytes = static_cast<uint64_t>(count) * width;
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL)
    return externalBytes(tensor, folder, store, bytes);
  if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() != bytes)
      throw ImportError("tensor '" + tensor.name() + "': expected " + std::to_string(bytes) +
                        " bytes of raw data, but got " + std::to_string(tensor.raw_data().size()));
    return {tensor.raw_data().data(), tensor.raw_data().size()};
  }
  using T = onnx::TensorProto;
  switch (tensor.data_type()) {
  case T::FLOAT:
    return store.keep(decode<float>(tensor, tensor.float_data(), count));
  case T::DOUBLE:
    return store.keep(decode<double>(tensor, tensor.double_data(), count));
  case T::INT64:
    return store.keep(decode<int64_t>(tensor, tensor.int64_data(), count));
  case T::UINT64:
    return store.keep(decode<uint64_t>(tensor, tensor.uint64_data(), count));
  case T::UINT32:
    return store.keep(decode<uint32_t>(tensor, tensor.uint64_data(), count));
  case T::INT32:
    return store.keep(decode<int32_t>(tensor, tensor.int32_data(), count));
  case T::INT16:
    return store.keep(decode<int16_t>(tensor, tensor.int32_data(), count));
  case T::UINT16:
  case T::FLOAT16:
  case T::BFLOAT16:
    return store.keep(decode<uint16_t>(tensor, tensor.int32_data(), count));
  case T::INT8:
    return store.keep(decode<int8_t>(tensor, tensor.int32_data(), count));
  case T::UINT8:
    return store.keep(decode<uint8_t>(tensor, tensor.int32_data(), count));
  case T::BOOL:
    return store.keep(decode<bool>(tensor, tensor.int32_data(), count));
  default:
    throw ImportError(
        "tensor '" + tensor.name() + "' has the unsupported data type " + dataTypeName(tensor.data_type()), "", true);
  }
}

} // namespace mlc::onnximport
