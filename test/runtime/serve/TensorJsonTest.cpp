//===- TensorJsonTest.cpp - bodies of TensorFlow Serving's REST API ----------------------------------------------===//
#include "runtime/serve/rest/TensorJson.h"
#include "runtime/serve/Error.h"
#include "runtime/serve/rest/ExamplesJson.h"
#include "runtime/serve/rest/JsonObject.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace mlc::serve;

namespace {

/// A signature with inputs of these types: x, then y, then z.
Signature signature(std::vector<mlc_dtype> types) {
  Signature signature{{}, {}, {"N"}};
  const char *name = "x\0y\0z";
  for (mlc_dtype type : types) {
    signature.inputs.push_back({name, type, {-1}, {0}});
    name += 2;
  }
  return signature;
}

template <typename T> std::vector<T> values(const Tensor &tensor) {
  std::vector<T> all(tensor.bytes / sizeof(T));
  std::memcpy(all.data(), tensor.data, tensor.bytes);
  return all;
}

/// The values of the only input.
template <typename T> std::vector<T> read(const std::string &text, mlc_dtype type) {
  return values<T>(readPredictBody(text, signature({type})).inputs.at(0));
}

using Sizes = std::vector<int64_t>;
Sizes sizes(const std::string &text) { return readPredictBody(text, signature({MLC_F32})).inputs.at(0).sizes; }

/// The error that a body is answered with.
std::string failure(const std::string &text, std::vector<mlc_dtype> types = {MLC_F32},
                    Code code = Code::invalidArgument) {
  try {
    readPredictBody(text, signature(types));
  } catch (const Error &error) {
    EXPECT_EQ(error.code, code) << text << ": " << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an error for " << text.substr(0, 200);
  return {};
}

bool has(const std::string &text, const std::string &part) { return text.find(part) != text.npos; }
#define EXPECT_HAS(text, part) EXPECT_PRED2(has, text, part)

TEST(TensorJson, ReadsRowsOfOneInput) {
  EXPECT_EQ(read<float>(R"({"instances": [1.0, 2, 5e0]})", MLC_F32), (std::vector<float>{1, 2, 5}));
  EXPECT_EQ(sizes(R"({"instances": [1.0, 2.0, 5.0]})"), (Sizes{3}));
  EXPECT_EQ(sizes(R"({"instances": [[1, 2], [3, 4], [5, 6]]})"), (Sizes{3, 2}));
  EXPECT_EQ(sizes(R"({"instances": [[[1, 2, 3]], [[3, 4, 5]]]})"), (Sizes{2, 1, 3}));
  EXPECT_EQ(sizes(R"({"instances": [[], []]})"), (Sizes{2, 0}));
  EXPECT_EQ(read<float>(R"({"instances": [{"x": [1, 2]}, {"x": [3, 4]}]})", MLC_F32), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_TRUE(readPredictBody(R"({"instances": [1]})", signature({MLC_F32})).rows);
}

TEST(TensorJson, ReadsRowsOfSeveralInputs) {
  PredictBody body = readPredictBody(R"({"instances": [{"x": 1, "y": [2, 3]}, {"y": [5, 6], "x": 4}]})",
                                     signature({MLC_F32, MLC_I64}));
  EXPECT_EQ(values<float>(body.inputs[0]), (std::vector<float>{1, 4}));
  EXPECT_EQ(values<int64_t>(body.inputs[1]), (std::vector<int64_t>{2, 3, 5, 6}));
  EXPECT_EQ(body.inputs[0].sizes, (Sizes{2}));
  EXPECT_EQ(body.inputs[1].sizes, (Sizes{2, 2}));
  EXPECT_EQ(body.inputs[1].name, "y");
}

TEST(TensorJson, RefusesRowsThatDiffer) {
  std::vector<mlc_dtype> two = {MLC_F32, MLC_F32};
  EXPECT_HAS(failure(R"({"instances": [1, 2]})", two), "instances is a plain list, but expecting list of objects");
  EXPECT_HAS(failure(R"({"instances": [{"x": 1}]})", two), R"({"x": 1} keys must be equal to: x,y)");
  EXPECT_HAS(failure(R"({"instances": [{"x": 1, "y": 1, "z": 1}]})", two),
             "does not have named input: z; keys must be equal to: x,y");
  EXPECT_HAS(failure(R"({"instances": [{"x": 1, "x": 1}]})", two), "keys must be equal to: x,y");
  EXPECT_EQ(failure(R"({"instances": [{"x": 1}, 2]})"), "Expecting object but got list at item 1 of input list");
  EXPECT_EQ(failure(R"({"instances": [1, {"x": 1}]})"), "Expecting value/list but got object at item 1 of input list");
  EXPECT_EQ(
      failure(R"({"instances": [[1, 2], [3]]})"),
      "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 2 but got: 1");
  EXPECT_HAS(failure(R"({"instances": [[[1, 2]], [[3], [4]]]})"), "Expecting shape [1,2] but got: [2,1]");
  EXPECT_HAS(failure(R"({"instances": [{"x": 1}, {"x": [1]}]})"),
             "Failed to process element: 1 key: x of 'instances' list.");
}

TEST(TensorJson, RefusesRaggedLists) {
  EXPECT_HAS(failure(R"({"instances": [[[1, 2], [3]]]})"),
             "Encountered list at unexpected size: 1 at level: 1 expected size: 2");
  EXPECT_HAS(failure(R"({"inputs": [[1, 2], [3, 4, 5]]})"),
             "Encountered list at unexpected size: 3 at level: 1 expected size: 2");
  EXPECT_HAS(failure(R"({"inputs": [1, [2]]})"), "Encountered list at unexpected level: 1 expected < 1");
  EXPECT_EQ(failure(R"({"inputs": [[1], 2]})"),
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2");
  EXPECT_HAS(failure(R"({"inputs": [[], [1]]})"),
             "Encountered list at unexpected size: 1 at level: 1 expected size: 0");
}

TEST(TensorJson, ReadsColumns) {
  PredictBody body = readPredictBody(R"({"inputs": [[1, 2]]})", signature({MLC_F32}));
  EXPECT_FALSE(body.rows);
  EXPECT_EQ(body.inputs[0].sizes, (Sizes{1, 2}));
  EXPECT_EQ(readPredictBody(R"({"inputs": 3})", signature({MLC_F32})).inputs[0].sizes, Sizes{});
  EXPECT_EQ(readPredictBody(R"({"inputs": {"x": [1, 2]}})", signature({MLC_F32})).inputs[0].sizes, Sizes{2});
  // Axis 0 need not be the same; other names are ignored, whatever they are.
  body = readPredictBody(R"({"inputs": {"other": {"a": [[]]}, "y": [1, 2], "x": [[1]], "x": "twice"}})",
                         signature({MLC_F32, MLC_F64}));
  EXPECT_EQ(body.inputs[0].sizes, (Sizes{1, 1}));
  EXPECT_EQ(values<double>(body.inputs[1]), (std::vector<double>{1, 2}));
  EXPECT_EQ(failure(R"({"inputs": {"x": 1}})", {MLC_F32, MLC_F32}), "Missing named input: y in 'inputs' object.");
  EXPECT_HAS(failure(R"({"inputs": [1]})", {MLC_F32, MLC_F32}),
             "inputs is a plain value/list, but expecting an object");
}

TEST(TensorJson, ChecksTheTopOfTheBody) {
  EXPECT_EQ(failure(""), "JSON Parse error: The document is empty");
  EXPECT_EQ(failure(" \n"), "JSON Parse error: The document is empty");
  EXPECT_EQ(failure("[1, 2]"), "JSON Value: [1, 2] Is not object");
  EXPECT_EQ(failure("{}"), "Missing 'inputs' or 'instances' key");
  EXPECT_EQ(failure(R"({"other": 1})"), "Missing 'inputs' or 'instances' key");
  EXPECT_HAS(failure(R"({"instances": [1], "inputs": [1]})"), "only one of 'inputs' or 'instances' keys");
  EXPECT_HAS(failure(R"({"inputs": [1], "instances": [1]})"), "only one of 'inputs' or 'instances' keys");
  EXPECT_EQ(failure(R"({"instances": []})"), "JSON Value: [] No values in 'instances' array");
  EXPECT_EQ(failure(R"({"instances": {"x": 1}})"), R"(JSON Value: {"x": 1} Expecting 'instances' to be a list/array)");
  EXPECT_EQ(failure(R"({"instances": [1], "signature_name": "other"})"),
            "Serving signature name: \"other\" not found in signature def");
  EXPECT_HAS(failure(R"({"signature_name": 1, "instances": [1]})"), "'signature_name' key must be a string value.");
  for (const char *name : {"", "serving_default"})
    EXPECT_EQ(sizes(R"({"signature_name": ")" + std::string(name) + R"(", "instances": [1]})"), Sizes{1});
  // Other keys are ignored, wherever they are and whatever they hold.
  EXPECT_EQ(sizes(R"({"a": {"b": [1, {}]}, "instances": [1, 2], "c": null, "d": "]}\""})"), Sizes{2});
  EXPECT_EQ(sizes(R"({"\u0069nstances": [1]})"), Sizes{1});
}

TEST(TensorJson, RefusesWhatIsNotJson) {
  for (const char *text :
       {"{", "{\"instances\"", "{\"instances\": [", "{\"instances\": [1", "{\"instances\": [1]",
        "{\"instances\": [1,]}", "{\"instances\": [1 2]}", "{\"instances\" [1]}", "{\"instances\": [1}",
        "{'instances': [1]}", "{\"instances: [1]}", "{\"instances\": [\"\x80\"]}", "{\"instances\": [tru]}",
        "{\"instances\": [,]}", "{\"instances\": [[1]}", "{1: 2}", "{\"instances\": [1] \"a\": 2}"})
    EXPECT_HAS(failure(text), "JSON Parse error: ") << text;
}

TEST(TensorJson, IgnoresWhatIsBehindTheObject) {
  for (const char *behind : {" ", "x", "}", "{\"instances\": []}", "]]]]", "\"", "\xff", " {", "\\"})
    EXPECT_EQ(sizes(R"({"instances": [1, 2], "a": "}"})" + std::string(behind)), Sizes{2}) << behind;
  EXPECT_EQ(sizes(R"({"a\"}": 1, "instances": [1, 2]}x")"), Sizes{2});
}

