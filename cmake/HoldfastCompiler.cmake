# The compiler and its flags. One interface target, holdfast::flags, carries them to every target.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "GCC ${CMAKE_CXX_COMPILER_VERSION} double-frees aggregates in `co_await f({...})`. "
    "Use clang 19: cmake --preset release")
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Relative to the source: a second clone finds what the first one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};CCACHE_NOHASHDIR=1;${CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CMAKE_CXX_COMPILER_LAUNCHER}")
endif()

add_library(holdfast_flags INTERFACE)
add_library(holdfast::flags ALIAS holdfast_flags)
target_include_directories(holdfast_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(holdfast_flags INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -Wno-missing-field-initializers -fno-omit-frame-pointer)
target_compile_definitions(holdfast_flags INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_CONCEPTS_CHECK _FILE_OFFSET_BITS=64 _GNU_SOURCE)

find_program(MOLD mold)
if(MOLD)
  target_link_options(holdfast_flags INTERFACE -fuse-ld=mold)
endif()

set(HOLDFAST_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them")
if(HOLDFAST_SANITIZE)
  target_compile_options(holdfast_flags INTERFACE -fsanitize=${HOLDFAST_SANITIZE}
    -fno-sanitize-recover=all -O1)
  target_link_options(holdfast_flags INTERFACE -fsanitize=${HOLDFAST_SANITIZE})
else()
  # Asio takes coroutine frames by aligned_alloc, which in glibc before 2.38 goes round the threads'
  # caches; nothing here needs more than the alignment of operator new.
  target_compile_definitions(holdfast_flags INTERFACE
    BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC BOOST_ASIO_DISABLE_BOOST_ALIGN)
  target_compile_options(holdfast_flags INTERFACE -fno-plt)
endif()

# libFuzzer programs instead of corpus replays; HOLDFAST_SANITIZE then holds fuzzer-no-link.
option(HOLDFAST_FUZZ "Build tests/fuzz for libFuzzer" OFF)
