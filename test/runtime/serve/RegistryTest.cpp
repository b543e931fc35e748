//===- RegistryTest.cpp - which versions are served, and when ----------------------------------------------------===//
#include "ModelFolder.h"

#include "runtime/serve/Registry.h"

#include <fstream>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

using namespace mlc::serve;
using namespace mlc::serve::test;
using tensorflow::serving::ModelServerConfig;

namespace {

class RegistryTest : public testing::Test {
protected:
  /// A registry that looks at its folders only when it is told to.
  Registry &registry() {
    if (!made) {
      options.log = [this](const std::string &message) {
        std::lock_guard lock(mutex);
        logged.push_back(message);
      };
      made = std::make_unique<Registry>(options, scheduler);
    }
    return *made;
  }
  RegistryTest() {
    options.poll = std::chrono::milliseconds(-1);
    options.maxLoadRetries = 0;
  }

  /// `text`: what follows the platform of a model.
  std::string model(const std::string &name, const std::string &text = "", const std::string &base = "") {
    return "config { name: '" + name + "' base_path: '" + folder.path(base.empty() ? name : base) +
           "' model_platform: 'tensorflow' " + text + " }";
  }
  static ModelServerConfig config(const std::string &models) {
    ModelServerConfig config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("model_config_list { " + models + " }", &config));
    return config;
  }
  void write(const std::string &version, const std::string &fake = "half_plus_two",
             const std::map<std::string, std::string> &files = {}) {
    writeVersion(folder.path(version), fake, files);
  }

