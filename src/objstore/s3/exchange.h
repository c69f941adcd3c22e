/* objstore/s3/exchange.h: one operation of the port: build, sign, send, receive, understand, and
 * send once more where the answer says how (another region, expired credentials). Repeating
 * after faults is not done here: that is the retry layer's.
 */
#ifndef S3S_OBJSTORE_S3_EXCHANGE_H
#define S3S_OBJSTORE_S3_EXCHANGE_H

#include "base/sync.h"
#include "objstore/s3/credentials.h"
#include "objstore/s3/errors.h"
#include "objstore/s3/request.h"
#include "objstore/s3/xml.h"

typedef struct s3s_s3_exchange s3s_s3_exchange;

typedef struct s3s_s3_store {
    s3s_env *env;
    s3s_http *http;
    s3s_credential_chain *chain; /* NULL = anonymous */
    char *consistency;
    s3s_mutex mutex;
    struct {
        s3s_s3_place place; /* its region may be corrected by the server */
        uint64_t place_version;
        int64_t clock_offset_us; /* of the server's clock, once it refused ours; for reads only */
        s3s_s3_exchange *idle;
        size_t idle_count;
        /* These were refused a HEAD, and not for being out of date: not asked again until then. */
        const s3s_credentials *denied;
        int64_t denied_until_us;
    } locked;
    size_t max_idle;
} s3s_s3_store;

/* Everything that one request needs; kept for the next one. */
struct s3s_s3_exchange {
    s3s_s3_exchange *next;
    s3s_s3_store *store;
    s3s_s3_message message;
    s3s_s3_place place;     /* as the store's was at this version */
    uint64_t place_version; /* 0 = not yet */
    int64_t clock_offset_us;
    s3s_http_lease lease;
    s3s_xml *xml;
    bool xml_begun; /* most answers have none */
    s3s_s3_answer answer;
    bool received; /* something of it came */
    s3s_http_result result;

    /* The request: the one that fits verb is set. */
    s3s_s3_verb verb;
    const char *key; /* for LIST the prefix */
    const s3store_put_request *put;
    const s3store_get_request *get;
    const s3store_list_request *list;
    const s3store_part_request *part;
    const s3store_complete_request *complete;
    const char *upload_id;
    const s3store_list_uploads_request *uploads;
    const void *damaged; /* bytes that are sent instead of the body that was signed; NULL = none */

    /* Where the answer goes. */
    s3store_metadata *metadata; /* NULL = not wanted */
    bool metadata_lost;         /* not all of it fitted */
    s3store_sink *sink;
    bool sink_begun;
    s3store_status sink_status; /* what it said last */
    bool is_error_body;         /* behind 200: not an object */
    uint64_t skip;      /* bytes of the body before what was asked for */
    uint64_t wanted;    /* bytes still to deliver; UINT64_MAX = to the end */
    uint64_t delivered;
    uint64_t object_size;
    size_t error_size; /* bytes of an error's body */
};

s3store_status s3s_s3_exchange_take(s3s_s3_store *store, s3s_s3_verb verb, const char *key,
                                    s3s_s3_exchange **out, s3store_error *err);
void s3s_s3_exchange_give(s3s_s3_exchange *x); /* NULL allowed */
void s3s_s3_exchange_free(s3s_s3_exchange *x);

/* OK: a 2xx answer, received whole. err must not be NULL. */
s3store_status s3s_s3_exchange_run(s3s_s3_exchange *x, const s3store_call *call,
                                   s3store_error *err);

/* exchange_receive.c: a fresh answer, and the callbacks of the HTTP request. */
void s3s_s3_receive_begin(s3s_s3_exchange *x);
void s3s_s3_on_status(void *ctx, int status);
void s3s_s3_on_header(void *ctx, const char *name, size_t name_size, const char *value,
                      size_t value_size);
s3store_status s3s_s3_on_body(void *ctx, const void *data, size_t size, s3store_error *err);
/* After the last byte: completes the sink, the listing, the error's code. */
s3store_status s3s_s3_receive_end(s3s_s3_exchange *x, s3store_error *err);
/* Without quotes and weakness; "" when it is too long. */
void s3s_s3_copy_etag(const char *value, char etag[72]);
bool s3s_s3_is_success(const s3s_s3_exchange *x);

#endif
