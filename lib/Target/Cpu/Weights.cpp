//===- Weights.cpp - the blob of weights as a file and as an ELF object ------------------------------------------===//
//
// The object is written by hand, so that gigabytes stream from the mapped model into the file: headers, one read-only
// section (large, so that code keeps its short addresses), one symbol.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Target/Cpu/CpuTarget.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;

namespace mlc {

Error writeWeights(const WeightBlob &blob, raw_ostream &out) {
  uint64_t at = 0;
  for (const WeightSegment &segment : blob.segments) {
    out.write_zeros(segment.offset - at);
    WeightBytes weight = segment.produce();
    assert(weight.bytes.size() == segment.size && "a weight has the bytes of its type");
    out.write(weight.bytes.data(), weight.bytes.size());
    at = segment.offset + segment.size;
  }
  out.write_zeros(blob.bytes - at);
  return Error::success();
}

Error writeWeightsObject(const WeightBlob &blob, StringRef name, StringRef triple, raw_ostream &out) {
  Triple target(triple);
  uint16_t machine = ELF::EM_X86_64;
  uint64_t flags = ELF::SHF_ALLOC | ELF::SHF_X86_64_LARGE;
  if (target.isAArch64()) {
    machine = ELF::EM_AARCH64;
    flags = ELF::SHF_ALLOC;
  } else if (target.getArch() != Triple::x86_64) {
    return createStringError("cannot embed weights for " + triple + "; use --weights=external");
  }
  const std::string sections = std::string("\0.lrodata.mlc_weights\0.symtab\0.strtab\0.note.GNU-stack\0", 54);
  auto nameAt = [&](StringRef section) { return static_cast<uint32_t>(StringRef(sections).find(section)); };
  std::string strings = std::string(1, '\0') + name.str() + "_weights" + '\0';
  auto align = [](uint64_t value) { return (value + 63) / 64 * 64; };
  uint64_t dataAt = align(sizeof(ELF::Elf64_Ehdr)), symbolsAt = align(dataAt + blob.bytes);
  uint64_t stringsAt = symbolsAt + 2 * sizeof(ELF::Elf64_Sym), namesAt = stringsAt + strings.size();
  uint64_t headersAt = align(namesAt + sections.size());

  ELF::Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
  header.e_machine = machine;
  header.e_version = ELF::EV_CURRENT;
  header.e_shoff = headersAt;
  header.e_ehsize = sizeof(ELF::Elf64_Ehdr);
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shnum = 6;
  header.e_shstrndx = 4;
  auto write = [&](const auto &value) { out.write(reinterpret_cast<const char *>(&value), sizeof(value)); };
  uint64_t start = out.tell();
  auto padTo = [&](uint64_t offset) { out.write_zeros(offset - (out.tell() - start)); };
  write(header);
  padTo(dataAt);
  if (Error error = writeWeights(blob, out))
    return error;
  padTo(symbolsAt);
  ELF::Elf64_Sym symbol = {};
  write(symbol);
  symbol.st_name = 1;
  symbol.setBindingAndType(ELF::STB_GLOBAL, ELF::STT_OBJECT);
  symbol.st_other = ELF::STV_HIDDEN;
  symbol.st_shndx = 1;
  symbol.st_size = blob.bytes;
  write(symbol);
  out << strings << sections;
  padTo(headersAt);
  auto section = [&](uint32_t nameOffset, uint32_t type, uint64_t sectionFlags, uint64_t offset, uint64_t size,
                     uint32_t link, uint32_t info, uint64_t alignment, uint64_t entry) {
    ELF::Elf64_Shdr s = {};
    s.sh_name = nameOffset;
    s.sh_type = type;
    s.sh_flags = sectionFlags;
    s.sh_offset = offset;
    s.sh_size = size;
    s.sh_link = link;
    s.sh_info = info;
    s.sh_addralign = alignment;
    s.sh_entsize = entry;
    write(s);
  };
  section(0, ELF::SHT_NULL, 0, 0, 0, 0, 0, 0, 0);
  section(nameAt(".lrodata"), ELF::SHT_PROGBITS, flags, dataAt, blob.bytes, 0, 0, 64, 0);
  section(nameAt(".symtab"), ELF::SHT_SYMTAB, 0, symbolsAt, 2 * sizeof(ELF::Elf64_Sym), 3, 1, 8,
          sizeof(ELF::Elf64_Sym));
  section(nameAt(".strtab"), ELF::SHT_STRTAB, 0, stringsAt, strings.size(), 0, 0, 1, 0);
  section(nameAt(".strtab"), ELF::SHT_STRTAB, 0, namesAt, sections.size(), 0, 0, 1, 0);
  section(nameAt(".note"), ELF::SHT_PROGBITS, 0, namesAt, 0, 0, 0, 1, 0);
  return Error::success();
}

} // namespace mlc
