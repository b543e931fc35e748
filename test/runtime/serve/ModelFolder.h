//===- ModelFolder.h - version directories of fake models, for tests ----------------------------------- -*- C++
//-*-===//
#ifndef MLC_TEST_RUNTIME_SERVE_MODELFOLDER_H
#define MLC_TEST_RUNTIME_SERVE_MODELFOLDER_H

#include <filesystem>
#include <map>
#include <string>

namespace mlc::serve::test {

/// A folder for one test, removed behind it.
class TemporaryFolder final {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  std::string path(const std::string &name) const { return (folder / name).string(); }

private:
  std::filesystem::path folder;
};

/// Makes the version directory `folder` of a fake model ("half_plus_two"), with further files by name, and appears by a
/// rename, as mlc-opt does it. Replaces what was there.
void writeVersion(const std::string &folder, const std::string &fake,
                  const std::map<std::string, std::string> &files = {});

/// The same, but leaves out the manifest: what a copy looks like that has not ended.
void writeIncompleteVersion(const std::string &folder, const std::string &fake);

/// Where a version has its recorded requests, and `count` of them: predictions of one element for an input `x`.
constexpr const char *warmUpName = "assets.extra/tf_serving_warmup_requests";
std::string warmUpRecords(int count);

void writeFile(const std::string &path, const std::string &text);
std::string readFile(const std::string &path);

} // namespace mlc::serve::test

#endif
