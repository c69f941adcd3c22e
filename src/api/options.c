#include "api/options.h"

#include <string.h>

#include "base/error.h"

s3store_status s3s_options_copy(void *to, size_t to_size, const void *from, const char *what,
                                s3store_error *err)
{
    size_t size;
    if (from == NULL)
        return S3STORE_OK;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size || size > 65536)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "%s: its size member is %zu: set it to sizeof(%s)", what, size, what);
    const unsigned char *bytes = from;
    for (size_t i = to_size; i < size; i++)
        if (bytes[i] != 0)
            return s3s_fail(err, S3STORE_UNSUPPORTED,
                            "%s: byte %zu is set, which version %s of the library does not know",
                            what, i, s3store_version());
    memcpy(to, from, size < to_size ? size : to_size);
    memcpy(to, &to_size, sizeof to_size);
    return S3STORE_OK;
}
