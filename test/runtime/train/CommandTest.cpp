//===- CommandTest.cpp - the training executable from the outside ------------------------------------------------===//
//
// Runs bin/fake-train, which lies beside this program: training, checkpoints, interruptions of every kind, processes.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "Scratch.h"
#include "runtime/train/Safetensors.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace mlc::train;

namespace {

namespace fs = std::filesystem;

std::string fakeTrain() { return (fs::read_symlink("/proc/self/exe").parent_path() / "fake-train").string(); }

struct Outcome final {
  int code = 0; ///< of the exit; minus the signal that ended it
  std::string out, err;
};

/// Starts a program in `folder`; output goes to files there.
pid_t start(const Scratch &scratch, const std::vector<std::string> &arguments, const std::string &config = "",
            rlim_t mostBytes = RLIM_INFINITY) {
  pid_t child = fork();
  if (child != 0)
    return child;
  std::vector<char *> raw;
  for (const std::string &argument : arguments)
    raw.push_back(const_cast<char *>(argument.c_str()));
  raw.push_back(nullptr);
  if (chdir((scratch / ".").c_str()) != 0)
    _exit(126);
  dup2(open("out", O_WRONLY | O_CREAT | O_TRUNC, 0666), 1);
  dup2(open("err", O_WRONLY | O_CREAT | O_TRUNC, 0666), 2);
  if (!config.empty())
    setenv("FAKE_CONFIG", config.c_str(), 1);
  if (mostBytes != RLIM_INFINITY) {
    rlimit limit{mostBytes, mostBytes};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN); // writes fail with EFBIG, as on a full disk
  }
  execvp(raw[0], raw.data());
  _exit(127);
}

Outcome wait(const Scratch &scratch, pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), readFile(scratch / "out"),
          readFile(scratch / "err")};
}

Outcome run(const Scratch &scratch, std::vector<std::string> arguments, const std::string &config = "",
            rlim_t mostBytes = RLIM_INFINITY) {
  arguments.insert(arguments.begin(), fakeTrain());
  return wait(scratch, start(scratch, arguments, config, mostBytes));
}