  /// "3:AVAILABLE 2:END", newest first.
  std::string states(const std::string &name) {
    std::string text;
    for (const VersionStatus &status : registry().statuses(name))
      text += (text.empty() ? "" : " ") + std::to_string(status.number) + ":" +
              tensorflow::serving::ModelVersionStatus::State_Name(static_cast<int>(status.state));
    return text;
  }
  /// What a model answers to 2.
  float answer(const ModelSpec &spec) { return answer(*registry().find(spec)); }
  static float answer(Version &version) {
    float value = 2;
    Request request;
    request.inputs = {{"x", MLC_F32, {1, 1}, &value, sizeof value}};
    std::vector<std::vector<std::byte>> storage;
    return *static_cast<const float *>(version.inferNow(std::move(request), storage)[0].data);
  }
  template <typename Action> static void expectError(Code code, const std::string &message, Action action) {
    try {
      action();
      FAIL() << "expected an error: " << message;
    } catch (const Error &error) {
      EXPECT_EQ(error.code, code) << error.what();
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
  size_t logs(const std::string &text) {
    std::lock_guard lock(mutex);
    return std::count_if(logged.begin(), logged.end(),
                         [&](const std::string &message) { return message.find(text) != std::string::npos; });
  }

  TemporaryFolder folder;
  Scheduler scheduler{2};
  RegistryOptions options;
  std::mutex mutex;
  std::vector<std::string> logged;
  std::unique_ptr<Registry> made;
};

TEST_F(RegistryTest, ServesTheLatestVersion) {
  write("m/1", "half_plus_two");
  write("m/0002", "half_plus_three");
  registry().reload(config(model("m")));
  EXPECT_TRUE(registry().ready());
  EXPECT_EQ(states("m"), "2:AVAILABLE");
  EXPECT_EQ(answer({"m", {}, ""}), 4);
  EXPECT_EQ(answer({"m", 2, ""}), 4);
  expectError(Code::notFound, "Servable not found for request: Specific(m, 1)", [&] { registry().find({"m", 1, ""}); });
  expectError(Code::notFound, "Servable not found for request: Latest(other)",
              [&] { registry().find({"other", {}, ""}); });
  expectError(Code::invalidArgument, "Unrecognized servable version label: stable",
              [&] { registry().find({"m", {}, "stable"}); });
  expectError(Code::notFound, "Could not find version 9 of model m", [&] { registry().statuses("m", 9); });
  expectError(Code::notFound, "Could not find any versions of model other", [&] { registry().statuses("other"); });
}

TEST_F(RegistryTest, FollowsThePolicy) {
  for (const char *version : {"m/1", "m/2", "m/3", "m/not-a-number", "m/-4"})
    write(version);
  registry().reload(config(model("m", "model_version_policy { latest { num_versions: 2 } }")));
  EXPECT_EQ(states("m"), "3:AVAILABLE 2:AVAILABLE");
  registry().reload(config(model("m", "model_version_policy { all {} }")));
  EXPECT_EQ(states("m"), "3:AVAILABLE 2:AVAILABLE 1:AVAILABLE");
  registry().reload(config(model("m", "model_version_policy { specific { versions: 1 versions: 7 } }")));
  EXPECT_EQ(states("m"), "3:END 2:END 1:AVAILABLE");
  EXPECT_EQ(logs("version 7 was requested, but is not in"), 1u);
}

TEST_F(RegistryTest, LoadsANewVersionBeforeTheOldOneGoes) {
  write("m/1", "half_plus_two");
  registry().reload(config(model("m")));
  std::vector<std::string> events;
  registry().onChange([&](const std::string &name, const VersionStatus &status) {
    events.push_back(std::to_string(status.number) + ":" +
                     tensorflow::serving::ModelVersionStatus::State_Name(static_cast<int>(status.state)));
  });
  write("m/2", "half_plus_three");
  registry().poll();
  EXPECT_EQ(events, (std::vector<std::string>{"2:START", "2:LOADING", "2:AVAILABLE", "1:UNLOADING", "1:END"}));
  // The newest goes, and the one before comes back.
  std::filesystem::remove_all(folder.path("m/2"));
  registry().poll();
  EXPECT_EQ(states("m"), "2:END 1:AVAILABLE");
  EXPECT_EQ(answer({"m", {}, ""}), 3);
}

TEST_F(RegistryTest, KeepsAVersionForThoseWhoHoldIt) {
  write("m/1", "half_plus_two");
  registry().reload(config(model("m")));
  std::shared_ptr<Version> held = registry().find({"m", {}, ""});
  write("m/2", "half_plus_three");
  registry().poll();
  EXPECT_EQ(states("m"), "2:AVAILABLE 1:UNLOADING");
  EXPECT_EQ(answer(*held), 3);
  held = nullptr;
  while (states("m") != "2:AVAILABLE 1:END")
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_F(RegistryTest, IgnoresAVersionUntilItIsComplete) {
  write("m/1", "half_plus_two");
  registry().reload(config(model("m")));
  writeIncompleteVersion(folder.path("m/2"), "half_plus_three");
  for (int i = 0; i < 3; ++i)
    registry().poll();
  EXPECT_EQ(states("m"), "1:AVAILABLE");
  EXPECT_EQ(logs("m/2/manifest.json: cannot be read"), 1u);
  // The manifest is there before all that it names.
  write("m/2", "half_plus_three", {{"labels.txt", "cat\n"}});
  writeFile(folder.path("m/2/labels.txt"), "c");
  registry().poll();
  EXPECT_EQ(states("m"), "1:AVAILABLE");
  writeFile(folder.path("m/2/labels.txt"), "cat\n");
  registry().poll();
  EXPECT_EQ(states("m"), "2:AVAILABLE 1:END");
  EXPECT_EQ(registry().find({"m", {}, ""})->labels(), std::vector<std::string>{"cat"});
}

TEST_F(RegistryTest, KeepsTheLastVersionsOfAnEmptiedFolder) {
  write("m/1");
  registry().reload(config(model("m")));
  std::filesystem::remove_all(folder.path("m"));
  for (int i = 0; i < 3; ++i)
    registry().poll();
  EXPECT_EQ(states("m"), "1:AVAILABLE");
  EXPECT_EQ(answer({"m", {}, ""}), 3);
  EXPECT_EQ(logs("no complete version is left under"), 1u);
  // Nothing changes for it when another model comes.
  write("n/1");
  registry().reload(config(model("m") + model("n")));
  EXPECT_EQ(states("m"), "1:AVAILABLE");
  // The configuration is the way to unload it.
  registry().reload(config(model("n")));
  EXPECT_EQ(registry().models(), std::vector<std::string>{"n"});
  EXPECT_EQ(states("m"), "1:END");
  expectError(Code::notFound, "Latest(m)", [&] { registry().find({"m", {}, ""}); });
}

TEST_F(RegistryTest, KeepsTheOldVersionWhenTheNewOneCannotBeLoaded) {
  write("m/1");
  registry().reload(config(model("m")));
  write("m/2", "broken");
  registry().poll();
  EXPECT_EQ(states("m"), "2:END 1:AVAILABLE");
  Status status = registry().statuses("m", 2).front().status;
  EXPECT_EQ(status.code, Code::failedPrecondition);
  EXPECT_NE(status.message.find("of the API, but got 999"), std::string::npos);
  // Another server, or the same one after a crash, serves the same versions.
  made = nullptr;
  registry().start(config(model("m")));
  EXPECT_EQ(states("m"), "2:END 1:AVAILABLE");
  EXPECT_TRUE(registry().waitUntilReady([] { return false; }));
}

TEST_F(RegistryTest, TriesAgain) {
  options.maxLoadRetries = 3;
  options.loadRetryInterval = std::chrono::milliseconds(20);
  write("m/1", "broken");
  registry().start(config(model("m")));
  EXPECT_EQ(states("m"), "1:LOADING");
  expectError(Code::failedPrecondition,
              "model m did not become available: ", [&] { registry().waitUntilReady([] { return false; }); });
  EXPECT_EQ(states("m"), "1:END");
  EXPECT_EQ(logs("will be tried again"), 3u);
  // Another folder of the same number is tried at once.
  write("m/1", "half_plus_two");
  registry().poll();
  EXPECT_EQ(states("m"), "1:AVAILABLE");
}

TEST_F(RegistryTest, LoadsAVersionAgainThatWasReplacedInPlace) {
  write("m/1", "half_plus_two");
  registry().reload(config(model("m")));
  std::shared_ptr<Version> old = registry().find({"m", {}, ""});
  write("m/1", "half_plus_three");
  registry().poll();
  EXPECT_EQ(answer({"m", {}, ""}), 4);
  EXPECT_EQ(answer(*old), 3);
  write("m/1", "broken");
  registry().poll();
  EXPECT_EQ(states("m"), "1:AVAILABLE");
  EXPECT_EQ(answer({"m", {}, ""}), 4);
  EXPECT_EQ(logs("the one that is loaded stays"), 1u);
}

TEST_F(RegistryTest, WaitsForTheFirstVersion) {
  options.poll = std::chrono::milliseconds(5);
  registry().start(config(model("m")));
  EXPECT_FALSE(registry().ready());
  EXPECT_FALSE(registry().waitUntilReady([] { return true; }));
  std::thread copy([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    write("m/1");
  });
  EXPECT_TRUE(registry().waitUntilReady([] { return false; }));
  copy.join();
  EXPECT_GE(logs("cannot be read") + logs("Did you forget to name your leaf directory as a number (eg. '/1/')?"), 1u);
}

TEST_F(RegistryTest, ChangesNothingWhenAReloadFails) {
  write("m/1", "half_plus_two");
  write("m/2", "half_plus_three");
  write("bad/1", "broken");
  std::string good =
      model("m", "model_version_policy { specific { versions: 1 } } version_labels { key: 'a' value: 1 }");
  registry().reload(config(good));
  const std::string before = registry().config().DebugString();
  auto unchanged = [&] {
    EXPECT_EQ(registry().config().DebugString(), before);
    EXPECT_EQ(registry().models(), std::vector<std::string>{"m"});
    EXPECT_EQ(registry().labels("m"), (std::map<std::string, int64_t>{{"a", 1}}));
    EXPECT_EQ(answer({"m", {}, "a"}), 3);
    EXPECT_EQ(answer({"m", {}, ""}), 3);
    EXPECT_EQ(states("m"), "1:AVAILABLE");
    expectError(Code::notFound, "bad", [&] { registry().statuses("bad"); });
  };
  auto fails = [&](Code code, const std::string &message, const std::string &models) {
    expectError(code, message, [&] { registry().reload(config(models)); });
    unchanged();
  };
  std::string two = model("m", "model_version_policy { specific { versions: 2 } }");
  fails(Code::failedPrecondition, "model bad did not become available: ", two + model("bad"));
  fails(Code::notFound, "model none did not become available: no complete version under", two + model("none"));
  fails(Code::notFound, "model m did not become available",
        model("m", "model_version_policy { specific { versions: 9 } }"));
  fails(Code::failedPrecondition,
        "Request to assign label to version 1 of model m, which is not currently available for inference",
        model("m", "version_labels { key: 'a' value: 1 }"));
  fails(Code::invalidArgument, "Illegal to list model m multiple times in config list", two + two);
  fails(Code::invalidArgument, "Expected model x to have an absolute path or URI; got base_path()=relative",
        "config { name: 'x' base_path: 'relative' model_platform: 'tensorflow' }");
  fails(Code::invalidArgument, "Illegal setting neither", "config { name: 'x' base_path: '/x' }");
  fails(Code::invalidArgument, "Illegal setting both",
        "config { name: 'x' base_path: '/x' model_type: 1 model_platform: 'tensorflow' }");
  fails(Code::invalidArgument, "expected a name", "config { base_path: '/x' model_platform: 'tensorflow' }");
  fails(Code::invalidArgument, "expected at least one version", model("m", "model_version_policy { specific { } }"));
  fails(Code::failedPrecondition, "Illegal to change a model's platform. For model m platform was tensorflow",
        "config { name: 'm' base_path: '" + folder.path("m") + "' model_platform: 'other' }");
  ModelServerConfig custom;
  custom.mutable_custom_model_config();
  expectError(Code::invalidArgument, "custom_model_config", [&] { registry().reload(custom); });
  registry().reload(ModelServerConfig()); // nothing to do
  unchanged();
}

TEST_F(RegistryTest, MovesLabels) {
  write("m/1", "half_plus_two");
  write("m/2", "half_plus_three");
  std::string all = "model_version_policy { all {} } ";
  registry().reload(config(model("m", all + "version_labels { key: 'stable' value: 1 }")));
  EXPECT_EQ(answer({"m", {}, "stable"}), 3);
  registry().reload(
      config(model("m", all + "version_labels { key: 'stable' value: 2 } version_labels { key: 'old' value: 1 }")));
  EXPECT_EQ(answer({"m", {}, "stable"}), 4);
  EXPECT_EQ(answer({"m", {}, "old"}), 3);
  registry().reload(config(model("m", all)));
  expectError(Code::invalidArgument, "Unrecognized servable version label: stable",
              [&] { registry().find({"m", {}, "stable"}); });
}

TEST_F(RegistryTest, LetsNewLabelsWaitForTheirVersionsWhereItMay) {
  options.labelsForUnavailable = true;
  write("m/1");
  registry().reload(config(model("m", "version_labels { key: 'next' value: 2 }")));
  expectError(Code::notFound, "Specific(m, 2)", [&] { registry().find({"m", {}, "next"}); });
  // A label that is there may not be moved to nothing.
  expectError(Code::failedPrecondition, "Request to assign label to version 3 of model m",
              [&] { registry().reload(config(model("m", "version_labels { key: 'next' value: 3 }"))); });
  write("m/2", "half_plus_three");
  registry().poll();
  EXPECT_EQ(answer({"m", {}, "next"}), 4);
}

TEST_F(RegistryTest, ChangesTheFolderOfAModel) {
  write("a/1", "half_plus_two");
  write("a/5", "half_plus_two");
  write("b/1", "half_plus_three");
  registry().reload(config(model("m", "model_version_policy { all {} }", "a")));
  registry().reload(config(model("m", "", "b")));
  EXPECT_EQ(states("m"), "5:END 1:AVAILABLE");
  EXPECT_EQ(answer({"m", {}, ""}), 4);
}

TEST_F(RegistryTest, TakesModelsOutOfServiceAndBack) {
  write("m/1");
  registry().reload(config(model("m")));
  registry().unload("m");
  registry().poll();
  EXPECT_EQ(states("m"), "1:END");
  EXPECT_EQ(registry().models(), std::vector<std::string>{"m"});
  EXPECT_TRUE(registry().ready());
  expectError(Code::notFound, "Latest(m)", [&] { registry().find({"m", {}, ""}); });
  registry().load("m");
  EXPECT_EQ(states("m"), "1:AVAILABLE");
  expectError(Code::notFound, "other", [&] { registry().load("other"); });
  expectError(Code::notFound, "other", [&] { registry().unload("other"); });
}

TEST_F(RegistryTest, LoadsInParallel) {
  options.loadThreads = 3;
  std::string models;
  for (int i = 0; i < 8; ++i) {
    write("m" + std::to_string(i) + "/1", i == 5 ? "broken" : "half_plus_two");
    models += model("m" + std::to_string(i));
  }
  registry().start(config(models));
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(states("m" + std::to_string(i)), i == 5 ? "1:END" : "1:AVAILABLE");
  EXPECT_FALSE(registry().ready());
}

TEST_F(RegistryTest, ForgetsVersionsThatEndedLongAgo) {
  for (int i = 1; i <= 40; ++i) {
    std::filesystem::remove_all(folder.path("m/" + std::to_string(i - 1)));
    write("m/" + std::to_string(i));
    i == 1 ? registry().reload(config(model("m"))) : registry().poll();
  }
  EXPECT_EQ(registry().statuses("m").size(), 33u);
}

/// Whether the process's memory says nothing, because a sanitizer keeps what was freed.
#ifdef __has_feature
constexpr bool isSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool isSanitized = false;
#endif

/// Resident memory in bytes.
size_t resident() {
  std::ifstream file("/proc/self/statm");
  size_t total = 0, pages = 0;
  file >> total >> pages;
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(RegistryTest, FailsNoRequestWhileEverythingChanges) {
  for (const char *version : {"m/1", "m/2", "n/1", "n/2"})
    write(version, version[2] == '1' ? "half_plus_two" : "half_plus_three");
  write("other/1");
  auto models = [&](int stable, bool other) {
    return config(model("m", "model_version_policy { all {} } version_labels { key: 'stable' value: " +
                                 std::to_string(stable) + " }") +
                  model("n") + (other ? model("other") : ""));
  };
  registry().reload(models(1, false));
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, served{0};
  auto client = [&](const ModelSpec &spec) {
    while (!stop) {
      try {
        std::shared_ptr<Version> version = registry().find(spec);
        wrong += answer(*version) != (version->number == 1 ? 3 : 4);
        ++served;
      } catch (const Error &error) {
        ADD_FAILURE() << error.what();
        ++wrong;
        return;
      }
    }
  };
  std::vector<std::thread> clients;
  for (const ModelSpec &spec : {ModelSpec{"m", {}, ""}, {"m", {}, "stable"}, {"m", 1, ""}, {"n", {}, ""}})
    clients.emplace_back(client, spec);
  Clock::time_point end = Clock::now() + std::chrono::milliseconds(1500);
  int changes = 0;
  for (; Clock::now() < end && wrong == 0; ++changes) {
    bool odd = changes % 2;
    registry().reload(models(1 + odd, odd));
    std::filesystem::rename(folder.path(odd ? "n/2.withdrawn" : "n/2"), folder.path(odd ? "n/2" : "n/2.withdrawn"));
    registry().poll();
    EXPECT_EQ(registry().find({"n", {}, ""})->number, odd ? 2 : 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop = true;
  for (std::thread &thread : clients)
    thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(changes, 20);
  EXPECT_GT(served, 100);
}

TEST_F(RegistryTest, GivesMemoryBack) {
  write("m/1", "large");
  registry().reload(config(model("m")));
  size_t before = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i % 8 == 0)
      EXPECT_EQ(answer({"m", {}, ""}), 2);
    registry().unload("m");
    while (states("m") != "1:END") // a thread may just be leaving the queue
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    if (i == 50)
      before = resident();
    if (i < 999)
      registry().load("m");
  }
  if (!isSanitized)
    EXPECT_LT(static_cast<double>(resident()), static_cast<double>(before) * 1.05);
}

TEST_F(RegistryTest, KeepsTheOldVersionWhenGoldenOutputsDiffer) {
  write("m/1", "half_plus_two");
  registry().reload(config(model("m")));
  write("m/2", "half_plus_three", {{"assets.extra/golden/a.safetensors", "damaged"}});
  registry().poll();
  EXPECT_EQ(states("m"), "2:END 1:AVAILABLE");
  write("m/3", "half_plus_three", {{"assets.extra/tf_serving_warmup_requests", "damaged"}});
  registry().poll();
  EXPECT_EQ(states("m"), "3:END 2:END 1:AVAILABLE");
  EXPECT_EQ(registry().statuses("m", 3)[0].status.code, Code::dataLoss);
  EXPECT_EQ(answer({"m", {}, ""}), 3);
}

/// TensorFlow Serving's requests take longer while another model is loaded.
TEST_F(RegistryTest, AnswersWhileAnotherModelIsLoaded) {
  write("m/1");
  registry().reload(config(model("m")));
  write("slow/1", "slow", {{warmUpName, warmUpRecords(12)}}); // 600 ms of warm-up on one of the two threads
  std::atomic<bool> loaded{false};
  std::chrono::nanoseconds load{0}, longest{0};
  std::thread loader([&] {
    Clock::time_point start = Clock::now();
    registry().reload(config(model("m") + model("slow")));
    load = Clock::now() - start;
    loaded = true;
  });
  int answered = 0;
  for (; !loaded; ++answered) {
    Clock::time_point start = Clock::now();
    EXPECT_EQ(answer({"m", {}, ""}), 3);
    longest = std::max<std::chrono::nanoseconds>(longest, Clock::now() - start);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  loader.join();
  EXPECT_GT(load, std::chrono::milliseconds(500));
  EXPECT_LT(longest, load / 3);
  EXPECT_GT(answered, 5);
}

/// Whoever lists models holds what is listed, while reloads replace it: for the sanitizers.
TEST_F(RegistryTest, ListsModelsWhileTheyChange) {
  write("a/1");
  write("b/1");
  registry().reload(config(model("a")));
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done)
      EXPECT_GE(registry().models().size(), 1u);
  });
  for (int i = 0; i < 50; ++i)
    registry().reload(config(i % 2 ? model("a") : model("a") + model("b")));
  done = true;
  reader.join();
}

TEST_F(RegistryTest, SaysThatTwoFoldersAreTheSameVersion) {
  write("m/1", "half_plus_two");
  write("m/0001", "half_plus_two");
  registry().reload(config(model("m")));
  EXPECT_EQ(states("m"), "1:AVAILABLE");
  EXPECT_EQ(logs("are the same version"), 1u);
}

TEST_F(RegistryTest, SaysThatLoggingIsNotByModel) {
  write("m/1");
  registry().reload(config(model("m", "logging_config { sampling_config { sampling_rate: 0.1 } }")));
  EXPECT_EQ(logs("model m: logging_config has no effect; --access_log"), 1u);
}

TEST_F(RegistryTest, TakesFileUris) {
  write("m/1");
  registry().reload(
      config("config { name: 'm' base_path: 'file://" + folder.path("m") + "' model_platform: 'tensorflow' }"));
  EXPECT_EQ(states("m"), "1:AVAILABLE");
}

} // namespace
