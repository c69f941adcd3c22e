/* dataset/view_put.c: putting view markers, each once while it is known to exist.
 *
 * A table of digests remembers, for each target, which markers exist and which somebody is putting.
 * Who wants a marker that another is putting waits for it, after having put its own: so nobody
 * waits in a circle. When the table is full what is known is forgotten, and put again.
 */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/sync.h"
#include "dataset/view.h"

#define FIRST_SLOTS 64

/* ---- tables of digests ----------------------------------------------------------------------- */

/* Half a SHA-256: two different keys that a table takes for one would cost a marker. */
typedef struct digest {
    uint64_t low, high;
} digest;

typedef enum slot_state {
    SLOT_EMPTY = 0,
    SLOT_WANTED, /* somebody is putting it */
    SLOT_KNOWN,  /* it exists */
    SLOT_FAILED, /* nobody knows: as if it were not here */
} slot_state;

struct s3s_digest_slot {
    digest key;
    slot_state state;
};

static s3store_status digest_of(const char *key, digest *out, s3store_error *err)
{
    uint8_t sum[S3S_SHA256_SIZE];
    s3store_status status = s3s_sha256(key, strlen(key), sum, err);
    if (status == S3STORE_OK)
        memcpy(out, sum, sizeof *out);
    return status;
}

static struct s3s_digest_slot *find_slot(struct s3s_digest_slot *slots, size_t count,
                                         const digest *key)
{
    size_t at = (size_t)key->low & (count - 1);
    while (slots[at].state != SLOT_EMPTY &&
           (slots[at].key.low != key->low || slots[at].key.high != key->high))
        at = (at + 1) & (count - 1);
    return &slots[at];
}

/* Moves all, or what is wanted, into a table of count slots. */
static s3store_status rebuild(s3s_digest_set *set, size_t count, bool wanted_only,
                              s3store_error *err)
{
    struct s3s_digest_slot *slots = s3s_calloc(set->env, count, sizeof *slots);
    if (slots == NULL)
        return s3s_fail_memory(err, count * sizeof *slots);
    set->used = 0;
    for (size_t i = 0; i < set->slot_count; i++) {
        const struct s3s_digest_slot *from = &set->slots[i];
        if (from->state == SLOT_EMPTY || (wanted_only && from->state != SLOT_WANTED))
            continue;
        *find_slot(slots, count, &from->key) = *from;
        set->used++;
    }
    s3s_free(set->env, set->slots);
    set->slots = slots;
    set->slot_count = count;
    return S3STORE_OK;
}

/* The slot of a key, made if need be (EMPTY then, counted already). */
static s3store_status open_slot(s3s_digest_set *set, const digest *key,
                                struct s3s_digest_slot **out, s3store_error *err)
{
    if (2 * (set->used + 1) > set->slot_count) {
        s3store_status status = rebuild(
            set, set->slot_count == 0 ? FIRST_SLOTS : set->slot_count * 2, false, err);
        if (status != S3STORE_OK)
            return status;
    }
    *out = find_slot(set->slots, set->slot_count, key);
    if ((*out)->state == SLOT_EMPTY) {
        (*out)->key = *key;
        set->used++;
    }
    return S3STORE_OK;
}

s3store_status s3s_digest_set_add(s3s_digest_set *set, const char *key, bool *added,
                                  s3store_error *err)
{
    digest d;
    struct s3s_digest_slot *slot;
    s3store_status status = digest_of(key, &d, err);
    if (status == S3STORE_OK)
        status = open_slot(set, &d, &slot, err);
    if (status != S3STORE_OK)
        return status;
    *added = slot->state == SLOT_EMPTY;
    slot->state = SLOT_KNOWN;
    return S3STORE_OK;
}

void s3s_digest_set_deinit(s3s_digest_set *set)
{
    s3s_free(set->env, set->slots);
    *set = (s3s_digest_set){.env = set->env};
}

/* ---- markers known to exist ------------------------------------------------------------------ */

