/* Inputs of many rows, and what became of their chunks. */
#ifndef S3S_TESTS_WRITE_CHUNK_KIT_H
#define S3S_TESTS_WRITE_CHUNK_KIT_H

#include "unit/write/stage.h"

#define CHUNK_COLUMNS "p:string?;id:string?;v:int64?"
/* In FORMAT's terms: p and id are texts of 1 and 6 bytes, v a number. */
#define CHUNK_ROW_BYTES (4 + 1 + 4 + 6 + 8)

/* Rows 0 to count - 1: four of partition p=a, then one of p=b, and so on; id is the row's number with
 * six digits. Made batch by batch. */
typedef struct chunk_input {
    int count;
    int batch_rows;
    int fails_at;      /* the stream fails before this row; 0 = it does not */
    int other_from;    /* from this row on v is -1; 0 = nowhere */
    const char *columns; /* NULL = CHUNK_COLUMNS */
    void (*between)(void *ctx, int next_row);
    void *between_ctx;
} chunk_input;
void chunk_stream(stage *s, const chunk_input *input, struct ArrowArrayStream *out);
s3store_status chunk_write(stage *s, const chunk_input *input,
                           const s3store_write_options *options, s3store_write_result **out,
                           s3store_error *err);

/* "a#1 committed 10, a#2 ... 10, b committed 4": partition, chunk, state, rows. */
const char *chunk_states(const s3store_write_result *result);
/* Every row of the input is there once. */
void chunk_check_rows(stage *s, int count);
/* Token, attempt-independent facts of every marker: "p=a/t 10 <hash> 10,1000\n". */
const char *chunk_markers(stage *s);

#endif
