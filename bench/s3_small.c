/* s3_small: small requests, our whole stack against bare libcurl that sends the same signed requests
 * from as many threads, in many short rounds, one of ours and one of libcurl's in turn: what else
 * the machine does falls on both.
 *   s3_small                 against a loopback responder: CPU for each request
 *   s3_small ENDPOINT BUCKET against a server (keys from the environment): time for each request
 * Exits 1 when a median is above the limit, or requests of ours allocate. (That none does in steady
 * state is a test: test_s3_store.) */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/env_private.h"
#include "responder.h"
#include "s3_kit.h"

#define PAIRS 41
#define CPU_LIMIT 1.30
#define TIME_LIMIT 1.10
#define ALLOCS_LIMIT 0.05
#define THREADS_MAX 128
#define KEY "bench/object"
#define ALLOC_COUNT_START (UINT64_MAX / 2)

typedef enum verb { HEAD_OBJECT, PUT_EMPTY, GET_1K, VERBS } verb;
static const char *const verb_names[] = {"HEAD", "PUT 0 B", "GET 1 KiB"};

/* Threads that stay; each round is one kind of requests. */
typedef struct crew {
    kit_stack *stack;
    const kit_signed *request;
    CURL *curls[THREADS_MAX];
    verb verb;
    size_t threads;
    size_t requests; /* of one round */
    bool ours, over;
    atomic_size_t next, next_thread;
    pthread_barrier_t barrier;
} crew;

static void run_ours(const crew *c, s3s_buffer *buffer)
{
    s3store_error err;
    const s3store_object_store *s = &c->stack->meter;
    err.message[0] = '\0';
    if (c->verb == HEAD_OBJECT) {
        s3store_object_info info;
        kit_check(s3s_head(s, NULL, KEY, &info, &err), &err);
    } else if (c->verb == PUT_EMPTY) {
        s3store_put_request request = {.size = sizeof request, .key = KEY "-empty"};
        s3store_put_reply reply;
        kit_check(s3s_put(s, NULL, &request, &reply, &err), &err);
    } else {
        s3store_get_request request = {
            .size = sizeof request, .key = KEY, .length = S3STORE_LENGTH_ALL};
        s3store_object_info info;
        s3store_sink sink = s3s_buffer_sink(buffer);
        kit_check(s3s_get(s, NULL, &request, &sink, &info, &err), &err);
        if (buffer->size != 1024)
            kit_die("GET", "not 1 KiB");
    }
}

static void *work(void *ctx)
{
    crew *c = ctx;
    size_t me = atomic_fetch_add(&c->next_thread, 1);
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, NULL, 1 << 20);
    for (;;) {
        pthread_barrier_wait(&c->barrier);
        if (c->over)
            break;
        while (atomic_fetch_add(&c->next, 1) < c->requests) {
            if (c->ours)
                run_ours(c, &buffer);
            else
                kit_curl_send(c->curls[me], c->request);
        }
        pthread_barrier_wait(&c->barrier);
    }
    s3s_buffer_deinit(&buffer);
    return NULL;
}

/* Seconds for one request: CPU of this process, or time. */
static double run_round(crew *c, bool ours, bool cpu)
{
    c->ours = ours;
    atomic_store(&c->next, 0);
    double before = cpu ? kit_cpu_s() : kit_wall_s();
    pthread_barrier_wait(&c->barrier);
    pthread_barrier_wait(&c->barrier);
    return ((cpu ? kit_cpu_s() : kit_wall_s()) - before) / (double)c->requests;
}

typedef struct figures {
    double ours_s, bare_s, ratio; /* medians */
    uint64_t allocs;
} figures;

