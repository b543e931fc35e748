//===- ModelFile.h - reading .onnx files -------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_ONNX_MODELFILE_H
#define MLC_LIB_IMPORT_ONNX_MODELFILE_H

#include "lib/Support/WeightStore.h"
#include "onnx-ml.pb.h"

#include <stdexcept>
#include <string>

namespace mlc::onnximport {

/// A problem of the input. Thrown and caught inside of the importer only.
struct ImportError final : std::runtime_error {
  explicit ImportError(const std::string &reason, std::string wayOut = "", bool unsupported = false,
                       std::string attribute = "")
      : std::runtime_error(reason), wayOut(std::move(wayOut)), attribute(std::move(attribute)),
        unsupported(unsupported) {}
  std::string wayOut;
  std::string attribute;
  bool unsupported;
};

/// Parses the model at `path`. Throws ImportError for a file that cannot be read or is not an ONNX model.
void readModel(llvm::StringRef path, onnx::ModelProto &model);

/// The bytes of a tensor: dense, row-major, little-endian. Raw data are viewed where they are; typed data are decoded
/// into the store; external data are mapped, from files inside of `folder` only. Throws ImportError when the
/// data do not fit the shape.
llvm::ArrayRef<char> tensorBytes(const onnx::TensorProto &tensor, llvm::StringRef folder, WeightStore &store);

/// Bytes an element of an ONNX data type takes, or 0 for types that mlc does not know.
unsigned elementBytes(int32_t dataType);

/// "FLOAT", "STRING", … or "type 99".
std::string dataTypeName(int32_t dataType);

/// The number of elements. Throws ImportError for negative sizes and for products beyond 2^62.
int64_t elementCount(const onnx::TensorProto &tensor);

} // namespace mlc::onnximport

#endif
