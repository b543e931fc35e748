//===- ExamplesJson.cpp - TensorFlow Serving's Classify and Regress as JSON --------------------------------------===//
#include "runtime/serve/rest/ExamplesJson.h"

#include "runtime/serve/JsonText.h"
#include "runtime/serve/SignatureDef.h"
#include "runtime/serve/rest/JsonObject.h"

#include <cmath>
#include <limits>

namespace mlc::serve {

namespace ondemand = simdjson::ondemand;
using tensorflow::Example;
using tensorflow::Feature;

namespace {

Error invalid(const std::string &message) { return Error(Code::invalidArgument, message); }

/// One feature of an example: its values have to be of one kind.
class FeatureReader final {
public:
  FeatureReader(std::string name, Feature &feature) : name(std::move(name)), feature(feature) {}

  void read(ondemand::value value) {
    if (firstByte(value) != '[')
      return readElement(value);
    ondemand::array list;
    checkJson(value.get_array().get(list));
    forEachElement(list, [&](ondemand::value element) { readElement(element); });
  }

private:
  void readElement(ondemand::value value) {
    switch (firstByte(value)) {
    case '"': {
      std::string_view text;
      checkJson(value.get_string().get(text));
      become(Feature::kBytesList);
      feature.mutable_bytes_list()->add_value(text.data(), text.size());
      return;
    }
    case '{':
      return readBytes(value);
    case 't':
    case 'f': {
      bool flag = false;
      checkJson(value.get_bool().get(flag));
      become(Feature::kInt64List);
      feature.mutable_int64_list()->add_value(flag);
      return;
    }
    case '[':
    case 'n':
      throw unexpected(value);
    default:
      readNumber(value);
    }
  }

  /// {"b64": text}
  void readBytes(ondemand::value value) {
    ondemand::object object;
    checkJson(value.get_object().get(object));
    std::string bytes;
    size_t members = 0;
    forEachMember(object, [&](std::string_view key, ondemand::value text) {
      std::string_view encoded;
      if (++members > 1 || key != "b64" || firstByte(text) != '"')
        throw unexpected(value);
      checkJson(text.get_string().get(encoded));
      if (!decodeBase64(encoded, bytes))
        throw invalid("Unable to base64 decode");
    });
    if (members == 0)
      throw unexpected(value);
    become(Feature::kBytesList);
    feature.mutable_bytes_list()->add_value(std::move(bytes));
  }

  void readNumber(ondemand::value value) {
    int64_t integer = 0;
    uint64_t large = 0;
    double real = 0;
    if (!value.get_int64().get(integer)) {
      become(Feature::kInt64List);
      feature.mutable_int64_list()->add_value(integer);
      return;
    }
    if (!value.get_uint64().get(large))
      throw invalid("Feature: " + name + " has uint64 element. Only int64 is supported.");
    if (value.get_double().get(real) && !scalarWord(value, real))
      throw unexpected(value);
    if (std::isfinite(real) && std::abs(real) > std::numeric_limits<float>::max())
      throw invalid("Cannot convert JSON value: " + jsonExcerpt(value) + " to float without loss of precision.");
    become(Feature::kFloatList);
    feature.mutable_float_list()->add_value(static_cast<float>(real));
  }

  Error unexpected(ondemand::value value) const {
    return invalid("Feature: " + name + " has element with unexpected JSON type: " + jsonTypeName(value));
  }

  void become(Feature::KindCase kind) {
    if (feature.kind_case() == Feature::KIND_NOT_SET || feature.kind_case() == kind)
      return;
    const char *expected = feature.has_bytes_list() ? "bytes" : feature.has_float_list() ? "float" : "int64";
    throw invalid("Unexpected element type in feature: " + name + " expecting type: " + expected);
  }

