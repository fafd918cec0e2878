//===- StandardStreams.h - descriptors 0 to 2 of a tool -------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_FILES_STANDARDSTREAMS_H
#define MODELPAR_FILES_STANDARDSTREAMS_H

#include <string>
#include <string_view>

namespace modelpar::files {

/// First thing in main. A closed descriptor of 0 to 2 becomes /dev/null, so that no file opened later gets its number
/// and with it the messages; writing to a closed pipe or beyond a size limit becomes an error where it is written.
void openStandardStreams();
/// The second half of the above, for after a library that sets its own signal handlers.
void ignoreWriteSignals();
/// Last thing in main: `exitCode`, or 1 when it was 0 and something that was printed got lost. Says so once.
int closeStandardStreams(const char *tool, int exitCode);

/// "-", and the names that systems give to descriptor 1.
bool isStandardOutput(std::string_view path);
/// Whether openStandardStreams found it so.
bool standardOutputWasClosed();
/// Writes all of `text` to a descriptor, without a buffer. False: errno says why.
bool writeAll(int descriptor, std::string_view text);

/// The text with control bytes as \xNN, so that names from files and command lines cannot steer a terminal; line feeds
/// and tabs stay.
std::string printable(std::string_view text);

} // namespace modelpar::files

#endif // MODELPAR_FILES_STANDARDSTREAMS_H
