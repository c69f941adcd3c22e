/* dataset/quote.h: text from outside made fit for a message: quoted, cut, control bytes escaped. */
#ifndef S3S_DATASET_QUOTE_H
#define S3S_DATASET_QUOTE_H

#include <stddef.h>

#define S3S_QUOTE_SIZE 160

typedef struct s3s_quoted {
    char text[S3S_QUOTE_SIZE];
} s3s_quoted;

/* "abc", with control bytes, quotes and backslashes as \xNN, cut with an ellipsis behind the
 * closing quote when it is long. Used in the arguments of s3s_fail: s3s_quote(v, n).text */
s3s_quoted s3s_quote(const char *data, size_t size);
s3s_quoted s3s_quote_text(const char *text); /* NULL is shown as (none) */

/* "a,b,c" for messages; ends with "..." when not all of it has room. Zeroed at first. */
typedef struct s3s_name_list {
    char text[200];
    size_t size;
} s3s_name_list;
void s3s_name_list_add(s3s_name_list *list, const char *name);

#endif
