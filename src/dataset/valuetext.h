/* dataset/valuetext.h: private to partition*.c: one column's values as text, in two steps. A value
 * is first reduced to what its text shows (a timestamp under "day" to its day), which is cheap;
 * text is made once for each distinct reduced value.
 */
#ifndef S3S_DATASET_VALUETEXT_H
#define S3S_DATASET_VALUETEXT_H

#include "dataset/partition.h"

typedef enum s3s_text_kind {
    S3S_TEXT_BYTES, /* verbatim: not reduced, no text to make */
    S3S_TEXT_SIGNED,
    S3S_TEXT_UNSIGNED,
    S3S_TEXT_BOOL,
    S3S_TEXT_TIME, /* dates and timestamps */
    S3S_TEXT_NULL, /* a column without values */
} s3s_text_kind;

typedef struct s3s_text_form {
    s3s_text_kind kind;
    const s3s_part_spec *spec;
    bool is_date;
    int64_t step;     /* column units in one reduced unit: values are divided by it */
    int64_t seconds;  /* TIME: seconds in one reduced unit; 0 = it is a fraction: */
    int64_t fraction; /* reduced units in one second */
} s3s_text_form;

/* SCHEMA_MISMATCH naming the column and its type when there is no such text. */
s3store_status s3s_text_form_init(s3s_text_form *form, const s3s_field *field,
                                  const s3s_part_spec *spec, s3store_error *err);
/* Not for BYTES and NULL. */
int64_t s3s_text_form_reduce(const s3s_text_form *form, const s3s_column *column, int64_t row);
/* out: S3S_VALUE_TEXT_SIZE bytes. INVALID_ARGUMENT for a time outside the years 0000 to 9999. */
#define S3S_VALUE_TEXT_SIZE 256
s3store_status s3s_text_form_write(const s3s_text_form *form, int64_t reduced, char *out,
                                   size_t *size, s3store_error *err);

#endif