  const std::string name;
  Feature &feature;
};

void readExample(ondemand::value value, Example &example) {
  if (firstByte(value) != '{')
    throw invalid(std::string("Example must be JSON object but got JSON ") + jsonTypeName(value));
  ondemand::object object;
  checkJson(value.get_object().get(object));
  forEachMember(object, [&](std::string_view key, ondemand::value content) {
    std::string name(key);
    Feature feature;
    FeatureReader(name.substr(0, 256), feature).read(content);
    (*example.mutable_features()->mutable_feature())[name] = std::move(feature);
  });
}

/// Gives the only feature of an example the name of the only input.
void nameSoleFeature(Example &example, const Signature &signature) {
  auto &features = *example.mutable_features()->mutable_feature();
  const std::string &name = signature.inputs.front().name;
  if (features.size() != 1 || features.contains(name))
    return;
  Feature feature = std::move(features.begin()->second);
  features.clear();
  features[name] = std::move(feature);
}

tensorflow::serving::Input readObject(ondemand::object object, const Signature &signature, const std::string &verb) {
  tensorflow::serving::Input input;
  Example context;
  google::protobuf::RepeatedPtrField<Example> examples;
  bool hasExamples = false, hasContext = false;
  std::string signatureName;
  forEachMember(object, [&](std::string_view key, ondemand::value value) {
    if (key == "signature_name") {
      std::string_view name;
      if (firstByte(value) != '"')
        throw invalid("JSON Value: " + jsonExcerpt(value) +
                      " not formatted correctly. 'signature_name' key must be a string value.");
      checkJson(value.get_string().get(name));
      signatureName = name;
    } else if (key == "context" && !hasContext) {
      readExample(value, context);
      hasContext = true;
    } else if (key == "examples" && !hasExamples) {
      if (firstByte(value) != '[')
        throw invalid("JSON Value: " + jsonExcerpt(value) + " Expecting 'examples' value to be an list/array");
      ondemand::array list;
      checkJson(value.get_array().get(list));
      forEachElement(list, [&](ondemand::value element) { readExample(element, *examples.Add()); });
      hasExamples = true;
    }
  });
  if (!hasExamples)
    throw invalid("When method is " + verb + ", key 'examples' is expected and was not found");
  if (examples.empty())
    throw invalid("'examples' value is an empty array");
  if (!signatureName.empty() && signatureName != servingDefault)
    throw invalid("Serving signature name: \"" + signatureName + "\" not found in signature def");
  if (signature.inputs.size() == 1)
    for (Example &example : examples)
      nameSoleFeature(example, signature);
  if (!hasContext) {
    *input.mutable_example_list()->mutable_examples() = std::move(examples);
    return input;
  }
  *input.mutable_example_list_with_context()->mutable_examples() = std::move(examples);
  *input.mutable_example_list_with_context()->mutable_context() = std::move(context);
  return input;
}

} // namespace

tensorflow::serving::Input readExamplesBody(const std::string &text, const Signature &signature,
                                            const std::string &verb) {
  tensorflow::serving::Input input;
  readJsonObject(text, [&](ondemand::object object) { input = readObject(object, signature, verb); });
  return input;
}

std::string writeClasses(const tensorflow::serving::ClassificationResult &result) {
  std::string text = "{\"results\": [";
  for (int row = 0; row < result.classifications_size(); ++row) {
    text += row ? ", [" : "[";
    const auto &classes = result.classifications(row).classes();
    for (int i = 0; i < classes.size(); ++i) {
      text += i ? ", [" : "[";
      appendJsonString(text, classes[i].label());
      text += ", ";
      appendJsonNumber(text, classes[i].score());
      text += ']';
    }
    text += ']';
  }
  return text + "]}";
}

std::string writeValues(const tensorflow::serving::RegressionResult &result) {
  std::string text = "{\"results\": [";
  for (int row = 0; row < result.regressions_size(); ++row) {
    text += row ? ", " : "";
    appendJsonNumber(text, result.regressions(row).value());
  }
  return text + "]}";
}

} // namespace mlc::serve
