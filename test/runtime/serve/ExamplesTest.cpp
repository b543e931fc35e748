//===- ExamplesTest.cpp - features become inputs, and outputs become classes and values --------------------------===//
#include "runtime/serve/Examples.h"
#include "runtime/serve/Error.h"
#include "runtime/serve/HalfFloat.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace mlc::serve;
using tensorflow::serving::Input;

namespace {

Input parse(const std::string &text) {
  Input input;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &input)) << text;
  return input;
}

std::string feature(const std::string &name, const std::string &value) {
  return "features { feature { key: '" + name + "' value { " + value + " } } }";
}

Signature signature(TensorInfo input) { return {{std::move(input)}, {}, {"N"}}; }

template <typename T> std::vector<T> values(const Tensor &tensor) {
  std::vector<T> all(tensor.bytes / sizeof(T));
  std::memcpy(all.data(), tensor.data, tensor.bytes);
  return all;
}

/// The error that a call ends with.
template <typename Call> Status failure(Call call) {
  try {
    call();
  } catch (const Error &error) {
    return error.status();
  }
  return {};
}

TEST(Examples, MakeARowOfEachExample) {
  Input input = parse("example_list { examples { " + feature("x", "float_list { value: [1, 2] }") + " } examples { " +
                      feature("x", "int64_list { value: [3, 4] }") + " } }");
  ExampleInputs inputs = toInputs(input, signature({"x", MLC_F32, {-1, 2}, {0, -1}}));
  EXPECT_EQ(inputs.examples, 2);
  ASSERT_EQ(inputs.tensors.size(), 1u);
  EXPECT_EQ(inputs.tensors[0].sizes, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(values<float>(inputs.tensors[0]), (std::vector<float>{1, 2, 3, 4}));
  // A size that is left open follows from the features; one value an example needs no further axis.
  EXPECT_EQ(toInputs(input, signature({"x", MLC_F64, {-1, 1, -1}, {0, -1, 1}})).tensors[0].sizes,
            (std::vector<int64_t>{2, 1, 2}));
  EXPECT_EQ(failure([&] { toInputs(input, signature({"x", MLC_F32, {-1}, {0}})); }).message,
            "feature 'x': expected 1 elements an example for sizes [-1], but got 2");
}

TEST(Examples, TakeTheContextWhereAnExampleLacksAFeature) {
  Input input = parse("example_list_with_context { context { " + feature("x", "float_list { value: 7 }") +
                      " } examples { " + feature("x", "float_list { value: 1 }") + " } examples { " +
                      feature("other", "float_list { value: 2 }") + " } }");
  ExampleInputs inputs = toInputs(input, signature({"x", MLC_F32, {-1, 1}, {0, -1}}));
  EXPECT_EQ(values<float>(inputs.tensors[0]), (std::vector<float>{1, 7}));
}

TEST(Examples, FitTheTypeOfTheInput) {
  Input integers = parse("example_list { examples { " + feature("x", "int64_list { value: [0, 200] }") + " } }");
  EXPECT_EQ(values<uint8_t>(toInputs(integers, signature({"x", MLC_U8, {-1, 2}, {0, -1}})).tensors[0]),
            (std::vector<uint8_t>{0, 200}));
  EXPECT_EQ(values<int64_t>(toInputs(integers, signature({"x", MLC_I64, {-1, 2}, {0, -1}})).tensors[0]),
            (std::vector<int64_t>{0, 200}));
  EXPECT_EQ(values<uint16_t>(toInputs(integers, signature({"x", MLC_F16, {-1, 2}, {0, -1}})).tensors[0])[1],
            toFloat16(200));
  for (mlc_dtype dtype : {MLC_I8, MLC_BOOL}) {
    Status status = failure([&] { toInputs(integers, signature({"x", dtype, {-1, 2}, {0, -1}})); });
    EXPECT_EQ(status.code, Code::invalidArgument);
    EXPECT_EQ(status.message, "feature 'x': 200 does not fit the input");
  }
  Input floats = parse("example_list { examples { " + feature("x", "float_list { value: 1.5 }") + " } }");
  EXPECT_EQ(failure([&] { toInputs(floats, signature({"x", MLC_I32, {-1, 1}, {0, -1}})); }).message,
            "feature 'x': expected integers, but got floats");
  EXPECT_EQ(values<uint16_t>(toInputs(floats, signature({"x", MLC_BF16, {-1, 1}, {0, -1}})).tensors[0])[0], 0x3fc0);
  Input bytes = parse("example_list { examples { " + feature("x", "bytes_list { value: 'ab' }") + " } }");
  EXPECT_EQ(values<uint8_t>(toInputs(bytes, signature({"x", MLC_U8, {-1, 2}, {0, -1}})).tensors[0]),
            (std::vector<uint8_t>{'a', 'b'}));
  EXPECT_EQ(failure([&] { toInputs(bytes, signature({"x", MLC_F32, {-1, 2}, {0, -1}})); }).message,
            "feature 'x': expected floats, but got bytes");
}

TEST(Examples, RefuseWhatIsMissing) {
  Signature wanted = signature({"x", MLC_F32, {-1, 1}, {0, -1}});
  EXPECT_EQ(failure([&] { toInputs(Input(), wanted); }).message, "Input is empty.");
  EXPECT_EQ(failure([&] { toInputs(parse("example_list {}"), wanted); }).code, Code::invalidArgument);
  Status status = failure([&] { toInputs(parse("example_list { examples {} }"), wanted); });
  EXPECT_EQ(status.code, Code::invalidArgument);
  EXPECT_EQ(status.message, "example 0: feature 'x' (data type: float) is required but could not be found");
  Input uneven = parse("example_list { examples { " + feature("x", "float_list { value: 1 }") + " } examples { " +
                       feature("x", "float_list { value: [1, 2] }") + " } }");
  EXPECT_EQ(failure([&] { toInputs(uneven, wanted); }).message,
            "example 1: feature 'x': expected 1 elements, but got 2");
  EXPECT_EQ(failure([&] { toInputs(uneven, signature({"x", MLC_F32, {}, {}})); }).code, Code::failedPrecondition);
  Input strings = parse("example_list { examples { " + feature("x", "bytes_list { value: ['a', 'b'] }") + " } }");
  EXPECT_EQ(failure([&] { toInputs(strings, signature({"x", MLC_U8, {-1, 2}, {0, -1}})); }).message,
            "feature 'x': expected 2 elements an example for sizes [-1,2], but got several strings");
  EXPECT_EQ(failure([&] { toInputs(strings, signature({"x", MLC_U8, {-1, -1}, {0, 1}})); }).code,
            Code::invalidArgument);
}

TEST(Examples, FindTheOutputsOfClassifyAndRegress) {
  Signature one{{}, {{"y", MLC_F32, {-1, 3}, {0, -1}}}, {"N"}};
  EXPECT_EQ(classifyOutputs(one), std::vector<std::string>{"y"});
  Status status = failure([&] { regressOutput(one); });
  EXPECT_EQ(status.code, Code::failedPrecondition);
  EXPECT_EQ(status.message,
            "the model cannot regress: expected outputs (floats, [N] or [N, 1]), but its outputs are y: float[-1,3]");
  Signature both{{}, {{"classes", MLC_I64, {-1, 3}, {0, -1}}, {"scores", MLC_F32, {-1, 3}, {0, -1}}}, {"N"}};
  EXPECT_EQ(classifyOutputs(both), (std::vector<std::string>{"scores", "classes"}));
  Signature two{{}, {{"a", MLC_F32, {-1}, {0}}, {"outputs", MLC_F32, {-1}, {0}}}, {"N"}};
  EXPECT_EQ(regressOutput(two), "outputs");
  EXPECT_EQ(failure([&] { classifyOutputs(two); }).code, Code::failedPrecondition);
}

TEST(Examples, ReadOutputsAsClassesAndValues) {
  float scores[] = {0.25f, 0.75f, 1, 0};
  int64_t numbers[] = {1, 0, 0, 5};
  Tensor score{"scores", MLC_F32, {2, 2}, scores, sizeof scores}, number{"classes", MLC_I64, {2, 2}, numbers, 32};
  auto result = toClasses(std::vector{score}, 2, {"cat", "dog"});
  EXPECT_EQ(result.ShortDebugString(), "classifications { classes { label: \"cat\" score: 0.25 } classes { label: "
                                       "\"dog\" score: 0.75 } } classifications { classes { label: \"cat\" score: 1 } "
                                       "classes { label: \"dog\" } }");
  result = toClasses(std::vector{score, number}, 2, {"cat", "dog"});
  EXPECT_EQ(result.classifications(0).classes(0).label(), "dog");
  EXPECT_EQ(result.classifications(1).classes(1).label(), "5");
  EXPECT_EQ(toClasses(std::vector{score}, 2, {}).classifications(0).classes(1).label(), "1");
  EXPECT_EQ(failure([&] { toClasses(std::vector{score}, 3, {}); }).message,
            "output 'scores': expected 3 rows, but got sizes [2,2]");

  Tensor column{"y", MLC_F32, {4, 1}, scores, sizeof scores}, row{"y", MLC_F32, {4}, scores, sizeof scores};
  for (const Tensor &tensor : {column, row})
    EXPECT_EQ(toValues(std::vector{tensor}, 4).regressions(1).value(), 0.75f);
  EXPECT_EQ(failure([&] { toValues(std::vector{score}, 2); }).message,
            "output 'scores': expected one value an example, but got sizes [2,2]");
}

TEST(HalfFloat, RoundsToNearest) {
  EXPECT_EQ(toFloat16(1), 0x3c00);
  EXPECT_EQ(toFloat16(65536), 0x7c00);
  EXPECT_EQ(fromFloat16(0x3555), 0.333251953125f);
  EXPECT_EQ(toBfloat16(1.00390625f), 0x3f80); // a tie, to even
  EXPECT_EQ(toBfloat16(1.01171875f), 0x3f82);
  EXPECT_TRUE(std::isnan(fromBfloat16(toBfloat16(NAN))));
}

} // namespace
