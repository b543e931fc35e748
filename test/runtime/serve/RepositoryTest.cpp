//===- RepositoryTest.cpp - publishing, withdrawing and crashes in between ---------------------------------------===//
#include "ModelFolder.h"

#include "runtime/serve/Error.h"
#include "runtime/serve/Registry.h"
#include "runtime/serve/Repository.h"

#include <csignal>
#include <gtest/gtest.h>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlc::serve;
using namespace mlc::serve::test;

namespace {

class RepositoryTest : public testing::Test {
protected:
  /// "3:latest 2:withdrawn", highest first.
  std::string states() const {
    std::string text;
    bool isLatest = true;
    for (const PublishedVersion &version : repository.versions()) {
      const char *state = version.withdrawn ? "withdrawn" : !version.problem.empty() ? "incomplete" : "kept";
      if (state == std::string("kept") && std::exchange(isLatest, false))
        state = "latest";
      text += (text.empty() ? "" : " ") + std::to_string(version.number) + ":" + state;
    }
    return text;
  }
  int64_t publish(const std::string &fake, const PublishOptions &options = {}) {
    writeVersion(folder.path("source"), fake);
    return repository.publish(folder.path("source"), options);
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
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path("repository/m")), {}));
  }

  TemporaryFolder folder;
  Repository repository{folder.path("repository/m")};
};

TEST_F(RepositoryTest, GivesNumbersInOrder) {
  EXPECT_EQ(publish("half_plus_two"), 1);
  EXPECT_EQ(publish("half_plus_three"), 2);
  PublishOptions options;
  options.version = 7;
  EXPECT_EQ(publish("identity", options), 7);
  EXPECT_EQ(publish("identity"), 8);
  EXPECT_EQ(states(), "8:latest 7:kept 2:kept 1:kept");
  expectError(Code::alreadyExists, "version 7 is there", [&] { publish("identity", options); });
  std::vector<HistoryEntry> history = repository.history();
  ASSERT_EQ(history.size(), 4u);
  EXPECT_EQ(history[2].action, "publish");
  EXPECT_EQ(history[2].version, 7);
  EXPECT_EQ(history[2].sha256, repository.versions()[1].manifest.sha256);
  EXPECT_EQ(history[2].time.size(), 20u);
}

TEST_F(RepositoryTest, GoesBackAndForth) {
  for (const char *fake : {"half_plus_two", "half_plus_three", "identity"})
    publish(fake);
  EXPECT_EQ(repository.rollback({}), 2);
  EXPECT_EQ(states(), "3:withdrawn 2:latest 1:kept");
  EXPECT_EQ(repository.rollback({}), 1);
  EXPECT_EQ(states(), "3:withdrawn 2:withdrawn 1:latest");
  expectError(Code::failedPrecondition, "no complete version before 1 to go back to", [&] { repository.rollback({}); });
  EXPECT_EQ(repository.rollback(3), 3);
  EXPECT_EQ(states(), "3:latest 2:withdrawn 1:kept");
  EXPECT_EQ(repository.rollback(2), 2);
  EXPECT_EQ(states(), "3:withdrawn 2:latest 1:kept");
  expectError(Code::failedPrecondition, "version 2 is the latest", [&] { repository.rollback(2); });
  expectError(Code::notFound, "no complete version 9", [&] { repository.rollback(9); });
  // Numbers are not used again.
  EXPECT_EQ(publish("half_plus_two"), 4);
  EXPECT_EQ(repository.rollback(1), 1);
  EXPECT_EQ(repository.history().back().withdrawn, (std::vector<int64_t>{2, 4}));
}

TEST_F(RepositoryTest, PublishesALibraryWithItsWeights) {
  writeFile(folder.path("made/identity.weights"), "12345678");
  std::filesystem::copy_file(FAKE_MODELS "/libidentity.so", folder.path("made/libidentity.so"));
  EXPECT_EQ(repository.publish(folder.path("made/libidentity.so"), {}), 1);
  Manifest manifest = repository.versions()[0].manifest;
  EXPECT_EQ(manifest.library, "libidentity.so");
  EXPECT_EQ(manifest.files.at("identity.weights").bytes, 8u);
}

