/* tests/support/failure_script.h: what a failing server does, as text (tests/faults/README.md has
 * the format). A script is a sequence of steps; each request takes the next one, and after the
 * last one the last is repeated.
 */
#ifndef S3S_TESTS_SUPPORT_FAILURE_SCRIPT_H
#define S3S_TESTS_SUPPORT_FAILURE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAILURE_HEADERS_MAX 24
#define FAILURE_STEPS_MAX 8
#define FAILURE_NAME_SIZE 48

typedef enum failure_end {
    FAILURE_KEEP = 0, /* the next request may come */
    FAILURE_CLOSE,    /* an orderly end */
    FAILURE_RESET,    /* the peer sees a reset */
    FAILURE_STALL,    /* nothing more comes, until the peer goes */
} failure_end;

typedef enum failure_point {
    FAILURE_AT_REQUEST = 0, /* the whole request was read */
    FAILURE_AT_HEAD,        /* its head was read, perhaps some of its body */
    FAILURE_AT_CONNECT,     /* the connection was accepted */
} failure_point;

typedef struct failure_header {
    char *name;
    char *value;
} failure_header;

typedef struct failure_step {
    int status; /* 0: nothing is sent but raw and fill */
    failure_header headers[FAILURE_HEADERS_MAX];
    size_t header_count;
    char *body;
    size_t body_size;
    char *fill; /* after the body, fill_count times */
    size_t fill_size;
    uint64_t fill_count;
    char *raw; /* before the status line */
    size_t raw_size;
    bool length_absolute;
    int64_t length;   /* Content-Length: body size + this, or this; none when < 0 and absolute */
    int64_t send;     /* only so many bytes of the body; -1 = all */
    int64_t head;     /* only so many bytes of the head, and no body; -1 = all */
    bool ranges;      /* a Range header is honoured */
    bool split;       /* the body comes a while after the head */
    failure_end end;
    failure_point point;
} failure_step;

typedef struct failure_script {
    char name[FAILURE_NAME_SIZE];
    bool warm; /* the first step answers a request that is made before the one that is judged */
    failure_step steps[FAILURE_STEPS_MAX];
    size_t step_count;
} failure_script;

/* Reads the text of a table of faults: "fault NAME", steps between "then". good: what the word
 * "good" means, NULL = the word is not allowed. On failure: NULL, and why says the line. */
failure_script *failure_scripts_parse(const char *text, const failure_step *good, size_t *count,
                                      char *why, size_t why_size);
void failure_scripts_free(failure_script *scripts, size_t count);

/* One line of a step ("header ETag: x") added to it; false: why tells. */
bool failure_step_add(failure_step *step, const char *line, const failure_step *good, char *why,
                      size_t why_size);
void failure_step_init(failure_step *step);
void failure_step_deinit(failure_step *step);

/* Undoes \r \n \t \\ \" and \xHH; the result is freed with free(). */
char *failure_unescape(const char *text, size_t *size);

#endif
