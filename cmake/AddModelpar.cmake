# Functions that declare modelpar's targets.

# add_modelpar_library(Name SOURCES a.cpp... [LINK Lib...])
# Plain C++ without LLVM.
function(add_modelpar_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/include)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# add_modelpar_mlir_library(Name SOURCES a.cpp... [LINK Lib...] [DEPENDS tablegen targets...])
# C++ on MLIR: no exceptions may cross it, and it includes only what LLVM's headers need.
function(add_modelpar_mlir_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_modelpar_library(${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK})
  target_include_directories(${name} SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_definitions(${name} PUBLIC ${MODELPAR_LLVM_DEFINITIONS})
  target_link_libraries(${name} PUBLIC MLIR LLVM)
  target_link_directories(${name} PUBLIC ${LLVM_LIBRARY_DIRS})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# modelpar_tablegen(target td-file  output -gen-x [args] ...): pairs "output;arguments" are given as "out.h.inc|-gen-x -y"
# The outputs land in the build tree at the folder of the td file below include/.
function(modelpar_tablegen target td)
  file(RELATIVE_PATH rel ${PROJECT_SOURCE_DIR}/include ${CMAKE_CURRENT_SOURCE_DIR})
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(TABLEGEN_OUTPUT)
  foreach(pair ${ARGN})
    string(REPLACE "|" ";" parts "${pair}")
    list(GET parts 0 out)
    list(GET parts 1 args)
    separate_arguments(args)
    tablegen(MLIR ${out} ${args} "-I${PROJECT_SOURCE_DIR}/include" "-I${MLIR_INCLUDE_DIRS}")
  endforeach()
  add_public_tablegen_target(${target})
endfunction()

# add_modelpar_tool(name SOURCES ... LINK ...)
function(add_modelpar_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  if(MODELPAR_BUILD_COMPILER)
    set_target_properties(${name} PROPERTIES BUILD_RPATH "${LLVM_LIBRARY_DIRS}" INSTALL_RPATH "${LLVM_LIBRARY_DIRS}")
  endif()
endfunction()

# add_modelpar_unittest(name SOURCES ... LINK ...): a GoogleTest binary whose tests ctest lists one by one.
function(add_modelpar_unittest name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  find_package(GTest REQUIRED)
  add_modelpar_tool(${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test/unittests)
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 DISCOVERY_MODE PRE_TEST
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTIES TIMEOUT 900)
endfunction()

# modelpar_add_docs(Dialects/NN.md file.td -gen-x [args]...)
# A page of docs/ that the target `modelpar-docs` writes from TableGen; the pages are committed.
function(modelpar_add_docs page td)
  string(MAKE_C_IDENTIFIER "modelpar-docs-${page}" target)
  add_custom_target(${target}
    COMMAND ${MLIR_TABLEGEN_EXE} ${ARGN} -I ${PROJECT_SOURCE_DIR}/include -I ${MLIR_INCLUDE_DIRS}
      ${CMAKE_CURRENT_SOURCE_DIR}/${td} -o ${PROJECT_SOURCE_DIR}/docs/${page}
    COMMENT "Writing docs/${page}" VERBATIM)
  if(NOT TARGET modelpar-docs)
    add_custom_target(modelpar-docs)
  endif()
  add_dependencies(modelpar-docs ${target})
endfunction()
