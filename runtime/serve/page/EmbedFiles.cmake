# Writes OUTPUT, a C++ file that defines the status page's files (PageFiles.h), from FOLDER. Run by the build.
set(text "// Made by EmbedFiles.cmake.\n#include \"runtime/serve/page/PageFiles.h\"\n\nnamespace mlc::serve::page {\n")
foreach(pair indexHtml=index.html pageCss=page.css pageJs=page.js)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched ${pair})
  set(name ${CMAKE_MATCH_1})
  file(READ ${FOLDER}/${CMAKE_MATCH_2} bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR count "${digits} / 2")
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(REPLACE "'\\x0a'," "'\\x0a',\n" bytes "${bytes}") # a line of the file is a line here
  string(APPEND text "static const char ${name}Bytes[] = {\n${bytes}};\nconst std::string_view ${name}(${name}Bytes, ${count});\n")
endforeach()
file(WRITE ${OUTPUT} "${text}} // namespace mlc::serve::page\n")
