/* contract KIND: the contract suite over one kind of store: memory, local, s3, or all layers over a
 * directory (layers), memory (transfer) or S3 (s3_transfer), with small parts and ranges. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "contract/contract.h"
#include "support/tempdir.h"
#include "support/test.h"

/* What a kind needs, to be taken down again. */
typedef struct rig {
    s3s_env *env;
    s3store_object_store stores[5]; /* the last is the outermost */
    size_t count;
    s3s_pool *pool;
    char dir[TEMPDIR_SIZE];
    char prefix[256];
    bool remote;
} rig;

static void check(s3store_status status, const s3store_error *err)
{
    if (status == S3STORE_OK)
        return;
    fprintf(stderr, "contract: %s: %s\n", s3store_status_name(status), err->message);
    exit(1);
}

static void open_memory(rig *r)
{
    s3store_error err = {0};
    check(s3s_memory_store_new(r->env, &r->stores[r->count++], &err), &err);
}

static void open_local(rig *r)
{
    s3store_error err = {0};
    tempdir_new(r->dir);
    s3s_local_options options = {.root = r->dir, .fsync = false};
    check(s3s_local_store_new(r->env, &options, &r->stores[r->count++], &err), &err);
}

static void add_layers(rig *r)
{
    s3store_error err = {0};
    check(s3s_layer_limit_new(r->env, &r->stores[0], 4, &r->stores[1], &err), &err);
    check(s3s_layer_retry_new(r->env, &r->stores[1], NULL, &r->stores[2], &err), &err);
    check(s3s_layer_meter_new(r->env, &r->stores[2], &r->stores[3], NULL, &err), &err);
    r->count = 4;
}

static void open_layers(rig *r)
{
    open_local(r);
    add_layers(r);
}

/* S3 takes no parts below 5 MiB but the last. */
static void add_transfer(rig *r, size_t part_bytes)
{
    s3store_error err = {0};
    s3s_transfer_options options = {.parts_above_bytes = part_bytes,
                                    .part_bytes = part_bytes,
                                    .ranges_above_bytes = 1000,
                                    .range_bytes = part_bytes > 99999 ? 99999 : 999};
    add_layers(r);
    check(s3s_pool_new(r->env, 4, &r->pool, &err), &err);
    check(s3s_layer_transfer_new(r->env, &r->stores[3], r->pool, &options, &r->stores[4], &err),
          &err);
    r->count = 5;
}

static void open_transfer(rig *r)
{
    open_memory(r);
    add_transfer(r, 1000);
}

#ifdef S3S_HAVE_S3
static void open_s3(rig *r)
{
    s3store_error err = {0};
    const char *url = getenv("S3STORE_TEST_URL");
    if (url == NULL || strncmp(url, "s3://", 5) != 0) {
        printf("SKIPPED: S3STORE_TEST_URL is not set to s3://bucket/prefix "
               "(tests/support/ceph.sh run -- COMMAND sets it)\n");
        exit(77);
    }
    char bucket[128];
    snprintf(bucket, sizeof bucket, "%s", url + 5);
    char *slash = strchr(bucket, '/');
    if (slash != NULL)
        *slash++ = '\0';
    if (slash != NULL && *slash != '\0') {
        char own[sizeof r->prefix];
        snprintf(own, sizeof own, "%.60s/%.150s", slash, r->prefix);
        memcpy(r->prefix, own, sizeof own);
    }
    const char *endpoint = getenv("AWS_ENDPOINT_URL_S3");
    if (endpoint == NULL)
        endpoint = getenv("AWS_ENDPOINT_URL");
    s3s_s3_options options = {.bucket = bucket, .endpoint_url = endpoint, .max_connections = 32};
    check(s3s_s3_store_new(r->env, &options, &r->stores[r->count++], &err), &err);
    r->remote = true;
}

static void open_s3_transfer(rig *r)
{
    open_s3(r);
    add_transfer(r, 5u << 20);
}
#else
static void open_s3(rig *r)
{
    (void)r;
    printf("SKIPPED: built without the S3 store\n");
    exit(77);
}

static void open_s3_transfer(rig *r)
{
    open_s3(r);
}
#endif

static const struct {
    const char *name;
    void (*open)(rig *r);
} kinds[] = {
    {"memory", open_memory},     {"local", open_local}, {"layers", open_layers},
    {"transfer", open_transfer}, {"s3", open_s3},       {"s3_transfer", open_s3_transfer}};

int main(int argc, char **argv)
{
    rig r = {0};
    s3store_error err = {0};
    snprintf(r.prefix, sizeof r.prefix, "contract-%ld-%ld/", (long)time(NULL), (long)getpid());
    check(s3s_env_new_real(&r.env, &err), &err);
    for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(argv[1], kinds[i].name) == 0)
            kinds[i].open(&r);
    }
    if (r.count == 0) {
        fprintf(stderr, "usage: contract memory|local|layers|transfer|s3|s3_transfer\n");
        return 2;
    }
    s3s_contract contract = {.name = argv[1],
                             .env = r.env,
                             .store = &r.stores[r.count - 1],
                             .prefix = r.prefix,
                             .remote = r.remote};
    int failed = s3s_contract_run(&contract);
    while (r.count > 0)
        s3s_store_deinit(&r.stores[--r.count]);
    s3s_pool_free(r.pool);
    if (r.dir[0] != '\0')
        tempdir_remove(r.dir);
    if (s3s_env_live_allocs(r.env) != 0) {
        fprintf(stderr, "contract: %llu allocations are still alive\n",
                (unsigned long long)s3s_env_live_allocs(r.env));
        failed++;
    }
    s3s_env_release(r.env);
    return failed > 125 ? 125 : failed;
}