std::vector<std::string> words(const std::string &text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

Outcome run(const Scratch &scratch, const std::string &arguments) { return run(scratch, words(arguments)); }

/// Three clouds of points, not quite apart.
void writeData(const Scratch &scratch, int64_t count, float spread = 1) {
  Array x = Array::make(MLC_F32, {count, 4}), y = Array::make(MLC_I64, {count});
  uint32_t random = 7;
  auto next = [&] {
    random = random * 1664525 + 1013904223;
    return static_cast<float>(random >> 8) * 0x1p-24f - 0.5f;
  };
  for (int64_t i = 0; i < count; ++i) {
    int64_t label = i % 3;
    reinterpret_cast<int64_t *>(y.mutableData())[i] = label;
    for (int64_t k = 0; k < 4; ++k)
      reinterpret_cast<float *>(x.mutableData())[4 * i + k] = (k == label ? 1.0f : 0.0f) + spread * 2 * next();
  }
  writeArrays(scratch / "d.npz", {{"x", x}, {"y", y}});
}

TEST(Command, TrainsEvaluatesPredictsAndExports) {
  Scratch scratch;
  writeData(scratch, 300);
  Outcome trained =
      run(scratch, "train --data d.npz --validation-split 0.2 --epochs 8 --checkpoint-dir run --log log.jsonl "
                   "--tensorboard tb --export w.safetensors w.onnx");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(trained.out.rfind("Epoch 1/8\n15/15 ━", 0), 0u) << trained.out;
  std::istringstream log(readFile(scratch / "log.jsonl"));
  std::string line;
  std::vector<nlohmann::json> lines;
  while (std::getline(log, line))
    lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_EQ(lines[7]["step"], 120);
  EXPECT_LT(lines[7]["loss"], lines[0]["loss"]);
  EXPECT_GT(lines[7]["val_accuracy"], 0.8);
  EXPECT_EQ(lines[0]["learning_rate"], 0.1);

  Tensors weights = readSafetensors(scratch / "w.safetensors"),
          best = readSafetensors(scratch / "run/best.safetensors"),
          last = readSafetensors(scratch / "run/step-000000000120.safetensors");
  EXPECT_EQ(weights.arrays.size(), 3u);
  EXPECT_EQ(best.arrays.size(), 3u);
  // What is exported is the average.
  EXPECT_EQ(std::memcmp(weights.arrays["dense.kernel"].data, last.arrays["average/dense.kernel"].data, 48), 0);
  EXPECT_NE(std::memcmp(weights.arrays["dense.kernel"].data, last.arrays["dense.kernel"].data, 48), 0);
  std::string onnx = readFile(scratch / "w.onnx");
  EXPECT_NE(onnx.find(std::string(weights.arrays["dense.kernel"].data, 48)), std::string::npos);
  size_t checkpoints = 0;
  for (const auto &entry : fs::directory_iterator(scratch / "run"))
    checkpoints += entry.path().filename().string().rfind("step-", 0) == 0;
  EXPECT_EQ(checkpoints, 3u);

  Outcome evaluated = run(scratch, "evaluate --data d.npz --weights w.safetensors --log e.jsonl");
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_GT(nlohmann::json::parse(readFile(scratch / "e.jsonl"))["accuracy"], 0.8);
  ASSERT_EQ(run(scratch, "predict --data d.npz --checkpoint-dir run --output p.npz --batch 7").code, 0);
  Array p = readNpz(scratch / "p.npz").at("p");
  EXPECT_EQ(p.sizes, (std::vector<int64_t>{300, 3}));
  for (int i = 0; i < 300; ++i) {
    EXPECT_NEAR(elementOf<float>(p, 3 * i) + elementOf<float>(p, 3 * i + 1) + elementOf<float>(p, 3 * i + 2), 1, 1e-5);
  }
}

TEST(Command, SaysWhatIsWrongWithTheCommandLine) {
  Scratch scratch;
  writeData(scratch, 30);
  EXPECT_EQ(run(scratch, "--help").code, 0);
  EXPECT_NE(run(scratch, "--help").out.find("Example: fake-train --data"), std::string::npos);
  for (const char *arguments :
       {"", "--data", "--data d.npz --epochs 0", "--data d.npz --resume", "--data d.npz --export w.bin",
        "fly --data d.npz", "--data d.npz --verbose 3", "predict --data d.npz --output p.txt", "evaluate --data d.npz",
        "--data d.npz --freeze nothing*", "--data d.npz --unknown"}) {
    Outcome outcome = run(scratch, std::string(arguments));
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_NE(outcome.err, "") << arguments;
  }
  EXPECT_EQ(run(scratch, "evaluate --data d.npz").err,
            "error: evaluate requires --weights or --checkpoint-dir: the weights in this executable are not trained\n");
  EXPECT_EQ(run(scratch, "--data d.npz --freeze nothing*").err,
            "error: --freeze: expected a pattern of parameters, but 'nothing*' names none\n");
}

TEST(Command, SaysWhatIsWrongWithFiles) {
  Scratch scratch;
  writeData(scratch, 30);
  Outcome missing = run(scratch, "--data nowhere.npz");
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err, "error: nowhere.npz: cannot open: No such file or directory\n");
  writeSafetensors(scratch / "w.safetensors", {{"dense.kernel", arrayOf<float>(MLC_F32, {2, 1}, {1, 2})}}, {});
  Outcome other = run(scratch, "evaluate --data d.npz --weights w.safetensors");
  EXPECT_EQ(other.code, 1);
  EXPECT_EQ(
      other.err,
      "error: w.safetensors: tensor 'dense.kernel': expected f32 [4, 3], but got f32 [2, 1] (and 2 more problems)\n");
  EXPECT_EQ(run(scratch, "--data d.npz --verbose 0 --log /dev/full").err,
            "error: /dev/full: cannot write: No space left on device\n");
  EXPECT_EQ(run(scratch, "evaluate --data d.npz --checkpoint-dir none").err,
            "error: none: expected a checkpoint, but there is none\n");
}

