# Warnings and sanitizers of all our code.
add_library(mlc_options INTERFACE)
target_compile_options(mlc_options INTERFACE -Wall -Wextra -Wno-unused-parameter
                       $<$<COMPILE_LANGUAGE:CXX>:-Wno-deprecated-anon-enum-enum-conversion>)
if(MLC_SANITIZE)
  target_compile_options(mlc_options INTERFACE -fsanitize=${MLC_SANITIZE} -fno-omit-frame-pointer
                         -fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/test/fuzz/ubsan-ignore.txt)
  target_link_options(mlc_options INTERFACE -fsanitize=${MLC_SANITIZE})
  if(MLC_SANITIZE MATCHES thread)
    # With it protobuf's maps have another layout than in the distribution's library.
    target_compile_options(mlc_options INTERFACE -U__SANITIZE_THREAD__)
  endif()
endif()
if(MLC_FUZZERS)
  target_compile_options(mlc_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# mlc_precompile_headers(TARGET ARGUMENT …): as target_precompile_headers, and so that ccache can tell that they are the same.
function(mlc_precompile_headers target)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")
  target_precompile_headers(${target} ${ARGN})
endfunction()
