/* tests/fuzz/fuzz.h: what the fuzz targets share. A target is LLVMFuzzerTestOneInput in a file of its
 * own; it is linked with libFuzzer by scripts/fuzz, and with replay.c (which runs it over the files
 * of its corpus) by the tests.
 */
#ifndef S3S_TESTS_FUZZ_H
#define S3S_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The env of all inputs. */
s3s_env *fuzz_env(void);
/* Two threads beside the caller's, of an env of their own. */
s3s_pool *fuzz_pool(void);
/* Says what does not hold, and aborts. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_abort(__FILE__, __LINE__, #condition);                                            \
    } while (0)
_Noreturn void fuzz_abort(const char *file, int line, const char *condition);
/* After each input: everything was given back. */
void fuzz_check_leaks(void);

/* A NUL-terminated copy, exactly as long as the input, for functions that take text (it ends at the
 * first NUL); freed by the caller with free(). */
char *fuzz_text(const uint8_t *data, size_t size);
/* The part of the input up to the next line break, which becomes NUL; NULL at the end. Moves *rest
 * behind it. */
char *fuzz_line(char **rest);

#endif
