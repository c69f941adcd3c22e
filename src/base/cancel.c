/* cancel.c: cancellation tokens.
 *
 * Subscribers are called with the token's mutex held: that is what lets unsubscribe promise that fn
 * is not running any more. A child is a subscriber of its parent, so locks nest from parent to
 * child, never the other way.
 */
#include "base/cancel.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"

struct s3store_cancel {
    s3s_env *env;
    s3store_cancel *parent;
    s3s_cancel_sub parent_sub;
    atomic_bool triggered;
    pthread_mutex_t mutex;
    struct {
        s3s_cancel_sub *first;
    } locked;
};

static void trigger_child(void *ctx)
{
    s3store_cancel_trigger(ctx);
}

s3store_status s3s_cancel_new(s3s_env *env, s3store_cancel *parent, s3store_cancel **out,
                              s3store_error *err)
{
    *out = NULL;
    s3store_cancel *cancel = s3s_calloc(env, 1, sizeof *cancel);
    if (cancel == NULL)
        return s3s_fail_memory(err, sizeof *cancel);
    cancel->env = env;
    cancel->parent = parent;
    atomic_init(&cancel->triggered, false);
    int failed = pthread_mutex_init(&cancel->mutex, NULL);
    if (failed != 0) {
        s3s_free(env, cancel);
        return s3s_fail_errno(err, failed, "create a mutex", NULL);
    }
    s3s_cancel_subscribe(parent, &cancel->parent_sub, trigger_child, cancel);
    *out = cancel;
    return S3STORE_OK;
}

s3store_status s3store_cancel_new(s3store_cancel **out, s3store_error *err)
{
    return s3s_cancel_new(NULL, NULL, out, err);
}

void s3store_cancel_trigger(s3store_cancel *cancel)
{
    if (cancel == NULL)
        return;
    pthread_mutex_lock(&cancel->mutex);
    if (!atomic_load(&cancel->triggered)) {
        atomic_store(&cancel->triggered, true);
        while (cancel->locked.first != NULL) {
            s3s_cancel_sub *sub = cancel->locked.first;
            cancel->locked.first = sub->next;
            if (sub->next != NULL)
                sub->next->prev = NULL;
            sub->next = NULL;
            sub->linked = false;
            sub->fn(sub->ctx);
        }
    }
    pthread_mutex_unlock(&cancel->mutex);
}

bool s3store_cancel_is_triggered(const s3store_cancel *cancel)
{
    return cancel != NULL && atomic_load_explicit(&cancel->triggered, memory_order_acquire);
}

void s3store_cancel_free(s3store_cancel *cancel)
{
    if (cancel == NULL)
        return;
    s3s_cancel_unsubscribe(cancel->parent, &cancel->parent_sub);
    pthread_mutex_destroy(&cancel->mutex);
    s3s_free(cancel->env, cancel);
}

void s3s_cancel_subscribe(s3store_cancel *cancel, s3s_cancel_sub *sub, void (*fn)(void *),
                          void *ctx)
{
    *sub = (s3s_cancel_sub){.fn = fn, .ctx = ctx};
    if (cancel == NULL)
        return;
    pthread_mutex_lock(&cancel->mutex);
    if (atomic_load(&cancel->triggered)) {
        fn(ctx);
    } else {
        sub->next = cancel->locked.first;
        if (sub->next != NULL)
            sub->next->prev = sub;
        cancel->locked.first = sub;
        sub->linked = true;
    }
    pthread_mutex_unlock(&cancel->mutex);
}

void s3s_cancel_unsubscribe(s3store_cancel *cancel, s3s_cancel_sub *sub)
{
    if (cancel == NULL)
        return;
    pthread_mutex_lock(&cancel->mutex);
    if (sub->linked) {
        if (sub->prev != NULL)
            sub->prev->next = sub->next;
        else
            cancel->locked.first = sub->next;
        if (sub->next != NULL)
            sub->next->prev = sub->prev;
        sub->linked = false;
    }
    pthread_mutex_unlock(&cancel->mutex);
}
