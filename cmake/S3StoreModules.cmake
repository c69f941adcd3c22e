# s3s_module(<name> SOURCES a.c ... [USES module ...] [LIBS target ...])
#   One OBJECT library for each module, s3s_<name>. USES names the modules directly below it.
# s3s_test(<name> SOURCES a.c ... MODULES module ... [LIBS target ...] [LABELS l ...] [TIMEOUT s]
#          [ARGS a ...])
#   A test program that links only the named modules and what they use, so that a call upwards is a
#   link error.
# s3s_live_test(<test> <program target> [argument ...])
#   Runs a test program on a real S3 server (tests/support/with_s3.sh).
# s3s_scale_limits()
#   To be called in a folder of tests: what sanitizers cost is put on top of each TIMEOUT there (s3s_test does).
# s3s_build_libraries()
#   libs3store.a and libs3store.so of all modules.
include_guard()

function(s3s_module name)
  cmake_parse_arguments(M "" "" "SOURCES;USES;LIBS" ${ARGN})
  add_library(s3s_${name} OBJECT ${M_SOURCES})
  target_include_directories(s3s_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include
    ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(s3s_${name} PRIVATE ${M_LIBS} Threads::Threads)
  set_property(GLOBAL PROPERTY S3S_USES_${name} "${M_USES}")
  set_property(GLOBAL PROPERTY S3S_LIBS_${name} "${M_LIBS}")
  set_property(GLOBAL APPEND PROPERTY S3S_ALL_MODULES ${name})
endfunction()

# All modules that the given ones need, themselves included.
function(s3s_closure out)
  set(todo ${ARGN})
  set(seen "")
  while(todo)
    list(POP_FRONT todo m)
    if(m IN_LIST seen)
      continue()
    endif()
    list(APPEND seen ${m})
    get_property(uses GLOBAL PROPERTY S3S_USES_${m})
    list(APPEND todo ${uses})
  endwhile()
  set(${out} ${seen} PARENT_SCOPE)
endfunction()

function(s3s_link_modules target)
  s3s_closure(modules ${ARGN})
  foreach(m IN LISTS modules)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:s3s_${m}>)
    get_property(libs GLOBAL PROPERTY S3S_LIBS_${m})
    target_link_libraries(${target} PRIVATE ${libs})
  endforeach()
  target_link_libraries(${target} PRIVATE Threads::Threads m)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
endfunction()

# The one place that says how much slower a test may be under a sanitizer.
function(s3s_multiply_limits)
  set(factor 3)
  if(S3STORE_SANITIZE MATCHES thread)
    set(factor 12)
  endif()
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    get_test_property(${test} TIMEOUT limit)
    if(limit)
      math(EXPR limit "${limit} * ${factor}")
      set_tests_properties(${test} PROPERTIES TIMEOUT ${limit})
    endif()
  endforeach()
endfunction()

function(s3s_scale_limits)
  get_property(done DIRECTORY PROPERTY S3S_LIMITS_SCALED)
  if(S3STORE_SANITIZE AND NOT done)
    set_property(DIRECTORY PROPERTY S3S_LIMITS_SCALED TRUE)
    cmake_language(DEFER CALL s3s_multiply_limits) # when the folder has named all its tests
  endif()
endfunction()

function(s3s_test name)
  s3s_scale_limits()
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;MODULES;LIBS;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  s3s_link_modules(${name} ${T_MODULES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${T_LIBS} cmocka)
  add_test(NAME ${name} COMMAND ${name} ${T_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
endfunction()

function(s3s_live_test name program)
  add_test(NAME ${name}
    COMMAND ${CMAKE_SOURCE_DIR}/tests/support/with_s3.sh $<TARGET_FILE:${program}> ${ARGN}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS live SKIP_RETURN_CODE 77)
endfunction()

function(s3s_build_libraries)
  get_property(modules GLOBAL PROPERTY S3S_ALL_MODULES)
  if(NOT "api" IN_LIST modules)
    return()
  endif()
  add_library(s3store STATIC)
  add_library(s3store_shared SHARED)
  foreach(m IN LISTS modules)
    get_property(libs GLOBAL PROPERTY S3S_LIBS_${m})
    target_sources(s3store PRIVATE $<TARGET_OBJECTS:s3s_${m}>)
    target_sources(s3store_shared PRIVATE $<TARGET_OBJECTS:s3s_${m}>)
    target_link_libraries(s3store PUBLIC ${libs})
    target_link_libraries(s3store_shared PRIVATE ${libs})
  endforeach()
  target_link_libraries(s3store PUBLIC Threads::Threads m)
  target_link_libraries(s3store_shared PRIVATE Threads::Threads m)
  target_include_directories(s3store PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  target_include_directories(s3store_shared PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  set_target_properties(s3store s3store_shared PROPERTIES OUTPUT_NAME s3store
    ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  set_target_properties(s3store_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
    LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/s3store.map)
  target_link_options(s3store_shared PRIVATE
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/s3store.map)
endfunction()