struct s3s_known_markers {
    s3s_env *env;
    size_t max_count;
    s3s_mutex mutex;
    s3s_cond changed;
    struct {
        s3s_digest_set set;
        size_t limit; /* max_count, or twice what is wanted at once */
    } locked;
};

s3store_status s3s_known_markers_new(s3s_env *env, size_t max_count, s3s_known_markers **out,
                                     s3store_error *err)
{
    *out = NULL;
    s3s_known_markers *k = s3s_calloc(env, 1, sizeof *k);
    if (k == NULL)
        return s3s_fail_memory(err, sizeof *k);
    k->env = env;
    k->max_count = max_count < FIRST_SLOTS ? FIRST_SLOTS : max_count;
    k->locked.set.env = env;
    k->locked.limit = k->max_count;
    s3store_status status = s3s_mutex_init(&k->mutex, env, err);
    if (status == S3STORE_OK) {
        status = s3s_cond_init(&k->changed, env, err);
        if (status != S3STORE_OK)
            s3s_mutex_deinit(&k->mutex);
    }
    if (status != S3STORE_OK) {
        s3s_free(env, k);
        return status;
    }
    *out = k;
    return S3STORE_OK;
}

void s3s_known_markers_free(s3s_known_markers *known)
{
    if (known == NULL)
        return;
    s3s_digest_set_deinit(&known->locked.set);
    s3s_cond_deinit(&known->changed);
    s3s_mutex_deinit(&known->mutex);
    s3s_free(known->env, known);
}

/* What is to be done about one key. */
typedef enum claim { CLAIM_NOTHING, CLAIM_PUT, CLAIM_WAIT } claim;

static s3store_status claim_locked(s3s_known_markers *k, const digest *key, claim *out,
                                   s3store_error *err)
{
    struct s3s_digest_slot *slot;
    s3s_digest_set *set = &k->locked.set;
    s3store_status status = S3STORE_OK;
    if (set->used >= k->locked.limit) {
        status = rebuild(set, set->slot_count, true, err);
        k->locked.limit = 2 * set->used > k->max_count ? 2 * set->used : k->max_count;
    }
    if (status == S3STORE_OK)
        status = open_slot(set, key, &slot, err);
    if (status != S3STORE_OK)
        return status;
    *out = slot->state == SLOT_KNOWN    ? CLAIM_NOTHING
           : slot->state == SLOT_WANTED ? CLAIM_WAIT
                                        : CLAIM_PUT;
    if (*out == CLAIM_PUT)
        slot->state = SLOT_WANTED;
    return S3STORE_OK;
}

static void settle(s3s_known_markers *k, const digest *key, bool exists)
{
    s3s_mutex_lock(&k->mutex);
    find_slot(k->locked.set.slots, k->locked.set.slot_count, key)->state =
        exists ? SLOT_KNOWN : SLOT_FAILED;
    s3s_cond_broadcast(&k->changed);
    s3s_mutex_unlock(&k->mutex);
}

/* Waits until nobody is putting it, and claims it if it is still not known. */
static s3store_status wait_for(s3s_known_markers *k, const s3store_call *call, const digest *key,
                               claim *out, s3store_error *err)
{
    s3store_status status;
    s3s_mutex_lock(&k->mutex);
    for (;;) {
        status = claim_locked(k, key, out, err);
        if (status != S3STORE_OK || *out != CLAIM_WAIT)
            break;
        status = s3s_cond_wait(&k->changed, &k->mutex,
                               call != NULL ? call->deadline_us : S3STORE_TIME_NONE,
                               call != NULL ? call->cancel : NULL);
        if (status != S3STORE_OK)
            break;
    }
    s3s_mutex_unlock(&k->mutex);
    if (status == S3STORE_CANCELLED)
        return s3s_fail(err, status, "cancelled by the caller while view markers were stored");
    if (status == S3STORE_TIMEOUT)
        return s3s_fail(err, status, "the deadline passed while view markers were stored");
    return status;
}

/* ---- putting --------------------------------------------------------------------------------- */