TEST_F(RepositoryTest, AddsFiles) {
  writeFile(folder.path("names"), "cat\ndog\n");
  PublishOptions options;
  options.additions["labels.txt"] = folder.path("names");
  publish("identity", options);
  EXPECT_EQ(readFile(folder.path("repository/m/1/labels.txt")), "cat\ndog\n");
  EXPECT_EQ(states(), "1:latest");
}

TEST_F(RepositoryTest, RefusesWhatWouldNotBeServed) {
  publish("identity");
  size_t before = entries();
  expectError(Code::failedPrecondition, "of the API, but got 999", [&] { publish("broken"); });
  expectError(Code::notFound, "is not there", [&] { repository.publish(folder.path("none"), {}); });
  writeIncompleteVersion(folder.path("incomplete"), "identity");
  expectError(Code::notFound, "manifest.json: cannot be read",
              [&] { repository.publish(folder.path("incomplete"), {}); });
  writeVersion(folder.path("damaged"), "identity", {{"labels.txt", "cat\n"}});
  writeFile(folder.path("damaged/labels.txt"), "dog\n");
  expectError(Code::dataLoss, "'labels.txt': expected SHA-256",
              [&] { repository.publish(folder.path("damaged"), {}); });
  writeFile(folder.path("golden.safetensors"), "damaged");
  PublishOptions options;
  options.additions["assets.extra/golden/golden.safetensors"] = folder.path("golden.safetensors");
  expectError(Code::dataLoss, "golden.safetensors", [&] { publish("identity", options); });
  EXPECT_EQ(states(), "1:latest");
  EXPECT_EQ(entries(), before);
  options = {};
  options.check = false;
  EXPECT_EQ(publish("broken", options), 2);
}

TEST_F(RepositoryTest, ReadsHistoryBehindALineThatWasCutOff) {
  publish("identity");
  std::string path = folder.path("repository/m/history.jsonl");
  writeFile(path, readFile(path) + "{\"time\": \"20");
  publish("identity");
  ASSERT_EQ(repository.history().size(), 2u);
  EXPECT_EQ(repository.history()[1].version, 2);
}

TEST_F(RepositoryTest, IsFollowedByAServer) {
  Scheduler scheduler(1);
  RegistryOptions options;
  options.poll = std::chrono::milliseconds(-1);
  options.log = [](const std::string &) {};
  Registry registry(options, scheduler);
  tensorflow::serving::ModelServerConfig config;
  auto *model = config.mutable_model_config_list()->add_config();
  model->set_name("m");
  model->set_base_path(folder.path("repository/m"));
  model->set_model_platform("tensorflow");
  publish("half_plus_two");
  registry.reload(config);
  publish("half_plus_three");
  registry.poll();
  EXPECT_EQ(registry.find({"m", {}, ""})->number, 2);
  repository.rollback({});
  registry.poll();
  EXPECT_EQ(registry.find({"m", {}, ""})->number, 1);
  repository.rollback(2);
  registry.poll();
  EXPECT_EQ(registry.find({"m", {}, ""})->number, 2);
}

/// A process that publishes and goes back for ever is killed at random moments; what is there is complete each time,
/// and the next command works.
TEST_F(RepositoryTest, NeedsNoRepairAfterKills) {
  writeVersion(folder.path("source"), "identity", {{"labels.txt", std::string(300'000, 'x')}});
  publish("half_plus_two");
  std::mt19937 random(1);
  int64_t highest = 1;
  for (int round = 0; round < 40; ++round) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      PublishOptions options;
      options.check = false; // no threads in a fork
      for (;;)
        try {
          repository.publish(folder.path("source"), options);
          repository.publish(folder.path("source"), options);
          repository.rollback({});
        } catch (...) {
          _exit(3);
        }
    }
    usleep(std::uniform_int_distribution<useconds_t>(0, 25'000)(random));
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (const PublishedVersion &version : repository.versions()) {
      EXPECT_EQ(version.problem, "");
      highest = std::max(highest, version.number);
    }
    if (round % 8 == 0)
      highest = publish("identity");
  }
  EXPECT_GT(highest, 6); // more than what was published here
  EXPECT_EQ(publish("half_plus_three"), highest + 1);
  for (const auto &entry : std::filesystem::directory_iterator(folder.path("repository/m")))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".publish")) << entry.path();
}

} // namespace
