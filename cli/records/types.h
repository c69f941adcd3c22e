/* cli/records/types.h: the type names of --types. */
#ifndef S3STORE_CLI_RECORDS_TYPES_H
#define S3STORE_CLI_RECORDS_TYPES_H

#include "options.h"
#include "s3store.h"

/* "price:double" to its name and the name of its type, which cli_type_add knows. */
s3store_status cli_type_parse(const char *text, char *name, size_t name_size, const char **type,
                              s3store_error *err);
/* Adds a column of such a type, nullable. */
s3store_status cli_type_add(struct ArrowSchema *schema, const char *name, const char *type,
                            s3store_error *err);
/* Adds a column of the type of another one, with all that is nested in it. Extensions but arrow.json are
 * left out. */
s3store_status cli_type_copy(struct ArrowSchema *schema, const char *name,
                             const struct ArrowSchema *column, bool nullable, s3store_error *err);
/* A schema of them, every column nullable. */
s3store_status cli_types_schema(const cli_list *types, struct ArrowSchema *out, s3store_error *err);
/* The name of a column's type, "timestamp(us, UTC)", "string": for info and messages. */
void cli_type_name(const struct ArrowSchema *column, char *buffer, size_t buffer_size);

#endif
