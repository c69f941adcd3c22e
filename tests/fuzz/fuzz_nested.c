/* JSON values of the command's inputs into nested columns: the first line is a type, the rest a value. What
 * is taken makes a valid batch of one row; what is not is said. */
#include "arrow/array.h"
#include "fuzz/fuzz.h"
#include "records/column.h"

static void check_row(const struct ArrowSchema *abi, s3store_builder *builder)
{
    s3store_error err = {0};
    s3s_schema *schema = NULL;
    struct ArrowArray batch;
    FUZZ_CHECK(s3store_builder_finish(builder, &batch, &err) == S3STORE_OK);
    FUZZ_CHECK(batch.length == 1);
    FUZZ_CHECK(s3s_schema_import(fuzz_env(), abi, &schema, &err) == S3STORE_OK);
    FUZZ_CHECK(s3s_batch_validate(schema, &batch, &err) == S3STORE_OK);
    s3s_schema_release(schema);
    batch.release(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ArrowSchema schema;
    s3store_builder *builder = NULL;
    s3store_error err = {0};
    char *text = fuzz_text(data, size);
    char *value = strchr(text, '\n');
    FUZZ_CHECK(s3store_schema_new(1, &schema, &err) == S3STORE_OK);
    if (value != NULL) {
        *value++ = '\0';
        if (s3store_schema_add_type(&schema, "c", text, true, &err) == S3STORE_OK)
            FUZZ_CHECK(s3store_builder_new(&schema, &builder, &err) == S3STORE_OK);
    }
    if (builder != NULL) {
        cli_value v = {CLI_TOKEN_TEXT, value, strlen(value)};
        s3store_status status = cli_append_value(builder, 0, schema.children[0], &v, &err);
        if (status == S3STORE_OK)
            check_row(&schema, builder);
        else
            FUZZ_CHECK(err.status == status && err.message[0] != '\0');
        s3store_builder_free(builder);
    }
    schema.release(&schema);
    free(text);
    fuzz_check_leaks();
    return 0;
}
