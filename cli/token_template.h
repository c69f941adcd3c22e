/* cli/token_template.h: tokens made from the columns of a partition's first row. */
#ifndef S3STORE_CLI_TOKEN_TEMPLATE_H
#define S3STORE_CLI_TOKEN_TEMPLATE_H

#include "s3store.h"

typedef struct cli_token_template {
    const char *text; /* "{batch}-{part}"; every row of the partition must give the same token */
} cli_token_template;

/* An s3store_token_fn; ctx is the template. */
s3store_status cli_token_of(void *ctx, const char *partition, const struct ArrowSchema *schema,
                            const struct ArrowArray *rows, char *token, size_t token_size,
                            s3store_error *err);

#endif
