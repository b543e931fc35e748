//===- OpenInferenceJson.cpp - inference requests and answers of the Open Inference Protocol ---------------------===//
#include "runtime/serve/rest/OpenInferenceJson.h"

#include "runtime/serve/EventThreads.h"
#include "runtime/serve/JsonText.h"
#include "runtime/serve/rest/BinaryTensors.h"
#include "runtime/serve/rest/Classification.h"
#include "runtime/serve/rest/JsonObject.h"

#include <simdjson.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace mlc::serve {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t mostAxes = 32; // of an input, fewer than deepestJson

Error invalid(const std::string &message) { return Error(Code::invalidArgument, message); }

/// Throws where a call of simdjson failed.
void check(simdjson::error_code error, std::string_view what) {
  if (error)
    throw invalid("failed to parse the request JSON buffer: " + std::string(what) + ": " +
                  simdjson::error_message(error));
}

/// The members of an object that are not null.
template <typename Visit> void forEachPresent(ondemand::object object, Visit visit) {
  forEachMember(object, [&](std::string_view key, ondemand::value value) {
    bool null = false;
    checkJson(value.is_null().get(null));
    if (!null)
      visit(key, value);
  });
}

std::string readString(ondemand::value value, std::string_view name) {
  std::string_view text;
  check(value.get_string().get(text), name);
  return std::string(text);
}

/// A number of at least 0, which clients also send as a string.
uint64_t readCount(ondemand::value value, std::string_view name) {
  uint64_t number = 0;
  ondemand::json_type type;
  check(value.type().get(type), name);
  check(type == ondemand::json_type::string ? value.get_uint64_in_string().get(number) : value.get_uint64().get(number),
        name);
  return number;
}

bool readBool(ondemand::value value, std::string_view name) {
  bool flag = false;
  check(value.get_bool().get(flag), name);
  return flag;
}

/// By its first byte, since NaN has no type.
bool isList(ondemand::value &value) {
  std::string_view token = value.raw_json_token();
  return token.starts_with('[');
}

/// Reads the `data` of a tensor: all values in one list, or lists nested as the sizes say.
class DataReader final {
public:
  DataReader(Tensor &tensor, std::byte *to, int64_t count) : tensor(tensor), to(to), left(count), count(count) {}

  void read(ondemand::value value) {
    if (!isList(value)) {
      if (!tensor.sizes.empty())
        throw invalid("input '" + tensor.name + "': expected a list as data");
      readScalar(value);
      return;
    }
    ondemand::array array;
    check(value.get_array().get(array), "data");
    readTop(array);
    if (left > 0)
      throw wrongCount(std::to_string(count - left));
  }

private:
  /// The outermost list: its first element says whether the values are nested.
  void readTop(ondemand::array array) {
    bool nested = false, first = true;
    int64_t rows = 0;
    for (auto element : array) {
      ondemand::value value;
      check(std::move(element).get(value), "data");
      if (std::exchange(first, false))
        nested = isList(value);
      if (!nested) {
        readScalar(value);
        continue;
      }
      if (tensor.sizes.empty() || ++rows > tensor.sizes[0])
        throw ragged();
      readNested(value, 1);
    }
    if (nested && rows != tensor.sizes[0])
      throw ragged();
  }

  void readNested(ondemand::value value, size_t axis) {
    if (axis == tensor.sizes.size())
      return readScalar(value);
    ondemand::array array;
    check(value.get_array().get(array), "data");
    int64_t size = 0;
    for (auto element : array) {
      ondemand::value inner;
      check(std::move(element).get(inner), "data");
      if (++size > tensor.sizes[axis])
        throw ragged();
      readNested(inner, axis + 1);
    }
    if (size != tensor.sizes[axis])
      throw ragged();
  }

