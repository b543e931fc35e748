# One helper function per kind of target, so that every CMakeLists.txt below is a list of sources and libraries.

# What code on LLVM and MLIR needs: their headers and libraries, LLD among them. From the distribution's archives where it has them all, so that mlc-opt is one
# file that needs no LLVM where it runs, and begins in 12 ms of a processor instead of 37, most of which are relocations of the shared libraries.
add_library(mlc_mlir INTERFACE)
target_include_directories(mlc_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS} ${LLD_INCLUDE_DIRS})
target_include_directories(mlc_mlir INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR})
target_link_libraries(mlc_mlir INTERFACE mlc_options)
file(GLOB MLC_LLVM_ARCHIVES ${LLVM_LIBRARY_DIRS}/liblldELF.a ${LLVM_LIBRARY_DIRS}/liblldCommon.a ${LLVM_LIBRARY_DIRS}/libMLIR*.a ${LLVM_LIBRARY_DIRS}/libLLVM*.a
     ${LLVM_LIBRARY_DIRS}/libPolly*.a)
list(FILTER MLC_LLVM_ARCHIVES EXCLUDE REGEX Test)
# One that needs each of the others: LLVM's optimiser registers Polly where it is built in.
if(MLC_LLVM_ARCHIVES MATCHES libMLIRIR.a AND MLC_LLVM_ARCHIVES MATCHES libLLVMCore.a AND MLC_LLVM_ARCHIVES MATCHES libPolly.a)
  find_package(ZLIB REQUIRED)
  list(JOIN MLC_LLVM_ARCHIVES "," archives)
  target_link_options(mlc_mlir INTERFACE -Wl,--gc-sections)
  target_link_libraries(mlc_mlir INTERFACE "$<LINK_GROUP:RESCAN,${archives}>" ZLIB::ZLIB zstd::libzstd_shared Threads::Threads ${CMAKE_DL_LIBS})
else()
  message(STATUS "LLVM: shared libraries, as not all archives were found; mlc-opt needs them where it runs, and begins later")
  target_link_libraries(mlc_mlir INTERFACE lldELF lldCommon MLIR LLVM)
endif()

# MLIR's headers take seconds to parse; they are precompiled once and shared by all compiler libraries.
file(WRITE ${PROJECT_BINARY_DIR}/mlc_pch.cpp "")
add_library(mlc_pch OBJECT ${PROJECT_BINARY_DIR}/mlc_pch.cpp)
target_link_libraries(mlc_pch PRIVATE mlc_mlir)
mlc_precompile_headers(mlc_pch PRIVATE ${PROJECT_SOURCE_DIR}/tools/cmake/Precompiled.h)

# mlc_add_library(NAME SOURCES a.cpp … LINK lib …): a static library of the compiler, on MLIR.
function(mlc_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC mlc_mlir ${ARG_LINK})
  mlc_precompile_headers(${name} REUSE_FROM mlc_pch)
endfunction()

# mlc_tablegen(TARGET FILE.td OUT GENERATOR_FLAG …): pairs of output file and mlir-tblgen flag.
function(mlc_tablegen target td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(outputs)
  set(pairs ${ARGN})
  while(pairs)
    list(POP_FRONT pairs out flags)
    separate_arguments(flags)
    mlir_tablegen(${out} ${flags} EXTRA_INCLUDES ${PROJECT_SOURCE_DIR} ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  endwhile()
  add_public_tablegen_target(${target})
endfunction()
