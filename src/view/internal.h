/* view/internal.h: private to view/. */
#ifndef S3S_VIEW_INTERNAL_H
#define S3S_VIEW_INTERNAL_H

#include "view/view.h"

/* The definition that the caller means: a name alone is a recorded view (NOT_FOUND: there is none);
 * with columns or a function what is recorded must agree. 1 GET. */
s3store_status s3s_view_settle(s3store_target *target, const s3store_view_def *given,
                               const s3store_call *call, s3s_view_def *out, s3store_error *err);

s3store_view *s3s_view_retain(s3store_view *view);

/* Appends the value that a text stands for to a column of a builder; spec says how times were
 * written. INVALID_ARGUMENT: the text is no such value. */
s3store_status s3s_view_append_value(s3store_builder *builder, size_t column,
                                     const s3s_field *field, const s3s_part_spec *spec,
                                     s3s_slice text, s3store_error *err);
/* Whether a column of keys can be read as a field of this type. */
bool s3s_view_can_be(const s3s_field *field);

#endif