  void readScalar(ondemand::value value) {
    if (left-- <= 0)
      throw wrongCount("more");
    switch (tensor.dtype) {
    case MLC_F32:
      return readFloat<float>(value);
    case MLC_F64:
      return readFloat<double>(value);
    case MLC_I8:
      return readInteger<int8_t>(value);
    case MLC_I16:
      return readInteger<int16_t>(value);
    case MLC_I32:
      return readInteger<int32_t>(value);
    case MLC_I64:
      return readInteger<int64_t>(value);
    case MLC_U8:
      return readInteger<uint8_t>(value);
    case MLC_U16:
      return readInteger<uint16_t>(value);
    case MLC_U32:
      return readInteger<uint32_t>(value);
    case MLC_U64:
      return readInteger<uint64_t>(value);
    case MLC_BOOL:
      return readFlag(value);
    default: // halves have been refused
      throw Error(Code::internal, "unexpected element type");
    }
  }

  template <typename T> void put(T value) {
    std::memcpy(to, &value, sizeof(T));
    to += sizeof(T);
  }

  template <typename T> void readFloat(ondemand::value value) {
    double number = 0;
    if (value.get_double().get(number)) {
      number = readWord(value);
    } else if (std::isinf(static_cast<T>(number))) {
      throw wrongValue(value);
    }
    put(static_cast<T>(number));
  }

  /// NaN and the infinities as Triton takes them: bare words that JSON does not have.
  double readWord(ondemand::value value) {
    std::string_view word = tokenOf(value);
    if (word == "NaN")
      return std::numeric_limits<double>::quiet_NaN();
    if (word == "Infinity" || word == "-Infinity")
      return word[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    throw wrongValue(value);
  }

  template <typename T> void readInteger(ondemand::value value) {
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    Wide number = 0;
    simdjson::error_code error;
    if constexpr (std::is_signed_v<T>)
      error = value.get_int64().get(number);
    else
      error = value.get_uint64().get(number);
    if (error || number < Wide(std::numeric_limits<T>::min()) || number > Wide(std::numeric_limits<T>::max()))
      throw wrongValue(value);
    put(static_cast<T>(number));
  }

  void readFlag(ondemand::value value) {
    bool flag = false;
    uint64_t number = 2;
    if (value.get_bool().get(flag)) {
      if (value.get_uint64().get(number) || number > 1)
        throw wrongValue(value);
      flag = number != 0;
    }
    put(static_cast<uint8_t>(flag));
  }

  static std::string_view tokenOf(ondemand::value &value) {
    std::string_view token = value.raw_json_token();
    return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
  }

  Error wrongValue(ondemand::value value) const {
    return invalid("input '" + tensor.name + "': expected " + openInferenceName(tensor.dtype) + " values, but got " +
                   std::string(tokenOf(value).substr(0, 64)));
  }
  Error wrongCount(const std::string &got) const {
    return invalid("input '" + tensor.name + "': expected " + std::to_string(count) + " values for sizes " +
                   sizesText(tensor.sizes) + ", but got " + got);
  }
  Error ragged() const {
    return invalid("input '" + tensor.name + "': expected data nested as sizes " + sizesText(tensor.sizes) +
                   " or flat");
  }

  Tensor &tensor;
  std::byte *to;
  int64_t left;
  const int64_t count;
};

/// Reads requests from a parsed document. Binary tensors are taken one after the other.
class RequestReader final {
public:
  RequestReader(InferenceRequest &request, std::string_view json, std::string_view binary)
      : request(request), json(json), binary(binary) {}

