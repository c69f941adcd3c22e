/* status.c: names and texts of the statuses, and the version. */
#include "s3store.h"

static const struct {
    const char *name;
    const char *text;
    bool can_retry;
} statuses[] = {
#define S3STORE_STATUS_ENTRY(name, value, retry, text) [value] = {#name, text, (retry) != 0},
#include "s3store/status.def"
#undef S3STORE_STATUS_ENTRY
};

static bool is_known(s3store_status status)
{
    return (size_t)status < sizeof statuses / sizeof statuses[0] && statuses[status].name != NULL;
}

const char *s3store_status_name(s3store_status status)
{
    return is_known(status) ? statuses[status].name : "UNKNOWN";
}

const char *s3store_status_text(s3store_status status)
{
    return is_known(status) ? statuses[status].text : "not a status of this version";
}

bool s3store_status_can_retry(s3store_status status)
{
    return is_known(status) && statuses[status].can_retry;
}

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

const char *s3store_version(void)
{
    return NUMBER(S3STORE_VERSION_MAJOR) "." NUMBER(S3STORE_VERSION_MINOR) "." NUMBER(
        S3STORE_VERSION_PATCH);
}
