//===- ManifestTest.cpp - what is accepted as a complete version -------------------------------------------------===//
#include "ModelFolder.h"

#include "runtime/serve/Error.h"
#include "runtime/serve/Manifest.h"

#include <gtest/gtest.h>

using namespace mlc::serve;
using namespace mlc::serve::test;

namespace {

/// The message of reading and verifying a folder; empty where it is valid.
std::string problem(const std::string &folder, Code code = Code::dataLoss) {
  try {
    Manifest::read(folder).verify(folder);
  } catch (const Error &error) {
    EXPECT_EQ(error.code, code) << error.what();
    return error.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(Manifest, ReadsWhatItWrites) {
  TemporaryFolder folder;
  std::string version = folder.path("m/1");
  writeVersion(version, "half_plus_two", {{"labels.txt", "a\nb\n"}, {"assets.extra/note", "x"}});
  Manifest manifest = Manifest::read(version);
  manifest.verify(version);
  EXPECT_EQ(manifest.library, "libmodel.so");
  EXPECT_EQ(manifest.files.size(), 3u);
  EXPECT_EQ(manifest.files.at("labels.txt").bytes, 4u);
  EXPECT_EQ(manifest.compiler, "mlc test");
  EXPECT_EQ(manifest.source, "half_plus_two.onnx");
  EXPECT_EQ(manifest.toJson(), readFile(version + "/manifest.json"));
  EXPECT_EQ(manifest.sha256, sha256OfFile(version + "/manifest.json"));
}

TEST(Manifest, KnowsTheHashOfNothingAndOfAbc) {
  EXPECT_EQ(sha256OfText(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256OfText("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Manifest, NamesTheFileThatIsNotAsItSays) {
  TemporaryFolder folder;
  std::string version = folder.path("1");
  auto write = [&] { writeVersion(version, "identity", {{"labels.txt", "cat\n"}}); };
  write();
  std::filesystem::remove(version + "/manifest.json");
  EXPECT_NE(problem(version, Code::notFound).find("manifest.json: cannot be read: No such file"), std::string::npos);
  write();
  std::filesystem::remove(version + "/labels.txt");
  EXPECT_EQ(problem(version), version + ": 'labels.txt' is missing");
  write();
  writeFile(version + "/labels.txt", "ca");
  EXPECT_EQ(problem(version), version + ": 'labels.txt': expected 4 bytes, but got 2");
  write();
  writeFile(version + "/labels.txt", "dog\n");
  EXPECT_NE(problem(version).find("'labels.txt': expected SHA-256 "), std::string::npos);
}

TEST(Manifest, RefusesWhatIsNotOne) {
  TemporaryFolder folder;
  std::string version = folder.path("1"), path = version + "/manifest.json";
  writeVersion(version, "identity", {{"labels.txt", "cat\n"}});
  const std::string good = readFile(path);
  auto with = [&](const std::string &text) {
    writeFile(path, text);
    std::string said = problem(version);
    return said.starts_with(path) ? said.substr(path.size()) : said;
  };
  EXPECT_EQ(with(""), ": expected a JSON object, but got an empty file");
  EXPECT_EQ(with(good.substr(0, good.size() / 2)),
            ": expected a JSON object, but got what is not JSON, or a part of it");
  EXPECT_EQ(with("[]"), ": expected an object, but got array");
  EXPECT_EQ(with("{}"), ": expected a member 'format', but there is none");
  EXPECT_EQ(with(replaced(good, "\"format\": 1", "\"format\": 2")), ": expected format 1, but got 2");
  EXPECT_EQ(with(replaced(good, "\"library\": \"libmodel.so\"", "\"library\": 7")),
            ": expected a string for 'library', but got number");
  EXPECT_EQ(with(replaced(good, "\"library\": \"libmodel.so\"", "\"library\": \"other.so\"")),
            ": expected the library 'other.so' among the files");
  EXPECT_EQ(with(replaced(good, "\"bytes\": 4", "\"bytes\": -4")),
            ": 'labels.txt': expected an integer of at least 0 for 'bytes', but got number");
  std::string hash = sha256OfText("cat\n");
  EXPECT_EQ(with(replaced(good, hash, hash.substr(1) + "G")),
            ": 'labels.txt': expected 64 hexadecimal digits, but got '" + hash.substr(1) + "G'");
  for (const char *name :
       {"../labels.txt", "/labels.txt", "a/../labels.txt", "./labels.txt", "a//b", "a/", "", "manifest.json"})
    EXPECT_EQ(with(replaced(good, "\"labels.txt\"", std::string("\"") + name + "\"")),
              std::string(": expected names of files in the folder, but got '") + name + "'");
  EXPECT_EQ(with(replaced(good, "\"format\"", "\"later\": {}, \"format\"")), "");
}

} // namespace
