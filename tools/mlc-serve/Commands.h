//===- Commands.h - mlc-serve publish, rollback and list ------------------------------------------------ -*- C++
//-*-===//
#ifndef MLC_TOOLS_MLC_SERVE_COMMANDS_H
#define MLC_TOOLS_MLC_SERVE_COMMANDS_H

/// Whether the first argument is a command on a repository instead of a flag of the server.
bool isRepositoryCommand(int argc, char **argv);

/// Runs it; returns the exit code.
int runRepositoryCommand(int argc, char **argv);

#endif