  void read(ondemand::object object) {
    bool hasId = false, hasParameters = false, hasInputs = false, hasOutputs = false;
    forEachPresent(object, [&](std::string_view key, ondemand::value value) {
      if (isFirst(key, "id", hasId))
        request.id = readString(value, "id");
      else if (isFirst(key, "parameters", hasParameters))
        readParameters(value);
      else if (isFirst(key, "inputs", hasInputs))
        readInputs(value);
      else if (isFirst(key, "outputs", hasOutputs))
        readOutputs(value);
    });
    if (!hasInputs)
      throw invalid("expected 'inputs' in the request, but got none");
    if (!binary.empty())
      throw invalid("unexpected additional input data: " + std::to_string(binary.size()) +
                    " bytes behind the binary tensors");
  }

private:
  void readParameters(ondemand::value value) {
    ondemand::object parameters;
    check(value.get_object().get(parameters), "parameters");
    auto number = [](ondemand::value value, std::string_view name, uint64_t most) {
      return std::min(readCount(value, name), most);
    };
    bool hasOutput = false, hasPriority = false, hasTimeout = false, hasMethod = false, hasExplained = false,
         hasTarget = false, hasSteps = false;
    forEachPresent(parameters, [&](std::string_view key, ondemand::value value) {
      if (isFirst(key, "binary_data_output", hasOutput))
        request.binaryOutputs = readBool(value, "binary_data_output");
      else if (isFirst(key, "priority", hasPriority))
        request.priority = static_cast<uint32_t>(number(value, "priority", std::numeric_limits<uint32_t>::max()));
      else if (isFirst(key, "timeout", hasTimeout))
        request.timeout = std::chrono::microseconds(number(value, "timeout", uint64_t(365) * 24 * 3600 * 1'000'000));
      else if (isFirst(key, "explain", hasMethod))
        request.explanation.method = readString(value, "explain");
      else if (isFirst(key, "explain_output", hasExplained))
        request.explanation.output = readString(value, "explain_output");
      else if (isFirst(key, "explain_target", hasTarget))
        request.explanation.target = static_cast<int64_t>(number(value, "explain_target", INT64_MAX));
      else if (isFirst(key, "explain_steps", hasSteps))
        request.explanation.steps = static_cast<int64_t>(number(value, "explain_steps", INT64_MAX));
    });
  }

  void readInputs(ondemand::value value) {
    ondemand::array array;
    check(value.get_array().get(array), "inputs");
    for (auto element : array) {
      ondemand::object input;
      check(std::move(element).get_object().get(input), "inputs");
      readInput(input);
    }
  }

  void readInput(ondemand::object input) {
    Tensor tensor;
    std::string datatype;
    std::optional<uint64_t> binaryBytes;
    bool hasName = false, hasType = false, hasShape = false, hasParameters = false, hasData = false, isShared = false,
         isRead = false;
    forEachPresent(input, [&](std::string_view key, ondemand::value value) {
      if (isFirst(key, "name", hasName)) {
        tensor.name = readString(value, "name");
      } else if (isFirst(key, "datatype", hasType)) {
        datatype = readString(value, "datatype");
      } else if (isFirst(key, "shape", hasShape)) {
        readSizes(value, tensor);
      } else if (isFirst(key, "parameters", hasParameters)) {
        readInputParameters(value, binaryBytes, isShared);
      } else if (isFirst(key, "data", hasData)) {
        isRead = hasName && hasType && hasShape && !binaryBytes && !isShared;
        if (isRead)
          readData(value, tensor, datatype);
      }
    });
    for (auto [there, name] : {std::pair(hasName, "name"), {hasType, "datatype"}, {hasShape, "shape"}})
      if (!there)
        throw invalid("expected '" + std::string(name) + "' in input '" + tensor.name + "', but got none");
    tensor.dtype = readType(datatype, tensor.name);
    if (isShared)
      throw Error(Code::unimplemented, "unsupported shared memory for input '" + tensor.name + "'");
    if (binaryBytes) {
      size_t bytes = size_t(elementCount(tensor.sizes)) * elementSize(tensor.dtype);
      if (*binaryBytes != bytes)
        throw invalid("input '" + tensor.name + "': expected " + std::to_string(bytes) + " bytes for " +
                      openInferenceName(tensor.dtype) + sizesText(tensor.sizes) + ", but got binary_data_size " +
                      std::to_string(*binaryBytes));
      tensor.data = takeBinary(binary, bytes, tensor.name).data();
      tensor.bytes = bytes;
    } else if (!hasData) {
      throw invalid("expected 'data' in input '" + tensor.name + "', but got none");
    } else if (!isRead) { // it stands before what says how it is read
      check(input.reset().error(), "inputs");
      bool again = false;
      forEachPresent(input, [&](std::string_view key, ondemand::value value) {
        if (isFirst(key, "data", again))
          readData(value, tensor, datatype);
      });
    }
    request.inputs.push_back(std::move(tensor));
  }