TEST(Command, StopsAtALossThatIsNotFinite) {
  Scratch scratch;
  writeData(scratch, 30);
  Outcome outcome = run(scratch, "--data d.npz --lr 1e38 --epochs 9 --checkpoint-dir run --checkpoint-every 1");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(outcome.err.find("the loss is") != std::string::npos ||
              outcome.err.find("is not finite after step") != std::string::npos)
      << outcome.err;
  for (const auto &entry : fs::directory_iterator(scratch / "run"))
    for (const auto &[name, array] : readSafetensors(entry.path()).arrays)
      for (int64_t i = 0; i < array.count(); ++i)
        if (name == "dense.kernel")
          EXPECT_TRUE(std::isfinite(elementOf<float>(array, i))) << entry.path();
}

TEST(Command, FreezesParameters) {
  Scratch scratch;
  writeData(scratch, 30);
  ASSERT_EQ(run(scratch, "--data d.npz --freeze *.bias --export w.safetensors").code, 0);
  Tensors weights = readSafetensors(scratch / "w.safetensors");
  EXPECT_EQ(elementOf<float>(weights.arrays["dense.bias"], 0), 0);
}

const std::string kLong =
    "--data d.npz --epochs 4 --batch 8 --validation-split 0.1 --verbose 0 --checkpoint-every 40 --checkpoint-dir ";

TEST(Resume, IsBitIdenticalAfterKillsAtAnyMoment) {
  Scratch scratch;
  writeData(scratch, 6000);
  ASSERT_EQ(run(scratch, kLong + "whole --export whole.safetensors --log whole.jsonl").code, 0);
  std::vector<std::string> arguments =
      words(fakeTrain() + " " + kLong + "run --resume --export run.safetensors --log run.jsonl");
  int kills = 0, code = -1;
  for (int attempt = 0; attempt < 400 && code != 0; ++attempt) {
    pid_t child = start(scratch, arguments);
    if (attempt < 60) {
      std::this_thread::sleep_for(std::chrono::microseconds(3000 + 7919 * attempt % 40000));
      kill(child, SIGKILL);
    }
    code = wait(scratch, child).code;
    kills += code == -SIGKILL;
  }
  EXPECT_EQ(code, 0);
  EXPECT_GT(kills, 3);
  EXPECT_EQ(readFile(scratch / "run.safetensors"), readFile(scratch / "whole.safetensors"));
  EXPECT_EQ(readFile(scratch / "run.jsonl"), readFile(scratch / "whole.jsonl"));
}

TEST(Resume, FollowsSigterm) {
  Scratch scratch;
  writeData(scratch, 6000);
  ASSERT_EQ(run(scratch, kLong + "whole --export whole.safetensors").code, 0);
  std::vector<std::string> arguments =
      words(fakeTrain() + " " + kLong + "run --verbose 2 --resume --export run.safetensors");
  arguments.erase(std::find(arguments.begin(), arguments.end(), "--verbose"),
                  std::find(arguments.begin(), arguments.end(), "--verbose") + 2);
  pid_t child = start(scratch, arguments);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  kill(child, SIGTERM);
  Outcome stopped = wait(scratch, child);
  ASSERT_EQ(stopped.code, 0) << stopped.err;
  if (!fs::exists(scratch / "run.safetensors"))
    EXPECT_NE(stopped.out.find("--resume goes on from run/step-"), std::string::npos) << stopped.out;
  ASSERT_EQ(wait(scratch, start(scratch, arguments)).code, 0);
  EXPECT_EQ(readFile(scratch / "run.safetensors"), readFile(scratch / "whole.safetensors"));
}

