/* An open-addressing table of 127-bit digests. Two attempts with the same digest would be taken for
 * one; among 10^9 of them that has a chance of less than 10^-20. */
#include "maintain/attempt_set.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/tempfile.h"

#define FIRST_SLOTS 1024
#define DEFAULT_MEMORY_BYTES (4u * 1024 * 1024)

typedef struct slot {
    uint64_t high, low; /* high 0 = free */
    int64_t stamp;
} slot;

typedef struct table {
    slot *slots;
    size_t slot_count; /* a power of two */
    bool mapped;
} table;

struct s3s_attempt_set {
    s3s_env *env;
    char *dir;
    size_t memory_bytes;
    table table;
    uint64_t count;
};

typedef struct digest {
    uint64_t high, low;
} digest;

static uint64_t hash_parts(s3s_slice partition, s3s_slice token, const char *attempt,
                           uint64_t seed)
{
    s3s_xxh64_state state;
    s3s_xxh64_begin(&state, seed);
    /* No '/' in a token and a fixed size behind it: the parts cannot be cut otherwise. */
    s3s_xxh64_update(&state, partition.data, partition.size);
    s3s_xxh64_update(&state, "/", 1);
    s3s_xxh64_update(&state, token.data, token.size);
    s3s_xxh64_update(&state, attempt, S3S_ATTEMPT_ID_SIZE);
    return s3s_xxh64_end(&state);
}

static digest digest_of(s3s_slice partition, s3s_slice token, const char *attempt)
{
    return (digest){.high = hash_parts(partition, token, attempt, 0) | 1,
                    .low = hash_parts(partition, token, attempt, 1)};
}

/* The slot of the digest, or the free one where it belongs. */
static slot *find(const table *t, digest d)
{
    size_t at = (size_t)d.low & (t->slot_count - 1);
    while (t->slots[at].high != 0 && (t->slots[at].high != d.high || t->slots[at].low != d.low))
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

/* ---- room ------------------------------------------------------------------------------------ */

static void table_free(s3s_attempt_set *set, table *t)
{
    if (t->mapped)
        munmap(t->slots, t->slot_count * sizeof *t->slots);
    else
        s3s_free(set->env, t->slots);
    *t = (table){0};
}

/* The blocks are reserved: a disk that is full is an error here, and no signal later. */
static s3store_status map_file(s3s_attempt_set *set, size_t size, table *out, s3store_error *err)
{
    int fd = s3s_temp_file(set->dir);
    int reason = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)size);
    void *p = MAP_FAILED;
    if (reason == 0) {
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        reason = p == MAP_FAILED ? errno : 0;
    }
    if (fd >= 0)
        close(fd); /* the mapping keeps it */
    if (reason != 0)
        return s3s_fail_key(err, S3STORE_IO, set->dir,
                            "cannot make a temporary file of %zu bytes in \"%s\": %s; which "
                            "attempts a listing showed is kept there: give another directory "
                            "(spill_dir, --spill-dir)",
                            size, set->dir, strerror(reason));
    out->slots = p;
    out->mapped = true;
    return S3STORE_OK;
}

static s3store_status table_new(s3s_attempt_set *set, size_t slot_count, table *out,
                                s3store_error *err)
{
    *out = (table){.slot_count = slot_count};
    if (slot_count > SIZE_MAX / 2 / sizeof(slot))
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "the dataset has too many attempts");
    size_t size = slot_count * sizeof(slot);
    if (size > set->memory_bytes)
        return map_file(set, size, out, err);
    out->slots = s3s_calloc(set->env, slot_count, sizeof(slot));
    return out->slots != NULL ? S3STORE_OK : s3s_fail_memory(err, size);
}

static s3store_status grow(s3s_attempt_set *set, s3store_error *err)
{
    table larger, old = set->table;
    s3store_status status = table_new(set, old.slot_count * 2, &larger, err);
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i].high != 0)
            *find(&larger, (digest){old.slots[i].high, old.slots[i].low}) = old.slots[i];
    set->table = larger;
    table_free(set, &old);
    return S3STORE_OK;
}

/* ---- the set --------------------------------------------------------------------------------- */

s3store_status s3s_attempt_set_new(s3s_env *env, const char *dir, size_t memory_bytes,
                                   s3s_attempt_set **out, s3store_error *err)
{
    *out = NULL;
    s3s_attempt_set *set = s3s_calloc(env, 1, sizeof *set);
    if (set == NULL)
        return s3s_fail_memory(err, sizeof *set);
    set->env = env;
    set->memory_bytes = memory_bytes > 0 ? memory_bytes : DEFAULT_MEMORY_BYTES;
    set->dir = s3s_strdup(env, dir);
    s3store_status status = set->dir != NULL ? table_new(set, FIRST_SLOTS, &set->table, err)
                                             : s3s_fail_memory(err, strlen(dir) + 1);
    if (status != S3STORE_OK)
        s3s_attempt_set_free(set);
    else
        *out = set;
    return status;
}

void s3s_attempt_set_free(s3s_attempt_set *set)
{
    if (set == NULL)
        return;
    table_free(set, &set->table);
    s3s_free(set->env, set->dir);
    s3s_free(set->env, set);
}

s3store_status s3s_attempt_set_add(s3s_attempt_set *set, s3s_slice partition, s3s_slice token,
                                   const char *attempt, int64_t stamp, s3store_error *err)
{
    digest d = digest_of(partition, token, attempt);
    if (set->count >= set->table.slot_count / 4 * 3) {
        s3store_status status = grow(set, err);
        if (status != S3STORE_OK)
            return status;
    }
    slot *s = find(&set->table, d);
    if (s->high == 0) {
        *s = (slot){.high = d.high, .low = d.low, .stamp = stamp};
        set->count++;
    } else if (stamp > s->stamp) {
        s->stamp = stamp;
    }
    return S3STORE_OK;
}

bool s3s_attempt_set_has(const s3s_attempt_set *set, s3s_slice partition, s3s_slice token,
                         const char *attempt, int64_t *stamp)
{
    const slot *s = find(&set->table, digest_of(partition, token, attempt));
    if (s->high == 0)
        return false;
    if (stamp != NULL)
        *stamp = s->stamp;
    return true;
}

uint64_t s3s_attempt_set_count(const s3s_attempt_set *set)
{
    return set->count;
}
