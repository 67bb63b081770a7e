# holdfast_library(NAME SOURCES ... [DEPS ...]): one static library a folder, sources listed.
function(holdfast_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(holdfast_${name} STATIC ${ARG_SOURCES})
  add_library(holdfast::${name} ALIAS holdfast_${name})
  target_link_libraries(holdfast_${name} PUBLIC holdfast::flags ${ARG_DEPS})
endfunction()

# What scripts/test builds and runs under the sanitizers: unit, model and fault tests.
add_custom_target(holdfast_sanitized_tests)

# holdfast_test(NAME LABEL SOURCES ... [DEPS ...] [LAUNCHER ...]): one GoogleTest program, one ctest
# entry; LAUNCHER is a command that starts what the program needs and then the program.
function(holdfast_test name label)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LAUNCHER" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE holdfast::flags ${ARG_DEPS} GTest::gtest GTest::gmock
    GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${ARG_LAUNCHER} $<TARGET_FILE:${name}>)
  if(label MATCHES "^(unit|model|fault)$")
    add_dependencies(holdfast_sanitized_tests ${name})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(HOLDFAST_SANITIZE)  # some ten times as slow
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 3")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${ARG_TIMEOUT})
endfunction()