TEST(Resume, TakesTheCheckpointBeforeADamagedOne) {
  Scratch scratch;
  writeData(scratch, 90);
  ASSERT_EQ(run(scratch, "--data d.npz --checkpoint-dir run --export whole.safetensors").code, 0);
  std::string newest = scratch / "run/step-000000000018.safetensors", bytes = readFile(newest);
  bytes[bytes.size() - 3] ^= 1;
  writeFile(newest, bytes);
  Outcome outcome = run(scratch, "--data d.npz --checkpoint-dir run --resume --export again.safetensors");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err.rfind("warning: run/step-000000000018.safetensors: damaged: expected the checksum ", 0), 0u)
      << outcome.err;
  EXPECT_NE(outcome.out.find("resuming from run/step-000000000012.safetensors at step 12"), std::string::npos)
      << outcome.out;
  EXPECT_EQ(readFile(scratch / "again.safetensors"), readFile(scratch / "whole.safetensors"));
}

TEST(Resume, BeginsAnewWhereEveryCheckpointIsDamaged) {
  Scratch scratch;
  writeData(scratch, 90);
  ASSERT_EQ(run(scratch, "--data d.npz --checkpoint-dir run --keep 1 --export whole.safetensors").code, 0);
  writeFile(scratch / "run/step-000000000018.safetensors", "gone");
  Outcome outcome =
      run(scratch, "--data d.npz --checkpoint-dir run --keep 1 --resume --export again.safetensors --epochs 2");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(scratch / "run/step-000000000012.safetensors"));
  EXPECT_FALSE(fs::exists(scratch / "run/step-000000000018.safetensors"));
  ASSERT_EQ(run(scratch, "--data d.npz --checkpoint-dir run --resume --export again.safetensors").code, 0);
  EXPECT_EQ(readFile(scratch / "again.safetensors"), readFile(scratch / "whole.safetensors"));
}

TEST(Resume, RefusesAnotherRunOrProgram) {
  Scratch scratch;
  writeData(scratch, 90);
  ASSERT_EQ(run(scratch, "--data d.npz --checkpoint-dir run").code, 0);
  EXPECT_EQ(run(scratch, "--data d.npz --checkpoint-dir run").err,
            "error: run: expected a folder without checkpoints, but there is run/best.safetensors; --resume goes on "
            "from it\n");
  Outcome batch = run(scratch, "--data d.npz --checkpoint-dir run --resume --batch 8");
  EXPECT_EQ(batch.code, 1);
  EXPECT_EQ(batch.err,
            "error: run/step-000000000018.safetensors: expected a run with batch = 8, but it was made with 16\n");
  Outcome program = run(scratch, words("--data d.npz --checkpoint-dir run --resume"),
                        R"({"loss": {"kind": "mse"}, "label": {"form": "classes", "classes": 3}})");
  EXPECT_EQ(program.code, 1);
  EXPECT_NE(program.err.find("expected a checkpoint of this program"), std::string::npos) << program.err;
}

TEST(Resume, KeepsOldCheckpointsWhenTheDiskIsFull) {
  Scratch scratch;
  writeData(scratch, 90);
  ASSERT_EQ(run(scratch, "--data d.npz --checkpoint-dir run --epochs 1").code, 0);
  Outcome outcome = run(scratch, words("--data d.npz --checkpoint-dir run --epochs 3 --resume"), "", 1000);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("cannot write: File too large"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::exists(scratch / "run/step-000000000006.safetensors"));
  for (const auto &entry : fs::directory_iterator(scratch / "run"))
    EXPECT_NE(entry.path().extension(), ".tmp");
  EXPECT_EQ(run(scratch, "--data d.npz --checkpoint-dir run --epochs 3 --resume").code, 0);
}

