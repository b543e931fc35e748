//===- Npz.cpp - NumPy's .npz files ------------------------------------------------------------------------------===//
//
// A zip of .npy files, read and written by minizip.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Npz.h"
#include "runtime/train/InputError.h"
#include "runtime/train/Npy.h"

#include <minizip/unzip.h>
#include <minizip/zip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace mlc::train {

std::map<std::string, Array> readNpz(const std::string &path) {
  MappedFile file = mapFile(path);
  std::unique_ptr<void, int (*)(void *)> zip(unzOpen64(path.c_str()), unzClose);
  if (!zip)
    throw InputError(path + ": not a .npz file (or it is truncated)");
  std::map<std::string, Array> arrays;
  for (int more = unzGoToFirstFile(zip.get()); more == UNZ_OK; more = unzGoToNextFile(zip.get())) {
    unz_file_info64 info;
    char raw[1024] = {};
    if (unzGetCurrentFileInfo64(zip.get(), &info, raw, sizeof raw - 1, nullptr, 0, nullptr, 0) != UNZ_OK)
      throw InputError(path + ": not a .npz file: the folder of the archive is damaged");
    std::string name = raw;
    if (name.size() < 5 || name.substr(name.size() - 4) != ".npy")
      continue;
    name.resize(name.size() - 4);
    std::string where = path + ": array '" + name + "'";
    if (unzOpenCurrentFile(zip.get()) != UNZ_OK)
      throw InputError(where + ": cannot read; it must be stored or deflated");
    uint64_t at = unzGetCurrentFileZStreamPos64(zip.get());
    MappedFile member;
    member.size = info.uncompressed_size;
    if (info.compression_method == 0) {
      if (at > file.size || file.size - at < member.size)
        throw InputError(where + ": truncated");
      member.data = file.data + at;
      member.owner = file.owner;
    } else {
      // A byte of deflate makes at most 1032; larger sizes are a lie of the archive.
      if (member.size / 1032 > info.compressed_size + 1 || info.compressed_size > file.size)
        throw InputError(where + ": not a .npz file: the sizes of the archive are damaged");
      auto memory = std::shared_ptr<char[]>(new char[member.size + 1]);
      for (uint64_t done = 0; done < member.size;) {
        int got = unzReadCurrentFile(zip.get(), memory.get() + done,
                                     static_cast<unsigned>(std::min<uint64_t>(member.size - done, 1u << 30)));
        if (got <= 0)
          throw InputError(where + ": truncated or damaged: expected " + std::to_string(member.size) +
                           " bytes, but got " + std::to_string(done));
        done += static_cast<uint64_t>(got);
      }
      member.data = memory.get();
      member.owner = memory;
    }
    if (unzCloseCurrentFile(zip.get()) == UNZ_CRCERROR)
      throw InputError(where + ": damaged: the checksum does not fit");
    arrays[name] = readNpy(member, where);
  }
  return arrays;
}

void writeArrays(const std::string &path, const std::vector<std::pair<std::string, Array>> &arrays) {
  if (std::filesystem::path(path).extension() == ".npy") {
    writeNpy(path, arrays.front().second);
    return;
  }
  std::string temporary = path + ".tmp";
  zipFile zip = zipOpen64(temporary.c_str(), APPEND_STATUS_CREATE);
  bool failed = !zip;
  auto write = [&](const char *data, uint64_t bytes) {
    for (uint64_t done = 0; !failed && done < bytes;) {
      auto part = static_cast<unsigned>(std::min<uint64_t>(bytes - done, 1u << 30));
      failed = zipWriteInFileInZip(zip, data + done, part) != ZIP_OK;
      done += part;
    }
  };
  for (const auto &[name, array] : arrays) {
    zip_fileinfo info = {};
    info.dosDate = 0x00210000; // 1980-01-01: equal contents are equal files
    if (failed || zipOpenNewFileInZip64(zip, (name + ".npy").c_str(), &info, nullptr, 0, nullptr, 0, nullptr, 0, 0,
                                        /*zip64=*/1) != ZIP_OK) {
      failed = true;
      break;
    }
    std::string header = npyHeader(array);
    write(header.data(), header.size());
    write(array.data, array.bytes());
    failed = zipCloseFileInZip(zip) != ZIP_OK || failed;
  }
  if (zip)
    failed = zipClose(zip, nullptr) != ZIP_OK || failed;
  if (failed || std::rename(temporary.c_str(), path.c_str()) != 0) {
    int reason = errno;
    std::remove(temporary.c_str());
    throw InputError(path + ": cannot write: " + std::strerror(reason));
  }
}

} // namespace mlc::train
