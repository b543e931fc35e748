//===- PageFiles.h - the files of the status page, which the build makes part of the program ----------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_PAGE_PAGEFILES_H
#define MLC_RUNTIME_SERVE_PAGE_PAGEFILES_H

#include <string_view>

namespace mlc::serve::page {

extern const std::string_view indexHtml, pageCss, pageJs;

} // namespace mlc::serve::page

#endif
