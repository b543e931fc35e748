//===- Link.cpp - objects become libraries -----------------------------------------------------------------------===//
#include "lib/Target/Cpu/CpuTarget.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ObjCopy/CommonConfig.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace mlc {

namespace {

Error link(ArrayRef<std::string> arguments) {
  std::vector<const char *> raw;
  for (const std::string &argument : arguments)
    raw.push_back(argument.c_str());
  std::string output, errors;
  raw_string_ostream outputStream(output), errorStream(errors);
  lld::Result result = lld::lldMain(raw, outputStream, errorStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return createStringError("cannot link: " + StringRef(errors).trim());
  return Error::success();
}

/// "aarch64-linux-gnu", as folders are named.
std::string multiarchOf(StringRef triple) { return Triple(triple).getArchName().str() + "-linux-gnu"; }

bool isOfThisMachine(StringRef triple) {
  return triple.empty() || Triple(triple).getArch() == Triple(sys::getDefaultTargetTriple()).getArch();
}

/// A library of the system by its run-time name: no development package is needed on this machine's architecture; that
/// of another one comes with its cross compiler.
Expected<std::string> systemLibrary(StringRef name, StringRef triple) {
  std::string multiarch = multiarchOf(triple);
  std::vector<std::string> folders{"/lib/" + multiarch, "/usr/lib/" + multiarch};
  if (isOfThisMachine(triple))
    folders.insert(folders.end(), {"/lib64", "/usr/lib64", "/lib", "/usr/lib"});
  else
    folders.push_back("/usr/" + multiarch + "/lib");
  for (const std::string &folder : folders) {
    SmallString<128> path(folder);
    sys::path::append(path, name);
    if (sys::fs::exists(path))
      return path.str().str();
  }
  return createStringError("cannot find " + name + " for " + multiarch + " on this machine");
}

} // namespace

Error linkSharedLibrary(ArrayRef<std::string> objects, StringRef runtime, StringRef triple, StringRef soname,
                        StringRef output) {
  std::vector<std::string> arguments{
      "ld.lld",      "-shared",        "--gc-sections",    "--build-id=sha1", "-z",         "relro", "-z",
      "noexecstack", "--no-undefined", "--hash-style=gnu", "-soname",         soname.str(), "-o",    output.str()};
  arguments.insert(arguments.end(), objects.begin(), objects.end());
  arguments.push_back(runtime.str());
  // The names of the runtime are hidden already; this keeps those of other archives in.
  arguments.push_back("--exclude-libs=ALL");
  arguments.push_back("--as-needed");
  for (StringRef name : {"libm.so.6", "libc.so.6"}) {
    Expected<std::string> library = systemLibrary(name, triple);
    if (!library)
      return library.takeError();
    arguments.push_back(*library);
  }
  return link(arguments);
}

Error linkExecutable(ArrayRef<std::string> objects, ArrayRef<std::string> runtimes, StringRef triple,
                     StringRef output) {
  if (!isOfThisMachine(triple))
    return createStringError("unsupported executable for " + multiarchOf(triple) + "; compile on such a machine");
  std::vector<std::string> arguments{"ld.lld",
                                     "-pie",
                                     "--gc-sections",
                                     "--build-id=sha1",
                                     "--eh-frame-hdr",
                                     "--hash-style=gnu",
                                     "-z",
                                     "relro",
                                     "-z",
                                     "now",
                                     "-z",
                                     "noexecstack",
                                     "--as-needed",
                                     "-o",
                                     output.str()};
  // The loader and the C runtime's first and last objects; the latter come with the libc's development package.
  bool isArm = Triple(triple.empty() ? sys::getDefaultTargetTriple() : triple.str()).isAArch64();
  arguments.push_back(isArm ? "--dynamic-linker=/lib/ld-linux-aarch64.so.1"
                            : "--dynamic-linker=/lib64/ld-linux-x86-64.so.2");
  std::vector<std::string> system;
  for (StringRef name : {"Scrt1.o", "crti.o", "crtn.o", "libm.so.6", "libc.so.6", "libc_nonshared.a"}) {
    Expected<std::string> file = systemLibrary(name, triple);
    if (!file)
      return file.takeError();
    system.push_back(*file);
  }
  arguments.insert(arguments.end(), {system[0], system[1]});
  arguments.insert(arguments.end(), objects.begin(), objects.end());
  arguments.insert(arguments.end(), runtimes.begin(), runtimes.end());
  arguments.insert(arguments.end(), {system[3], system[4], system[5], system[2]});
  return link(arguments);
}

/// Joins objects and a runtime, if any, into bytes of one object.
static Error join(ArrayRef<std::string> objects, StringRef runtime, SmallVectorImpl<char> &bytes) {
  SmallString<128> joined;
  if (std::error_code error = sys::fs::createTemporaryFile("mlc", "o", joined))
    return createStringError(error, "cannot create a temporary file");
  FileRemover remover(joined);
  std::vector<std::string> arguments{"ld.lld", "-r", "-o", joined.str().str()};
  arguments.insert(arguments.end(), objects.begin(), objects.end());
  if (!runtime.empty()) {
    arguments.push_back("--whole-archive");
    arguments.push_back(runtime.str());
  }
  if (Error error = link(arguments))
    return error;

  // Hidden names of kernels and of the runtime become local, so that every object has its own; those of weights in
  // another object must stay to be found.
  auto buffer = MemoryBuffer::getFile(joined);
  if (!buffer)
    return createStringError(buffer.getError(), "cannot read the linked object");
  auto object = object::ObjectFile::createObjectFile(**buffer);
  if (!object)
    return object.takeError();
  objcopy::ConfigManager config;
  config.Common.InputFilename = joined;
  config.Common.OutputFilename = joined;
  config.ELF.LocalizeHidden = true;
  raw_svector_ostream stream(bytes);
  return objcopy::executeObjcopyOnBinary(config, **object, stream);
}

Error linkObject(ArrayRef<std::string> objects, StringRef output) {
  SmallVector<char, 0> bytes;
  if (Error error = join(objects, "", bytes))
    return error;
  std::error_code error;
  raw_fd_ostream out(output, error);
  if (!error) {
    out << StringRef(bytes.data(), bytes.size());
    out.close();
    error = out.error();
    out.clear_error();
  }
  return error ? createStringError(error, "cannot write '" + output + "': " + error.message()) : Error::success();
}

Error linkArchive(ArrayRef<std::string> objects, ArrayRef<std::string> alone, StringRef runtime, StringRef output) {
  SmallVector<char, 0> bytes;
  if (Error error = join(objects, runtime, bytes))
    return error;
  std::vector<NewArchiveMember> members;
  members.emplace_back(MemoryBufferRef(StringRef(bytes.data(), bytes.size()), "model.o"));
  for (const std::string &path : alone) {
    Expected<NewArchiveMember> member = NewArchiveMember::getFile(path, /*Deterministic=*/true);
    if (!member)
      return member.takeError();
    member->MemberName = "weights.o";
    members.push_back(std::move(*member));
  }
  return writeArchive(output, members, SymtabWritingMode::NormalSymtab, object::Archive::K_GNU, /*Deterministic=*/true,
                      /*Thin=*/false);
}

Expected<std::string> findRuntime(StringRef archive, StringRef program, StringRef triple) {
  // build/<preset>/bin/mlc-opt and build/<preset>/lib, or <prefix>/bin and <prefix>/lib/mlc.
  StringRef folder = sys::path::parent_path(sys::path::parent_path(program));
  for (StringRef place : {"lib/mlc", "lib"}) {
    SmallString<256> path(folder);
    sys::path::append(path, place);
    if (!isOfThisMachine(triple))
      sys::path::append(path, multiarchOf(triple));
    sys::path::append(path, archive);
    if (sys::fs::exists(path))
      return path.str().str();
  }
  if (isOfThisMachine(triple))
    return createStringError("cannot find " + archive + " below '" + folder + "'");
  return createStringError("cannot find the runtime for " + multiarchOf(triple) + ", lib/" + multiarchOf(triple) + "/" +
                           archive + ", below '" + folder +
                           "'; emit an object (-o m.o) and compile runtime/core/*.c with it");
}

} // namespace mlc