TEST(TensorJson, TakesNumbersThatAreNone) {
  std::vector<float> words = read<float>(R"({"instances": [NaN, Infinity , -Infinity,Inf, -Inf, -NaN
  , 1]})",
                                         MLC_F32);
  ASSERT_EQ(words.size(), 7u);
  EXPECT_TRUE(std::isnan(words[0]) && std::isnan(words[5]));
  EXPECT_EQ(words[1], INFINITY);
  EXPECT_EQ(words[2], -INFINITY);
  EXPECT_EQ(words[3], INFINITY);
  EXPECT_EQ(words[4], -INFINITY);
  EXPECT_EQ(words[6], 1);
  EXPECT_TRUE(std::isnan(read<double>(R"({"inputs": NaN})", MLC_F64)[0]));
  EXPECT_EQ(sizes(R"({"instances": [[NaN], [Infinity]], "a": NaN})"), (Sizes{2, 1}));
  EXPECT_HAS(failure(R"({"instances": [NaN]})", {MLC_I32}),
             "JSON Value: NaN Type: Number is not of expected type: int32");
  for (const char *word : {"nan", "Nan", "infinity", "+Infinity", "NaNs", "Infinit", "--Inf"})
    failure("{\"instances\": [" + std::string(word) + "]}");
}

TEST(TensorJson, ReadsEveryTypeInItsRange) {
  EXPECT_EQ(read<double>(R"({"instances": [1e300, 1, -0.5]})", MLC_F64), (std::vector<double>{1e300, 1, -0.5}));
  EXPECT_EQ(read<uint8_t>(R"({"instances": [true, false]})", MLC_BOOL), (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(read<int32_t>(R"({"instances": [-2147483648, 2147483647]})", MLC_I32),
            (std::vector<int32_t>{INT32_MIN, INT32_MAX}));
  EXPECT_EQ(read<int64_t>(R"({"instances": [-9223372036854775808]})", MLC_I64), std::vector<int64_t>{INT64_MIN});
  EXPECT_EQ(read<uint32_t>(R"({"instances": [4294967295]})", MLC_U32), std::vector<uint32_t>{UINT32_MAX});
  EXPECT_EQ(read<uint64_t>(R"({"instances": [18446744073709551615]})", MLC_U64), std::vector<uint64_t>{UINT64_MAX});
  // 8 and 16 bits are read as 32, and cut.
  EXPECT_EQ(read<uint8_t>(R"({"instances": [255, 256, -1]})", MLC_U8), (std::vector<uint8_t>{255, 0, 255}));
  EXPECT_EQ(read<int8_t>(R"({"instances": [-128, 128]})", MLC_I8), (std::vector<int8_t>{-128, -128}));
  EXPECT_EQ(read<int16_t>(R"({"instances": [32767]})", MLC_I16), std::vector<int16_t>{32767});
  EXPECT_EQ(read<float>(R"({"instances": [16777217, 18446744073709551615, 3.4028234663852886e38]})", MLC_F32),
            (std::vector<float>{16777216, 18446744073709551616.f, std::numeric_limits<float>::max()}));
}

TEST(TensorJson, RefusesOtherTypes) {
  EXPECT_EQ(failure(R"({"inputs": ["abc"]})"), R"(JSON Value: "abc" Type: String is not of expected type: float)");
  EXPECT_EQ(failure(R"({"inputs": [null]})"), "JSON Value: null Type: Null is not of expected type: float");
  EXPECT_EQ(failure(R"({"inputs": [true]})"), "JSON Value: true Type: True is not of expected type: float");
  EXPECT_EQ(failure(R"({"inputs": [1]})", {MLC_BOOL}), "JSON Value: 1 Type: Number is not of expected type: bool");
  EXPECT_EQ(failure(R"({"inputs": [{"b64": "YQ=="}]})"),
            R"(JSON Value: {"b64": "YQ=="} Type: Object is not of expected type: float)");
  EXPECT_HAS(failure(R"({"instances": [{"b64": "YQ=="}]})"),
             R"(JSON Value: {"b64": "YQ=="} Type: Object is not of expected type: float)");
  for (mlc_dtype type : {MLC_I8, MLC_I16, MLC_I32, MLC_U8, MLC_I64, MLC_U32, MLC_U64})
    EXPECT_HAS(failure(R"({"inputs": [1.0]})", {type}),
               "Type: Number is not of expected type: " + std::string(tensorFlowShortName(type)));
  EXPECT_HAS(failure(R"({"inputs": [2147483648]})", {MLC_U8}), "uint8");
  EXPECT_HAS(failure(R"({"inputs": [2147483648]})", {MLC_I32}), "int32");
  EXPECT_HAS(failure(R"({"inputs": [4294967296]})", {MLC_U32}), "uint32");
  EXPECT_HAS(failure(R"({"inputs": [-1]})", {MLC_U32}), "uint32");
  EXPECT_HAS(failure(R"({"inputs": [-1]})", {MLC_U64}), "uint64");
  EXPECT_HAS(failure(R"({"inputs": [9223372036854775808]})", {MLC_I64}), "int64");
  EXPECT_EQ(failure(R"({"inputs": [1e39]})"), "Cannot convert JSON value: 1e39 to float without loss of precision.");
  failure(R"({"inputs": [1e400]})", {MLC_F64});
  failure(R"({"inputs": [01]})");
  failure(R"({"inputs": [1.]})");
  for (mlc_dtype type : {MLC_F16, MLC_BF16, MLC_U16}) {
    EXPECT_EQ(failure(R"({"inputs": [1.5]})", {type}, Code::unimplemented),
              "Conversion of JSON Value: [1.5] to type: " + std::string(tensorFlowShortName(type)));
    failure(R"({"instances": [1.5]})", {type}, Code::unimplemented);
  }
  // What is quoted is cut.
  EXPECT_LT(failure(R"({"inputs": [")" + std::string(100'000, 'a') + R"("]})").size(), 400u);
  EXPECT_LT(failure(R"({"inputs": {"y": [)" + std::string(100'000, ' ') + R"(]}, "instances": 1})").size(), 400u);
}

TEST(TensorJson, BoundsDeepNesting) {
  std::string open(100'000, '['), close(100'000, ']');
  EXPECT_HAS(failure("{\"instances\": " + open + close + "}"), "nested at most 64 deep");
  EXPECT_HAS(failure("{\"inputs\": " + open + close + "}"), "nested at most 64 deep");
  EXPECT_HAS(failure("{\"instances\": " + open), "JSON Parse error");
  EXPECT_HAS(failure("{\"inputs\": " + open + "1" + close.substr(1) + "}"), "nested at most 64 deep");
  EXPECT_EQ(sizes("{\"other\": " + open + close + ", \"instances\": [1]}"), Sizes{1});
  std::string objects;
  for (int i = 0; i < 100'000; ++i)
    objects += "{\"x\": ";
  failure("{\"instances\": [" + objects + "1" + std::string(100'000, '}') + "]}");
  EXPECT_EQ(sizes("{\"inputs\": " + open.substr(0, 64) + "1" + close.substr(0, 64) + "}").size(), 64u);
}

TEST(TensorJson, ReadsTheWordsOfMlflow) {
  Signature one = signature({MLC_F32});
  PredictBody body = readPredictBody(R"({"dataframe_records": [{"x": 1}, {"x": 2}]})", one, PredictForm::mlflow);
  EXPECT_EQ(body.inputs[0].sizes, Sizes{2});
  EXPECT_THROW(readPredictBody(R"({"dataframe_records": [{"x": 1}]})", one), Error);
}

TEST(TensorJson, ReadsMlflowsSplitForm) {
  Signature two = signature({MLC_F32, MLC_I64});
  const std::string y = two.inputs[1].name;
  auto read = [&](const std::string &text) { return readPredictBody(text, two, PredictForm::mlflow); };
  for (const std::string &text :
       {R"({"dataframe_split": {"columns": ["x", ")" + y + R"("], "index": [0, 1], "data": [[1.5, 2], [2.5, 3]]}})",
        R"({"dataframe_split": {"data": [[2, 1.5], [3, 2.5]], "columns": [")" + y + R"(", "x"]}, "other": 1}x)"}) {
    PredictBody body = read(text);
    EXPECT_TRUE(body.rows);
    ASSERT_EQ(body.inputs.size(), 2u);
    EXPECT_EQ(body.inputs[0].sizes, Sizes{2});
    EXPECT_EQ(static_cast<const float *>(body.inputs[0].data)[1], 2.5f);
    EXPECT_EQ(static_cast<const int64_t *>(body.inputs[1].data)[1], 3);
  }
  EXPECT_EQ(read(R"({"dataframe_split": {"columns": ["x", ")" + y + R"("], "data": [[[1, 2], 3]]}})").inputs[0].sizes,
            (Sizes{1, 2}));
  auto refusal = [&](const std::string &split) {
    try {
      read(R"({"dataframe_split": )" + split + "}");
    } catch (const Error &error) {
      EXPECT_EQ(error.code, Code::invalidArgument);
      return std::string(error.what());
    }
    ADD_FAILURE() << "expected an error for " << split;
    return std::string();
  };
  const std::string both = R"("columns": ["x", ")" + y + R"("])";
  EXPECT_HAS(refusal("[]"), "Expecting 'dataframe_split' to be an object");
  EXPECT_HAS(refusal("{}"), "to have a list 'columns'");
  EXPECT_HAS(refusal("{" + both + "}"), "to have a list 'data'");
  EXPECT_HAS(refusal("{" + both + R"(, "data": 1})"), "to have a list 'data'");
  EXPECT_HAS(refusal("{" + both + R"(, "data": []})"), "No values");
  EXPECT_HAS(refusal("{" + both + R"(, "data": [1]})"), "Expecting lists in 'data'");
  EXPECT_HAS(refusal("{" + both + R"(, "data": [[1]]})"), "Expecting 2 values but got 1 in row 0");
  EXPECT_HAS(refusal("{" + both + R"(, "data": [[1, 2, 3]]})"), "Expecting 2 values but got 3 in row 0");
  EXPECT_HAS(refusal(R"({"columns": ["x"], "data": [[1]]})"), "Expecting 2 columns but got 1");
  EXPECT_HAS(refusal(R"({"columns": ["x", "x"], "data": [[1]]})"), "Unexpected column: x");
  EXPECT_HAS(refusal(R"({"columns": ["x", "none"], "data": [[1]]})"), "Unexpected column: none");
  EXPECT_HAS(refusal(R"({"columns": [1], "data": [[1]]})"), "Expecting names in 'columns'");
  EXPECT_HAS(refusal("{" + both + R"(, "data": [[1, 2)"), "JSON Parse error");
  EXPECT_THROW(readPredictBody(R"({"dataframe_split": {"columns": ["x"], "data": [[1]]}})", signature({MLC_F32})),
               Error);
}

TEST(TensorJson, WritesRowsAndColumns) {
  float numbers[] = {1, 0.2f, 1e10f, -1.5e-7f, NAN, -INFINITY};
  Tensor pairs{"a", MLC_F32, {3, 2}, numbers, sizeof numbers}, flat{"b", MLC_F32, {6}, numbers, sizeof numbers},
      scalar{"c", MLC_F32, {}, numbers, sizeof(float)};
  EXPECT_EQ(writePredictions(std::vector{flat}, true), R"({"predictions": [1.0,0.2,1e+10,-1.5e-07,NaN,-Infinity]})");
  EXPECT_EQ(writePredictions(std::vector{pairs}, true),
            R"({"predictions": [[1.0,0.2], [1e+10,-1.5e-07], [NaN,-Infinity]]})");
  EXPECT_EQ(writePredictions(std::vector{pairs}, false),
            R"({"outputs": [[1.0,0.2],[1e+10,-1.5e-07],[NaN,-Infinity]]})");
  EXPECT_EQ(writePredictions(std::vector{scalar}, false), R"({"outputs": 1.0})");
  EXPECT_EQ(writePredictions(std::vector{scalar}, false, PredictForm::mlflow), R"({"predictions": 1.0})");
  int64_t integers[] = {1, -2, 3};
  uint8_t flags[] = {1, 0, 1};
  Tensor counts{"n", MLC_I64, {3}, integers, sizeof integers}, bools{"f\"", MLC_BOOL, {3, 1}, flags, sizeof flags};
  EXPECT_EQ(writePredictions(std::vector{counts, bools}, true),
            R"({"predictions": [{"n": 1, "f\"": [true]}, {"n": -2, "f\"": [false]}, {"n": 3, "f\"": [true]}]})");
  EXPECT_EQ(writePredictions(std::vector{counts, scalar}, false), R"({"outputs": {"n": [1,-2,3], "c": 1.0}})");
  Tensor empty{"e", MLC_F32, {0, 4}, numbers, 0}, hollow{"h", MLC_F32, {2, 0, 3}, numbers, 0};
  EXPECT_EQ(writePredictions(std::vector{empty}, true), R"({"predictions": []})");
  EXPECT_EQ(writePredictions(std::vector{hollow}, true), R"({"predictions": [[], []]})");
  auto refusal = [](std::vector<Tensor> outputs) {
    try {
      writePredictions(outputs, true);
    } catch (const Error &error) {
      EXPECT_EQ(error.code, Code::invalidArgument);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal({scalar}), "Tensor name: c has no shape information");
  EXPECT_EQ(refusal({counts, flat}), "Tensor name: b has inconsistent batch size: 6 expecting: 3");
}

TEST(ExamplesJson, ReadsFeaturesOfEveryKind) {
  auto input = readExamplesBody(R"({"signature_name": "serving_default", "context": {"c": 1}, "examples": [
      {"i": [1, true, -5], "f": 1.5, "s": "text", "b": [{"b64": "AP8="}, "x"], "n": [1.5, NaN, Infinity], "e": []}]})",
                                signature({MLC_F32, MLC_F32}), "classify");
  EXPECT_EQ(input.example_list_with_context().context().features().feature().at("c").int64_list().value(0), 1);
  const auto &features = input.example_list_with_context().examples(0).features().feature();
  EXPECT_EQ(features.at("i").int64_list().ShortDebugString(), "value: 1 value: 1 value: -5");
  EXPECT_EQ(features.at("f").float_list().value(0), 1.5f);
  EXPECT_EQ(features.at("s").bytes_list().value(0), "text");
  EXPECT_EQ(features.at("b").bytes_list().value(0), std::string("\0\xff", 2));
  EXPECT_TRUE(std::isnan(features.at("n").float_list().value(1)));
  EXPECT_EQ(features.at("e").kind_case(), tensorflow::Feature::KIND_NOT_SET);
}

TEST(ExamplesJson, GivesASoleFeatureTheNameOfASoleInput) {
  auto input = readExamplesBody(R"({"examples": [{"anything": 1.5}, {"x": 2.5}]})", signature({MLC_F32}), "classify");
  for (const auto &example : input.example_list().examples())
    EXPECT_TRUE(example.features().feature().contains("x"));
}

TEST(ExamplesJson, RefusesWhatIsNoExample) {
  auto refusal = [](const std::string &text) {
    try {
      readExamplesBody(text, signature({MLC_F32}), "classify");
    } catch (const Error &error) {
      EXPECT_EQ(error.code, Code::invalidArgument);
      return std::string(error.what());
    }
    ADD_FAILURE() << "expected an error for " << text;
    return std::string();
  };
  EXPECT_EQ(refusal(""), "JSON Parse error: The document is empty");
  EXPECT_EQ(refusal("{}"), "When method is classify, key 'examples' is expected and was not found");
  EXPECT_HAS(refusal(R"({"examples": {}})"), "Expecting 'examples' value to be an list/array");
  EXPECT_EQ(refusal(R"({"examples": []})"), "'examples' value is an empty array");
  EXPECT_EQ(refusal(R"({"examples": [1]})"), "Example must be JSON object but got JSON Number");
  EXPECT_EQ(refusal(R"({"context": 1, "examples": [{}]})"), "Example must be JSON object but got JSON Number");
  EXPECT_EQ(refusal(R"({"examples": [{"f": null}]})"), "Feature: f has element with unexpected JSON type: Null");
  EXPECT_EQ(refusal(R"({"examples": [{"f": [[1]]}]})"), "Feature: f has element with unexpected JSON type: Array");
  EXPECT_EQ(refusal(R"({"examples": [{"f": {"a": "b"}}]})"),
            "Feature: f has element with unexpected JSON type: Object");
  EXPECT_EQ(refusal(R"({"examples": [{"f": {}}]})"), "Feature: f has element with unexpected JSON type: Object");
  EXPECT_EQ(refusal(R"({"examples": [{"f": {"b64": "YQ==", "a": 1}}]})"),
            "Feature: f has element with unexpected JSON type: Object");
  EXPECT_EQ(refusal(R"({"examples": [{"f": {"b64": "*"}}]})"), "Unable to base64 decode");
  EXPECT_EQ(refusal(R"({"examples": [{"f": [1, 1.5]}]})"),
            "Unexpected element type in feature: f expecting type: int64");
  EXPECT_EQ(refusal(R"({"examples": [{"f": [1.5, 1]}]})"),
            "Unexpected element type in feature: f expecting type: float");
  EXPECT_EQ(refusal(R"({"examples": [{"f": ["a", 1]}]})"),
            "Unexpected element type in feature: f expecting type: bytes");
  EXPECT_EQ(refusal(R"({"examples": [{"f": 9223372036854775808}]})"),
            "Feature: f has uint64 element. Only int64 is supported.");
  EXPECT_HAS(refusal(R"({"examples": [{"f": 1e39}]})"), "without loss of precision");
  EXPECT_HAS(refusal(R"({"examples": [{"f": 1}], "signature_name": "other"})"), "\"other\" not found");
  EXPECT_HAS(refusal(R"({"examples": [{"f": 1}], "signature_name": 1})"), "must be a string value");
  EXPECT_HAS(refusal(R"({"examples": [{"f": abc}]})"), "JSON Parse error");
  EXPECT_HAS(refusal("{\"examples\": " + std::string(100'000, '[')), "");
}

TEST(ExamplesJson, WritesResults) {
  tensorflow::serving::ClassificationResult classes;
  for (int i = 0; i < 2; ++i) {
    auto *row = classes.add_classifications();
    for (const char *label : {"a", "\""}) {
      auto *one = row->add_classes();
      one->set_label(label);
      one->set_score(0.25f);
    }
  }
  EXPECT_EQ(writeClasses(classes), R"({"results": [[["a", 0.25], ["\"", 0.25]], [["a", 0.25], ["\"", 0.25]]]})");
  tensorflow::serving::RegressionResult values;
  values.add_regressions()->set_value(1);
  values.add_regressions()->set_value(INFINITY);
  EXPECT_EQ(writeValues(values), R"({"results": [1.0, Infinity]})");
}

TEST(DecodeBase64, TakesAndRefuses) {
  std::string bytes;
  for (auto [text, expected] :
       {std::pair<const char *, const char *>{"", ""}, {"YQ==", "a"}, {"YQ", "a"}, {"YWI=", "ab"}, {"YWJj", "abc"}}) {
    EXPECT_TRUE(decodeBase64(text, bytes)) << text;
    EXPECT_EQ(bytes, expected);
  }
  for (const char *text : {"Y", "YQ=a", "Y Q=", "****", "YQ-_"})
    EXPECT_FALSE(decodeBase64(text, bytes)) << text;
}

} // namespace
