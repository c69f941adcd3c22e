/* The AWS tools' shared files. */
#include "fuzz/fuzz.h"
#include "objstore/s3/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    s3s_ini *ini = NULL;
    s3store_error err = {0};
    s3store_status status =
        s3s_ini_parse(fuzz_env(), (const char *)data, size, "config", &ini, &err);
    FUZZ_CHECK((status == S3STORE_OK) == (ini != NULL));
    if (status != S3STORE_OK)
        FUZZ_CHECK(strstr(err.message, "config") != NULL);
    static const char *const sections[] = {"default", "profile a", "services s", ""};
    static const char *const keys[] = {"aws_access_key_id", "region", "s3", "endpoint_url", ""};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 5; k++) {
            const char *value = s3s_ini_get(ini, sections[i], keys[k]);
            if (value != NULL)
                FUZZ_CHECK(strlen(value) <= size && s3s_ini_has_section(ini, sections[i]));
            value = s3s_ini_get_nested(ini, sections[i], "s3", keys[k]);
            if (value != NULL)
                FUZZ_CHECK(strlen(value) <= size);
        }
    s3s_ini_free(ini);
    fuzz_check_leaks();
    return 0;
}
