/* base/fiber.h: coroutines with their own stacks, for sim.c alone. */
#ifndef S3S_BASE_FIBER_H
#define S3S_BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#if !defined(__x86_64__) || defined(S3S_FIBER_UCONTEXT)
#include <ucontext.h>
#ifndef S3S_FIBER_UCONTEXT
#define S3S_FIBER_UCONTEXT
#endif
#endif

#define S3S_FIBER_STACK_SIZE ((size_t)256 * 1024)

typedef struct s3s_fiber {
#ifdef S3S_FIBER_UCONTEXT
    ucontext_t context;
#else
    void *stack_pointer; /* while it does not run; what it saved lies there */
#endif
    bool begun;
    void *stack;         /* NULL: the thread's own, of the fiber that switches to the others */
    void (*fn)(void *ctx); /* must end in s3s_fiber_leave */
    void *ctx;
    /* What sanitizers want to know: the bounds of the stack, and their own handles. */
    const void *bottom;
    size_t size;
    void *fake_stack;
    void *tsan;
} s3s_fiber;

/* The fiber that runs already: the thread's own. */
void s3s_fiber_init_own(s3s_fiber *own);
/* false: no memory for a stack. It begins when it is switched to. */
bool s3s_fiber_init(s3s_fiber *f, void (*fn)(void *ctx), void *ctx);
/* Gives the stack back; whatever was on it is abandoned. Not from itself. */
void s3s_fiber_deinit(s3s_fiber *f);

/* Goes to another fiber; returns when somebody comes back to this one. */
void s3s_fiber_switch(s3s_fiber *from, s3s_fiber *to);
/* The same, for the last time. */
void s3s_fiber_leave(s3s_fiber *from, s3s_fiber *to) __attribute__((noreturn));

#endif
