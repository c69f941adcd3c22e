/* fiber.c: coroutines, announced to the sanitizers.
 *
 * Stacks are kept for the next fiber of the thread: a simulator makes thousands of short ones.
 */
#include "base/fiber.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#elif __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif

#if defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(WITH_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

#define GUARD_SIZE ((size_t)4096)
#define CACHE_MAX 64

/* ---- stacks ---------------------------------------------------------------------------------- */

struct stack_cache {
    size_t count;
    void *stacks[CACHE_MAX];
};

static pthread_once_t cache_once = PTHREAD_ONCE_INIT;
static pthread_key_t cache_key;
static bool cache_usable;

static void unmap_stack(void *stack)
{
    munmap((char *)stack - GUARD_SIZE, S3S_FIBER_STACK_SIZE + GUARD_SIZE);
}

static void free_cache(void *value)
{
    struct stack_cache *cache = value;
    for (size_t i = 0; i < cache->count; i++)
        unmap_stack(cache->stacks[i]);
    free(cache);
}

static void make_cache_key(void)
{
    cache_usable = pthread_key_create(&cache_key, free_cache) == 0;
}

/* The thread's cache, or NULL: it is only a matter of speed. */
static struct stack_cache *stack_cache(void)
{
    pthread_once(&cache_once, make_cache_key);
    if (!cache_usable)
        return NULL;
    struct stack_cache *cache = pthread_getspecific(cache_key);
    if (cache != NULL)
        return cache;
    cache = calloc(1, sizeof *cache);
    if (cache != NULL && pthread_setspecific(cache_key, cache) != 0) {
        free(cache);
        cache = NULL;
    }
    return cache;
}

static void *take_stack(void)
{
    struct stack_cache *cache = stack_cache();
    if (cache != NULL && cache->count > 0)
        return cache->stacks[--cache->count];
    char *base = mmap(NULL, S3S_FIBER_STACK_SIZE + GUARD_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    /* Stacks grow down: running out of one hits the guard page. */
    if (mprotect(base, GUARD_SIZE, PROT_NONE) != 0) {
        munmap(base, S3S_FIBER_STACK_SIZE + GUARD_SIZE);
        return NULL;
    }
    return base + GUARD_SIZE;
}

static void give_stack(void *stack)
{
#if defined(WITH_ASAN)
    /* An abandoned fiber leaves its poisoned frames behind. */
    __asan_unpoison_memory_region(stack, S3S_FIBER_STACK_SIZE);
#endif
    struct stack_cache *cache = stack_cache();
    if (cache != NULL && cache->count < CACHE_MAX)
        cache->stacks[cache->count++] = stack;
    else
        unmap_stack(stack);
}

/* ---- switching ------------------------------------------------------------------------------- */

static void announce_leaving(s3s_fiber *from, s3s_fiber *to, bool for_ever)
{
#if defined(WITH_ASAN)
    __sanitizer_start_switch_fiber(for_ever ? NULL : &from->fake_stack, to->bottom, to->size);
#elif defined(WITH_TSAN)
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    (void)from;
    (void)to;
    (void)for_ever;
}

/* previous: the fiber that we came from; the bounds of the thread's own are learned here. */
static void announce_arrival(s3s_fiber *to, s3s_fiber *previous)
{
#if defined(WITH_ASAN)
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(to->fake_stack, &bottom, &size);
    if (previous != NULL && previous->stack == NULL) {
        previous->bottom = bottom;
        previous->size = size;
    }
#endif
    (void)to;
    (void)previous;
}

/* A fiber that begins learns from here who it is and where it came from. */
static _Thread_local s3s_fiber *beginning;
static _Thread_local s3s_fiber *beginning_from;

static void begin(void)
{
    s3s_fiber *f = beginning;
    announce_arrival(f, beginning_from);
    f->fn(f->ctx);
    abort(); /* fn ends in s3s_fiber_leave */
}

#ifdef S3S_FIBER_UCONTEXT

static void prepare(s3s_fiber *f)
{
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = S3S_FIBER_STACK_SIZE;
    f->context.uc_link = NULL;
    makecontext(&f->context, begin, 0);
}

static void jump(s3s_fiber *from, s3s_fiber *to)
{
    swapcontext(&from->context, &to->context);
}

#else

/* What swapcontext does without its two system calls, and without the address sanitizer's wrapper,
 * which forgets what it knows about the stack at every switch: saves the registers that a function
 * must preserve on the stack, and takes those of the other stack. */
void s3s_fiber_jump(void **save_stack_pointer, void *stack_pointer)
    __attribute__((visibility("hidden")));

__asm__(".text\n"
        ".p2align 4\n"
        ".globl s3s_fiber_jump\n"
        ".hidden s3s_fiber_jump\n"
        ".type s3s_fiber_jump, @function\n"
        "s3s_fiber_jump:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size s3s_fiber_jump, . - s3s_fiber_jump\n");

/* The stack as s3s_fiber_jump would have left it, with begin as the place to return to. Above it a
 * zero return address ends backtraces, and makes the alignment that of a function's entry. */
static void prepare(s3s_fiber *f)
{
    uint64_t *frame = (uint64_t *)f->stack + S3S_FIBER_STACK_SIZE / sizeof(uint64_t) - 9;
    memset(frame, 0, 9 * sizeof *frame);
    frame[0] = UINT64_C(0x037F) << 32 | 0x1F80; /* the start values of fcw and mxcsr */
    frame[7] = (uint64_t)(uintptr_t)begin;
    f->stack_pointer = frame;
}

static void jump(s3s_fiber *from, s3s_fiber *to)
{
    s3s_fiber_jump(&from->stack_pointer, to->stack_pointer);
}

#endif

void s3s_fiber_init_own(s3s_fiber *own)
{
    memset(own, 0, sizeof *own);
#if defined(WITH_TSAN)
    own->tsan = __tsan_get_current_fiber();
#endif
}

bool s3s_fiber_init(s3s_fiber *f, void (*fn)(void *ctx), void *ctx)
{
    memset(f, 0, sizeof *f);
    f->stack = take_stack();
    if (f->stack == NULL)
        return false;
    f->fn = fn;
    f->ctx = ctx;
    f->bottom = f->stack;
    f->size = S3S_FIBER_STACK_SIZE;
#if defined(WITH_TSAN)
    f->tsan = __tsan_create_fiber(0);
#endif
    return true;
}

void s3s_fiber_deinit(s3s_fiber *f)
{
    if (f->stack == NULL)
        return;
#if defined(WITH_TSAN)
    __tsan_destroy_fiber(f->tsan);
#endif
    give_stack(f->stack);
    f->stack = NULL;
}

/* The first switch to a fiber makes its frame. */
static void enter(s3s_fiber *from, s3s_fiber *to, bool for_ever)
{
    if (to->stack != NULL && !to->begun) {
        to->begun = true;
        prepare(to);
        beginning = to;
        beginning_from = from;
    }
    announce_leaving(from, to, for_ever);
    jump(from, to);
}

void s3s_fiber_switch(s3s_fiber *from, s3s_fiber *to)
{
    enter(from, to, false);
    announce_arrival(from, NULL);
}

void s3s_fiber_leave(s3s_fiber *from, s3s_fiber *to)
{
    enter(from, to, true);
    abort(); /* nobody comes back */
}