typedef struct putting {
    s3store_target *target;
    const s3store_call *call;
    const char *const *keys;
    digest *digests;
    size_t *order; /* positions of keys: those to put from the front, to wait for from the back */
    size_t put_count, wait_count, count;
    uint64_t sent;  /* atomic */
    bool *is_settled; /* by position in order */
} putting;

static s3store_status put_marker(putting *p, size_t i, s3store_error *err)
{
    s3store_put_request put = {.size = sizeof put, .key = p->keys[i]};
    s3store_put_reply reply = {0};
    s3store_error own = {0};
    s3store_status status = s3s_put(p->target->store, p->call, &put, &reply, &own);
    __atomic_add_fetch(&p->sent, 1, __ATOMIC_RELAXED);
    if (status == S3STORE_UNCERTAIN) /* of an object that is harmless: no doubt for the caller */
        own.status = status = S3STORE_UNAVAILABLE;
    settle(p->target->known_markers, &p->digests[i], status == S3STORE_OK);
    if (status == S3STORE_OK)
        return S3STORE_OK;
    s3s_context(&own, "storing a view marker");
    return s3s_fail_as(err, status, &own);
}

static s3store_status put_item(void *ctx, size_t item, s3store_error *err)
{
    putting *p = ctx;
    p->is_settled[item] = true;
    return put_marker(p, p->order[item], err);
}

static s3store_status claim_all(putting *p, s3store_error *err)
{
    s3s_known_markers *k = p->target->known_markers;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < p->count && status == S3STORE_OK; i++)
        status = digest_of(p->keys[i], &p->digests[i], err);
    if (status != S3STORE_OK)
        return status;
    s3s_mutex_lock(&k->mutex);
    for (size_t i = 0; i < p->count && status == S3STORE_OK; i++) {
        claim c;
        status = claim_locked(k, &p->digests[i], &c, err);
        if (status == S3STORE_OK && c == CLAIM_PUT)
            p->order[p->put_count++] = i;
        else if (status == S3STORE_OK && c == CLAIM_WAIT)
            p->order[p->count - ++p->wait_count] = i;
    }
    s3s_mutex_unlock(&k->mutex);
    return status;
}

static s3store_status put_claimed(putting *p, s3store_error *err)
{
    s3s_fan_options fan = {.limit = (size_t)p->target->max_inflight, .call = p->call};
    s3store_status status = claim_all(p, err);
    if (status == S3STORE_OK && p->put_count > 0)
        status = s3s_fan_out(p->target->pool, p->put_count, put_item, p, &fan, err);
    for (size_t i = 0; i < p->put_count; i++) /* those that never began */
        if (!p->is_settled[i])
            settle(p->target->known_markers, &p->digests[p->order[i]], false);
    for (size_t i = 0; i < p->wait_count && status == S3STORE_OK; i++) {
        size_t at = p->order[p->count - 1 - i];
        claim c = CLAIM_NOTHING;
        status = wait_for(p->target->known_markers, p->call, &p->digests[at], &c, err);
        if (status == S3STORE_OK && c == CLAIM_PUT)
            status = put_marker(p, at, err);
    }
    return status;
}

s3store_status s3s_view_markers_put(s3store_target *target, const s3store_call *call,
                                    const char *const *keys, size_t count, uint64_t *puts,
                                    s3store_error *err)
{
    s3s_env *env = target->env;
    if (count == 0)
        return S3STORE_OK;
    putting p = {.target = target, .call = call, .keys = keys, .count = count};
    p.digests = s3s_calloc(env, count, sizeof *p.digests);
    p.order = s3s_calloc(env, count, sizeof *p.order);
    p.is_settled = s3s_calloc(env, count, sizeof *p.is_settled);
    s3store_status status =
        p.digests != NULL && p.order != NULL && p.is_settled != NULL
            ? put_claimed(&p, err)
            : s3s_fail_memory(err, count * (sizeof *p.digests + sizeof *p.order + 1));
    if (puts != NULL)
        *puts += p.sent;
    s3s_free(env, p.digests);
    s3s_free(env, p.order);
    s3s_free(env, p.is_settled);
    return status;
}