TEST(Command, StopsEarlyAndRestoresTheBest) {
  Scratch scratch;
  writeData(scratch, 90, 3);
  std::string config =
      R"({"batch": 16, "epochs": 60, "optimizer": {"learning_rate": 3}, "loss": {"kind": "sparse_categorical_crossentropy"},
    "label": {"form": "classes", "classes": 3}, "early_stopping": {"monitor": "val_loss", "patience": 2, "restore_best_weights": true}})";
  Outcome outcome = run(
      scratch, words("--data d.npz --validation-split 0.3 --checkpoint-dir run --export w.safetensors --log l.jsonl"),
      config);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("stopped early after epoch "), std::string::npos) << outcome.out;
  Tensors weights = readSafetensors(scratch / "w.safetensors"),
          best = readSafetensors(scratch / "run/best.safetensors");
  EXPECT_EQ(std::memcmp(weights.arrays["dense.kernel"].data, best.arrays["dense.kernel"].data, 48), 0);
  // A run that goes on knows that it has stopped.
  std::string before = readFile(scratch / "w.safetensors");
  outcome =
      run(scratch, words("--data d.npz --validation-split 0.3 --checkpoint-dir run --export w.safetensors --resume"),
          config);
  EXPECT_NE(outcome.out.find("stopped early after epoch "), std::string::npos) << outcome.out;
  EXPECT_EQ(readFile(scratch / "w.safetensors"), before);
}

/// The largest difference of two exports, relative to the largest weight.
double difference(const std::string &path, const std::string &other) {
  Tensors a = readSafetensors(path), b = readSafetensors(other);
  double most = 0, largest = 1e-9;
  for (const auto &[name, array] : a.arrays)
    for (int64_t i = 0; name != "norm.mean" && i < array.count(); ++i) { // every piece moves that
      double x = elementOf<float>(array, i), y = elementOf<float>(b.arrays[name], i);
      most = std::max(most, std::fabs(x - y));
      largest = std::max(largest, std::fabs(x));
    }
  return most / largest;
}

TEST(Slices, AccumulationAndShardsComeNearTheWholeBatch) {
  Scratch scratch;
  writeData(scratch, 240);
  ASSERT_EQ(run(scratch, "--data d.npz --batch 48 --lr 0.01 --export whole.safetensors").code, 0);
  for (const char *cut : {"--batch 12 --accumulate 4", "--batch 48 --shards 4", "--batch 48 --shards 3",
                          "--batch 24 --accumulate 2 --shards 2", "--batch 48 --threads 1"}) {
    ASSERT_EQ(run(scratch, std::string("--data d.npz --lr 0.01 --export cut.safetensors ") + cut).code, 0) << cut;
    // The noise of the program is drawn for each piece, so this is near, not equal.
    EXPECT_LT(difference(scratch / "whole.safetensors", scratch / "cut.safetensors"), 2e-3) << cut;
  }
  EXPECT_EQ(readFile(scratch / "whole.safetensors"), readFile(scratch / "cut.safetensors")) << "threads";
}

TEST(Slices, AnyNumberOfProcessesGivesTheSameBits) {
  if (std::system("command -v mpirun >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "mpirun is not installed (Debian: openmpi-bin)";
  Scratch scratch;
  writeData(scratch, 250);
  ASSERT_EQ(run(scratch, "--data d.npz --validation-split 0.2 --shards 4 --export 0.safetensors --log 0.jsonl").code,
            0);
  for (const char *processes : {"1", "2", "4"}) {
    std::string name = processes;
    std::vector<std::string> arguments =
        words("mpirun --allow-run-as-root --oversubscribe -n " + name + " " + fakeTrain() +
              " --data d.npz --validation-split 0.2 --threads 1 --checkpoint-dir run" + name + " --export " + name +
              ".safetensors --log " + name + ".jsonl");
    Outcome outcome = wait(scratch, start(scratch, arguments));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(readFile(scratch / (name + ".safetensors")), readFile(scratch / "0.safetensors")) << processes;
    EXPECT_EQ(readFile(scratch / (name + ".jsonl")), readFile(scratch / "0.jsonl")) << processes;
    EXPECT_EQ(outcome.out.find("Epoch 1/3"), outcome.out.rfind("Epoch 1/3"));
  }
  Outcome wrong = wait(scratch, start(scratch, words("mpirun --allow-run-as-root --oversubscribe -n 2 " + fakeTrain() +
                                                     " --data nowhere.npz")));
  EXPECT_NE(wrong.code, 0);
  EXPECT_NE(wrong.err.find("error: nowhere.npz: cannot open"), std::string::npos);
}

} // namespace
