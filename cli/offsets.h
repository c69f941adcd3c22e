/* cli/offsets.h: places in the stream, and printing that may be relied upon: shared by read, poll and
 * tail. */
#ifndef S3STORE_CLI_OFFSETS_H
#define S3STORE_CLI_OFFSETS_H

#include "cli.h"

#define CLI_OFFSET_SIZE (S3STORE_KEY_MAX_BYTES + 1)

/* An offset as it is, or the offset of a time or age; the caller frees it. Prints the error itself; NULL
 * then. */
char *cli_offset_of(cli_context *cli, const s3store_target *target, const char *option,
                    const char *text, int *code);

/* The offset that a file holds ("" = the beginning), NULL when there is no such file. false: an error
 * was printed, which names the file. */
bool cli_offset_load(cli_context *cli, const s3store_target *target, const char *path,
                     char **offset, int *code);

/* One line for an entry of the stream. */
void cli_offset_print_entry(const s3store_entry *e);
/* On stderr: how many newer refs are not settled, and which damaged markers were passed. */
void cli_offset_note_pending(const s3store_entries *entries);
void cli_offset_note_skipped(const s3store_entries *entries);

/* Whether everything printed so far has left this process: only then may an offset be stored. */
typedef enum cli_handed {
    CLI_HANDED_OVER,
    CLI_HANDED_CLOSED, /* nobody reads standard output any more: end quietly */
    CLI_HANDED_FAILED, /* said on stderr */
} cli_handed;
cli_handed cli_hand_over(void);

/* Whether standard output is a pipe or socket that nobody reads any more. Waits up to wait_ms. */
bool cli_stdout_is_closed(int wait_ms);

#endif
