/* tests/support/rows_text.h: rows as text that other programs can make too: a JSON array for each
 * row. Values are printed as what they are stored as: integers, dates and times as numbers, strings
 * and binaries in hexadecimal, decimals as hexadecimal little-endian bytes, floats as their bits,
 * lists and maps as arrays of their items, structs as arrays of their members.
 */
#ifndef S3S_TESTS_ROWS_TEXT_H
#define S3S_TESTS_ROWS_TEXT_H

#include <stdio.h>

#include "arrow/array.h"

/* A valid batch, a line for each row. */
void rows_text(FILE *to, const s3s_schema *schema, const struct ArrowArray *batch);
/* A number for the same text, column by column: of batches of any size. */
uint64_t rows_hash(const s3s_schema *schema, const struct ArrowArray *batch);

#endif