static figures run_pairs(crew *c, bool cpu)
{
    double ours_s[PAIRS], bare_s[PAIRS], ratio[PAIRS];
    s3s_env *env = c->stack->env;
    for (size_t i = 0; i < 2; i++) { /* connections, memory */
        (void)run_round(c, true, cpu);
        (void)run_round(c, false, cpu);
    }
    s3s_env_fail_alloc_at(env, ALLOC_COUNT_START); /* counts down */
    for (size_t i = 0; i < PAIRS; i++) {
        if (i % 2 == 0)
            ours_s[i] = run_round(c, true, cpu);
        bare_s[i] = run_round(c, false, cpu);
        if (i % 2 == 1)
            ours_s[i] = run_round(c, true, cpu);
        ratio[i] = ours_s[i] / bare_s[i];
    }
    return (figures){.allocs = ALLOC_COUNT_START - atomic_load(&env->fail_alloc_at),
                     .ours_s = kit_median(ours_s, PAIRS),
                     .bare_s = kit_median(bare_s, PAIRS),
                     .ratio = kit_median(ratio, PAIRS)};
}

/* Whether the figures hold. */
static bool measure(const char *endpoint, const char *bucket, verb v, size_t threads, bool cpu)
{
    kit_stack stack;
    kit_signed request;
    pthread_t started[THREADS_MAX];
    kit_stack_open(&stack, endpoint, bucket, threads);
    if (v == HEAD_OBJECT)
        kit_sign_head(&request, endpoint, bucket, KEY);
    else if (v == PUT_EMPTY)
        kit_sign_put(&request, endpoint, bucket, KEY "-empty", NULL, 0);
    else
        kit_sign_get(&request, endpoint, bucket, KEY);
    crew c = {.stack = &stack,
              .request = &request,
              .verb = v,
              .threads = threads,
              .requests = cpu ? (threads == 1 ? 500 : 2000) : (threads == 1 ? 20 : 200)};
    pthread_barrier_init(&c.barrier, NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        c.curls[i] = kit_curl_new();
        if (pthread_create(&started[i], NULL, work, &c) != 0)
            kit_die("thread", "cannot start");
    }
    figures f = run_pairs(&c, cpu);
    c.over = true;
    pthread_barrier_wait(&c.barrier);
    for (size_t i = 0; i < threads; i++) {
        pthread_join(started[i], NULL);
        curl_easy_cleanup(c.curls[i]);
    }
    /* A thread that was not in flight together with all others before makes its memory once. */
    double allocs = (double)f.allocs / (double)(PAIRS * c.requests);
    bool holds = f.ratio <= (cpu ? CPU_LIMIT : TIME_LIMIT) && allocs < ALLOCS_LIMIT;
    printf("  %-9s %4zu in flight: ours %6.1f us, bare libcurl %6.1f us, ratio %.2f; our "
           "allocations for each %.3f%s\n",
           verb_names[v], threads, f.ours_s * 1e6, f.bare_s * 1e6, f.ratio,
           allocs, holds ? "" : "   MISSED");
    fflush(stdout);
    pthread_barrier_destroy(&c.barrier);
    kit_signed_free(&request);
    kit_stack_close(&stack);
    return holds;
}

int main(int argc, char **argv)
{
    static const size_t threads[] = {1, 32, 128};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bool cpu = argc < 3, holds = true;
    responder r;
    if (cpu) {
        responder_start(&r, &(responder_options){.prefixes = 1, .keys = 1});
        printf("small requests on loopback: CPU of the client for one request, median of %d pairs "
               "(aim: ratio <= 1.30)\n",
               PAIRS);
    } else {
        printf("small requests on %s: time for one request, median of %d pairs (aim: ratio <= "
               "1.10)\n",
               argv[1], PAIRS);
        kit_stack stack;
        s3store_error err = {0};
        char body[1024];
        memset(body, 'x', sizeof body);
        kit_stack_open(&stack, argv[1], argv[2], 1);
        s3store_put_request put = {
            .size = sizeof put, .key = KEY, .body = body, .body_size = sizeof body};
        s3store_put_reply reply;
        kit_check(s3s_put(&stack.meter, NULL, &put, &reply, &err), &err);
        kit_stack_close(&stack);
    }
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++)
        for (int v = 0; v < VERBS; v++)
            holds &= measure(cpu ? r.url : argv[1], cpu ? "bucket" : argv[2], (verb)v, threads[t],
                             cpu);
    if (cpu)
        responder_stop(&r);
    return !holds;
}
