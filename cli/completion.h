/* cli/completion.h: what is made from the tables of verbs and options. */
#ifndef S3STORE_CLI_COMPLETION_H
#define S3STORE_CLI_COMPLETION_H

#include "cli.h"

typedef struct cli_commands {
    const cli_verb *const *verbs;
    size_t verb_count;
    const cli_option *globals;
    size_t global_count;
} cli_commands;

/* Prints the script for "bash", "zsh" or "fish". Returns the exit code. */
int cli_completion(const cli_commands *commands, const char *shell);
/* Prints the manual page. */
int cli_manual(const cli_commands *commands);

#endif