  static void readInputParameters(ondemand::value value, std::optional<uint64_t> &binaryBytes, bool &isShared) {
    ondemand::object parameters;
    check(value.get_object().get(parameters), "parameters");
    bool hasSize = false;
    forEachPresent(parameters, [&](std::string_view key, ondemand::value value) {
      if (isFirst(key, "binary_data_size", hasSize))
        binaryBytes = readCount(value, "binary_data_size");
      else if (key == "shared_memory_region")
        isShared = true;
    });
  }

  static mlc_dtype readType(const std::string &name, const std::string &input) {
    if (name == "BYTES")
      throw invalid("input '" + input + "': unsupported datatype BYTES; models have no strings");
    return fromOpenInferenceName(name);
  }

  static void readSizes(ondemand::value value, Tensor &tensor) {
    ondemand::array array;
    check(value.get_array().get(array), "shape");
    for (auto element : array) {
      int64_t size = 0;
      check(std::move(element).get_int64().get(size), "shape");
      if (tensor.sizes.size() == mostAxes)
        throw invalid("input '" + tensor.name + "': expected a rank of at most " + std::to_string(mostAxes));
      tensor.sizes.push_back(size);
    }
  }

  void readData(ondemand::value value, Tensor &tensor, const std::string &datatype) {
    tensor.dtype = readType(datatype, tensor.name);
    int64_t count = elementCount(tensor.sizes);
    size_t bytes = size_t(count) * elementSize(tensor.dtype);
    if (tensor.dtype == MLC_F16 || tensor.dtype == MLC_BF16)
      throw invalid("receiving " + std::string(openInferenceName(tensor.dtype)) +
                    " data via JSON is not supported. Please use the binary data format for input " + tensor.name);
    // Each value takes a character at least, so that a request cannot ask for more memory than it brings.
    if (uint64_t(count) > json.size())
      throw invalid("input '" + tensor.name + "': expected " + std::to_string(count) + " values for sizes " +
                    sizesText(tensor.sizes) + ", but the request is shorter");
    request.storage.push_back(std::make_unique_for_overwrite<std::byte[]>(bytes));
    tensor.data = request.storage.back().get();
    tensor.bytes = bytes;
    DataReader(tensor, request.storage.back().get(), count).read(value);
  }

  void readOutputs(ondemand::value value) {
    ondemand::array array;
    check(value.get_array().get(array), "outputs");
    for (auto element : array) {
      ondemand::object object;
      check(std::move(element).get_object().get(object), "outputs");
      InferenceRequest::Output output;
      bool hasName = false, hasParameters = false, isShared = false;
      forEachPresent(object, [&](std::string_view key, ondemand::value value) {
        if (isFirst(key, "name", hasName))
          output.name = readString(value, "name");
        else if (isFirst(key, "parameters", hasParameters))
          readOutputParameters(value, output, isShared);
      });
      if (!hasName)
        throw invalid("expected 'name' in an output of the request, but got none");
      if (isShared)
        throw Error(Code::unimplemented, "unsupported shared memory for output '" + output.name + "'");
      request.outputs.push_back(std::move(output));
    }
  }

  static void readOutputParameters(ondemand::value value, InferenceRequest::Output &output, bool &isShared) {
    ondemand::object parameters;
    check(value.get_object().get(parameters), "parameters");
    bool hasBinary = false, hasClasses = false;
    forEachPresent(parameters, [&](std::string_view key, ondemand::value value) {
      if (isFirst(key, "binary_data", hasBinary))
        output.binary = readBool(value, "binary_data");
      else if (isFirst(key, "classification", hasClasses))
        output.classes = readCount(value, "classification");
      else if (key == "shared_memory_region")
        isShared = true;
    });
  }

