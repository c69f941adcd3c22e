/* s3_small: small requests, our whole stack against bare libcurl that sends the same signed requests
 * from as many threads; run in pairs, one after the other.
 *   s3_small                 against a loopback responder: CPU for each request
 *   s3_small ENDPOINT BUCKET against a server (keys from the environment): time for each request */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/env_private.h"
#include "responder.h"
#include "s3_kit.h"

#define PAIRS 9
#define KEY "bench/object"
#define ALLOC_COUNT_START (UINT64_MAX / 2)

typedef enum verb { HEAD_OBJECT, PUT_EMPTY, GET_1K, VERBS } verb;
static const char *const verb_names[] = {"HEAD", "PUT 0 B", "GET 1 KiB"};

typedef struct round_job {
    kit_stack *stack; /* NULL = bare libcurl */
    const kit_signed *request;
    CURL **curls;
    verb verb;
    size_t threads;
    size_t requests;
    atomic_size_t next;
    atomic_size_t next_thread;
    pthread_barrier_t barrier;
} round_job;

static void run_ours(round_job *job, s3s_buffer *buffer)
{
    s3store_error err;
    const s3store_object_store *s = &job->stack->meter;
    err.message[0] = '\0';
    if (job->verb == HEAD_OBJECT) {
        s3store_object_info info;
        kit_check(s3s_head(s, NULL, KEY, &info, &err), &err);
    } else if (job->verb == PUT_EMPTY) {
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
    round_job *job = ctx;
    size_t me = atomic_fetch_add(&job->next_thread, 1);
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, NULL, 1 << 20);
    pthread_barrier_wait(&job->barrier);
    while (atomic_fetch_add(&job->next, 1) < job->requests) {
        if (job->stack != NULL)
            run_ours(job, &buffer);
        else
            kit_curl_send(job->curls[me], job->request);
    }
    pthread_barrier_wait(&job->barrier);
    s3s_buffer_deinit(&buffer);
    return NULL;
}

/* Seconds for one request: CPU of this process, or time. */
static double run_round(round_job *job, bool cpu)
{
    pthread_t threads[128];
    atomic_store(&job->next, 0);
    atomic_store(&job->next_thread, 0);
    pthread_barrier_init(&job->barrier, NULL, (unsigned)job->threads + 1);
    for (size_t i = 0; i < job->threads; i++)
        if (pthread_create(&threads[i], NULL, work, job) != 0)
            kit_die("thread", "cannot start");
    double before = cpu ? kit_cpu_s() : kit_wall_s();
    pthread_barrier_wait(&job->barrier);
    pthread_barrier_wait(&job->barrier);
    double took = (cpu ? kit_cpu_s() : kit_wall_s()) - before;
    for (size_t i = 0; i < job->threads; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&job->barrier);
    return took / (double)job->requests;
}

static void measure(const char *endpoint, const char *bucket, verb v, size_t threads, bool cpu)
{
    kit_stack stack;
    kit_signed request;
    CURL *curls[128];
    kit_stack_open(&stack, endpoint, bucket, threads);
    if (v == HEAD_OBJECT)
        kit_sign_head(&request, endpoint, bucket, KEY);
    else if (v == PUT_EMPTY)
        kit_sign_put(&request, endpoint, bucket, KEY "-empty", NULL, 0);
    else
        kit_sign_get(&request, endpoint, bucket, KEY);
    for (size_t i = 0; i < threads; i++)
        curls[i] = kit_curl_new();
    size_t requests = cpu ? (threads == 1 ? 3000 : 8000) : (threads == 1 ? 100 : 800);
    round_job ours = {.stack = &stack, .verb = v, .threads = threads, .requests = requests};
    round_job bare = {.request = &request, .curls = curls, .verb = v, .threads = threads,
                      .requests = requests};
    (void)run_round(&ours, cpu); /* connections, memory */
    (void)run_round(&bare, cpu);
    double ours_s[PAIRS], bare_s[PAIRS], ratio[PAIRS];
    s3s_env_fail_alloc_at(stack.env, ALLOC_COUNT_START); /* counts down */
    for (size_t i = 0; i < PAIRS; i++) {
        if (i % 2 == 0)
            ours_s[i] = run_round(&ours, cpu);
        bare_s[i] = run_round(&bare, cpu);
        if (i % 2 == 1)
            ours_s[i] = run_round(&ours, cpu);
        ratio[i] = ours_s[i] / bare_s[i];
    }
    uint64_t allocs = ALLOC_COUNT_START - atomic_load(&stack.env->fail_alloc_at);
    printf("  %-9s %4zu in flight: ours %6.1f us, bare libcurl %6.1f us, ratio %.2f; our "
           "allocations for each request %.3f\n",
           verb_names[v], threads, kit_median(ours_s, PAIRS) * 1e6,
           kit_median(bare_s, PAIRS) * 1e6, kit_median(ratio, PAIRS),
           (double)allocs / (double)(PAIRS * requests));
    for (size_t i = 0; i < threads; i++)
        curl_easy_cleanup(curls[i]);
    kit_signed_free(&request);
    kit_stack_close(&stack);
}

int main(int argc, char **argv)
{
    static const size_t threads[] = {1, 32, 128};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    bool cpu = argc < 3;
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
            measure(cpu ? r.url : argv[1], cpu ? "bucket" : argv[2], (verb)v, threads[t], cpu);
    if (cpu)
        responder_stop(&r);
    return 0;
}
