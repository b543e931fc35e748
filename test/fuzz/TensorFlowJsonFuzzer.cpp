//===- TensorFlowJsonFuzzer.cpp - the bodies and paths of TensorFlow Serving's REST API --------------------------===//
// The first byte says what the rest of the input is: a path and examples, or the body of a prediction for inputs of one
// type or another, in MLflow's words where its bit 64 is set. What was read is written as an answer, and read again: it
// has to be the same.
#include "runtime/serve/Error.h"
#include "runtime/serve/rest/ExamplesJson.h"
#include "runtime/serve/rest/TensorFlowPath.h"
#include "runtime/serve/rest/TensorJson.h"

#include <cstdlib>
#include <cstring>

using namespace mlc::serve;

namespace {

constexpr mlc_dtype types[] = {MLC_F32, MLC_F64, MLC_I8,   MLC_I16, MLC_I32,  MLC_I64, MLC_U8,
                               MLC_U32, MLC_U64, MLC_BOOL, MLC_F16, MLC_BF16, MLC_U16};

void require(bool holds) {
  if (!holds)
    abort();
}

void checkPrediction(const std::string &text, const Signature &signature, PredictForm form) {
  PredictBody body = readPredictBody(text, signature, form);
  for (const Tensor &input : body.inputs)
    require(input.bytes == elementCount(input.sizes) * elementSize(input.dtype));
  require(body.inputs.size() == signature.inputs.size());
  // "inputs" of the answer's "outputs".
  std::string written = writePredictions(body.inputs, false);
  written.replace(0, strlen("{\"outputs\""), "{\"inputs\"");
  PredictBody again = readPredictBody(written, signature);
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    const Tensor &input = body.inputs[i], &other = again.inputs[i];
    // Behind an axis of size 0, lists do not say their sizes.
    bool empty = input.bytes == 0;
    require(other.bytes == input.bytes && (empty || other.sizes == input.sizes));
    bool floats = input.dtype == MLC_F32 || input.dtype == MLC_F64; // NaN may be another NaN
    require(empty || floats || std::memcmp(other.data, input.data, input.bytes) == 0);
  }
  if (body.rows)
    writePredictions(body.inputs, true);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string text(reinterpret_cast<const char *>(data + 1), size - 1);
  unsigned choice = data[0] % 64;
  mlc_dtype type = types[choice % 16 % std::size(types)];
  enum { oneInput, twoInputs, roomForTheParser, examples } what = decltype(oneInput)(choice / 16);
  if (what == roomForTheParser) // nothing is copied
    text.reserve(text.size() + 64);
  try {
    if (what == examples) {
      TensorFlowPath path;
      path.parse(text);
      readExamplesBody(text, {{{"x", type, {-1}, {0}}}, {}, {"N"}}, "classify");
    } else {
      checkPrediction(text,
                      what == twoInputs ? Signature{{{"x", type, {-1}, {0}}, {"y", MLC_F32, {-1}, {0}}}, {}, {"N"}}
                                        : Signature{{{"x", type, {-1}, {0}}}, {}, {"N"}},
                      data[0] & 64 ? PredictForm::mlflow : PredictForm::tensorFlow);
    }
  } catch (const Error &) {
  }
  return 0;
}
