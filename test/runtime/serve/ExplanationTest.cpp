//===- ExplanationTest.cpp - saliency and integrated gradients of a model that squares ---------------------------===//
#include "runtime/serve/Explanation.h"

#include "test/runtime/serve/ModelFolder.h"

#include <gtest/gtest.h>

#include <future>

using namespace mlc::serve;
using namespace mlc::serve::test;

namespace {

struct ExplanationTest : testing::Test {
  std::shared_ptr<Version> load(const char *fake) {
    writeVersion(folder.path("1"), fake);
    return Version::load("m", 1, folder.path("1"), {}, scheduler);
  }
  /// Two samples of two values.
  ExplanationRequest request() {
    ExplanationRequest request;
    request.inputs = {{"x", MLC_F32, {2, 2}, values.data(), values.size() * sizeof(float)}};
    return request;
  }
  static std::vector<float> floats(const Tensor &tensor) {
    auto begin = static_cast<const float *>(tensor.data);
    return {begin, begin + tensor.bytes / sizeof(float)};
  }
  void expectError(Version &version, const ExplanationRequest &request, Code code, const std::string &message) {
    try {
      explain(version, request);
      FAIL() << "expected an error";
    } catch (const Error &error) {
      EXPECT_EQ(error.code, code);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }

  TemporaryFolder folder;
  Scheduler scheduler{2};
  std::vector<float> values{1, 3, -4, 2};
};

TEST_F(ExplanationTest, IntegratesGradientsFromTheBaselineToTheInput) {
  // y_t = x_t^2, so all of y_t - y_t' comes from x_t.
  auto version = load("square");
  for (int steps : {1, 2, 50, 333}) {
    ExplanationRequest how = request();
    how.steps = steps;
    Explanation explanation = explain(*version, how);
    EXPECT_EQ(explanation.targets, (std::vector<int64_t>{1, 0})); // the largest output of each sample
    ASSERT_EQ(explanation.attributions.size(), 1u);
    EXPECT_EQ(explanation.attributions[0].name, "x");
    EXPECT_EQ(explanation.attributions[0].sizes, (std::vector<int64_t>{2, 2}));
    std::vector<float> got = floats(explanation.attributions[0]), expected{0, 9, 16, 0};
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], 1e-4) << steps;
    for (double delta : explanation.convergenceDelta)
      EXPECT_NEAR(delta, 0, 1e-4) << steps;
  }
}

TEST_F(ExplanationTest, TakesBaselinesAndTargets) {
  auto version = load("square");
  std::vector<float> baseline{1, 2};
  ExplanationRequest how = request();
  how.baselines = {{"x", MLC_F32, {2}, baseline.data(), 8}};
  how.targets = {1};
  Explanation explanation = explain(*version, how);
  std::vector<float> got = floats(explanation.attributions[0]), expected{0, 9 - 4, 0, 0};
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], 1e-4);
  EXPECT_EQ(explanation.targets, (std::vector<int64_t>{1, 1}));
}

TEST_F(ExplanationTest, SaliencyIsTheAbsoluteGradient) {
  auto version = load("square");
  ExplanationRequest how = request();
  how.method = ExplanationMethod::saliency;
  how.targets = {0, 0};
  Explanation explanation = explain(*version, how);
  EXPECT_EQ(floats(explanation.attributions[0]), (std::vector<float>{2, 0, 8, 0}));
  EXPECT_TRUE(explanation.convergenceDelta.empty());
}

TEST_F(ExplanationTest, RefusesWhatCannotBeExplained) {
  expectError(*load("identity"), request(), Code::unimplemented, "has no gradients; compile it with --with-gradient");
  auto version = load("square");
  ExplanationRequest how = request();
  how.targets = {2};
  expectError(*version, how, Code::invalidArgument, "expected a target in [0, 2), but got 2");
  how.targets = {0, 1, 0};
  expectError(*version, how, Code::invalidArgument, "expected one target, or 2, but got 3");
  how = request();
  how.steps = 0;
  expectError(*version, how, Code::invalidArgument, "expected 1 to 1000 steps, but got 0");
  how = request();
  how.output = "z";
  expectError(*version, how, Code::invalidArgument, "the model has no output 'z' to explain");
  how = request();
  std::vector<float> baseline(3);
  how.baselines = {{"x", MLC_F32, {3}, baseline.data(), 12}};
  expectError(*version, how, Code::invalidArgument, "baseline 'x': expected sizes [2,2] or those of one sample");
  how.baselines = {{"w", MLC_F32, {3}, baseline.data(), 12}};
  expectError(*version, how, Code::invalidArgument, "the model has no input of floats 'w' for a baseline");
  how = request();
  how.inputs[0].name = "w";
  expectError(*version, how, Code::invalidArgument, "Missing but required: {x}");
  EXPECT_THROW(parseExplanationMethod("lime"), Error);
}

TEST_F(ExplanationTest, ExplainsOnAThreadOfItsOwn) {
  auto version = load("square");
  Explainer explainer;
  std::promise<std::vector<float>> promise;
  ExplanationRequest how = request();
  how.method = ExplanationMethod::saliency;
  explainer.submit(version, how, [&](const Status &status, std::span<const Tensor> outputs, const Timing &) {
    EXPECT_TRUE(status.ok()) << status.message;
    ASSERT_EQ(outputs.size(), 2u); // no convergence delta
    EXPECT_EQ(outputs[0].name, "x");
    EXPECT_EQ(outputs[1].name, "target");
    EXPECT_EQ(outputs[1].sizes, std::vector<int64_t>{2});
    promise.set_value(floats(outputs[0]));
  });
  EXPECT_EQ(promise.get_future().get(), (std::vector<float>{0, 6, 8, 0}));
  std::promise<Status> failed;
  how.targets = {7};
  explainer.submit(version, how, [&](const Status &status, std::span<const Tensor> outputs, const Timing &) {
    EXPECT_TRUE(outputs.empty());
    failed.set_value(status);
  });
  EXPECT_EQ(failed.get_future().get().code, Code::invalidArgument);
}

} // namespace
