# Writes console_bytes.S (.incbin of every built file) and console_assets.cc (their table).
# cmake -DDIST=<built files> -DOUT=<directory> -P EmbedConsole.cmake
file(GLOB_RECURSE files RELATIVE "${DIST}" "${DIST}/*")
list(SORT files)
set(bytes ".section .rodata\n.section .note.GNU-stack,\"\",@progbits\n.section .rodata\n")
set(externs "")
set(rows "")
set(index 0)
foreach(file ${files})
  get_filename_component(extension "${file}" LAST_EXT)
  set(type "application/octet-stream")
  if(extension STREQUAL ".html")
    set(type "text/html; charset=utf-8")
  elseif(extension STREQUAL ".js")
    set(type "text/javascript; charset=utf-8")
  elseif(extension STREQUAL ".css")
    set(type "text/css; charset=utf-8")
  elseif(extension STREQUAL ".svg")
    set(type "image/svg+xml")
  elseif(extension STREQUAL ".woff2")
    set(type "font/woff2")
  endif()
  set(hashed "false")
  if(file MATCHES "^assets/")
    set(hashed "true")
  endif()
  string(APPEND bytes
    ".global console_begin_${index}\nconsole_begin_${index}:\n.incbin \"${DIST}/${file}\"\n"
    ".global console_end_${index}\nconsole_end_${index}:\n.byte 0\n")
  string(APPEND externs
    "extern \"C\" const char console_begin_${index}[];\n"
    "extern \"C\" const char console_end_${index}[];\n")
  string(APPEND rows
    "      {\"${file}\", \"${type}\", {console_begin_${index}, console_end_${index}}, ${hashed}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${OUT}/console_bytes.S" "${bytes}")
file(WRITE "${OUT}/console_assets.cc"
"#include \"gateway/console_assets.h\"

${externs}
namespace holdfast::gateway {

const ConsoleAsset* find_console_asset(std::string_view path) {
  static const ConsoleAsset assets[] = {
${rows}  };
  for (const auto& asset : assets) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

}  // namespace holdfast::gateway
")