  InferenceRequest &request;
  const std::string_view json;
  std::string_view binary;
};

} // namespace

void readInferenceRequest(InferenceRequest &request, std::string_view json, std::string_view binary, size_t readable) {
  if (json.size() >= longText)
    EventThreads::handOn();
  // The parser keeps its buffers for the next request of this thread, unless the request was large.
  constexpr size_t keep = size_t(1) << 20;
  thread_local ondemand::parser kept;
  ondemand::parser once;
  ondemand::parser &parser = json.size() > keep ? once : kept;
  std::optional<simdjson::padded_string> copy;
  simdjson::padded_string_view text(json, readable);
  if (readable < json.size() + simdjson::SIMDJSON_PADDING)
    text = copy.emplace(json);
  if (parser.capacity() < json.size() || parser.max_depth() != deepestJson)
    check(parser.allocate(std::max(json.size(), size_t(4096)), deepestJson), "document");
  ondemand::document document;
  check(parser.iterate(text).get(document), "document");
  ondemand::object object;
  check(document.get_object().get(object), "document");
  try {
    RequestReader(request, json, binary).read(object);
  } catch (const NotJson &error) {
    check(error.error, "document");
  }
}

InferenceAnswer writeInferenceAnswer(const Version &version, const InferenceRequest &request,
                                     std::span<const Tensor> outputs) {
  std::string json = "{\"model_name\":";
  appendJsonString(json, version.model);
  json += ",\"model_version\":\"" + std::to_string(version.number) + '"';
  if (!request.id.empty()) {
    json += ",\"id\":";
    appendJsonString(json, request.id);
  }
  json += ",\"outputs\":[";
  std::vector<std::string> classes; // the binary outputs that are not tensors of the model
  classes.reserve(outputs.size());
  std::vector<std::string_view> binary;
  size_t binaryBytes = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor &tensor = outputs[i];
    const InferenceRequest::Output *asked = request.outputs.empty() ? nullptr : &request.outputs[i];
    bool isBinary = asked && asked->binary ? *asked->binary : request.binaryOutputs;
    json += i ? ",{\"name\":" : "{\"name\":";
    appendJsonString(json, tensor.name);
    std::string_view bytes(static_cast<const char *>(tensor.data), tensor.bytes);
    std::optional<Classes> largest;
    if (asked && asked->classes)
      largest = largestClasses(tensor, asked->classes, version.labels(), version.signature().batchable());
    json += ",\"datatype\":\"";
    json += largest ? "BYTES" : openInferenceName(tensor.dtype);
    json += "\",\"shape\":" + sizesText(largest ? largest->sizes : tensor.sizes);
    if (isBinary) {
      if (largest)
        bytes = classes.emplace_back(binaryStrings(largest->texts));
      json += ",\"parameters\":{\"binary_data_size\":" + std::to_string(bytes.size()) + "}}";
      binary.push_back(bytes);
      binaryBytes += bytes.size();
      continue;
    }
    json += ",\"data\":[";
    if (largest) {
      for (size_t j = 0; j < largest->texts.size(); ++j) {
        json += j ? "," : "";
        appendJsonString(json, largest->texts[j]);
      }
    } else {
      if (tensor.dtype == MLC_F16 || tensor.dtype == MLC_BF16)
        throw invalid("sending " + std::string(openInferenceName(tensor.dtype)) +
                      " data via JSON is not supported. Please use the binary data format for output " + tensor.name);
      appendJsonValues(json, tensor, tensor.bytes / elementSize(tensor.dtype));
    }
    json += "]}";
  }
  json += "]}";
  InferenceAnswer answer;
  answer.jsonBytes = binary.empty() ? 0 : json.size();
  answer.body = std::move(json);
  answer.body.reserve(answer.body.size() + binaryBytes);
  for (std::string_view bytes : binary)
    answer.body += bytes;
  return answer;
}

} // namespace mlc::serve
