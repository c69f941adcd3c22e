/* The text of a predicate to postfix form: operators wait on a stack of bounded depth, so nothing
 * recurses. */
#include "scan/where.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"

typedef enum token_kind {
    TOKEN_END,
    TOKEN_NAME, /* a column, or a word of the language */
    TOKEN_QUOTED_NAME,
    TOKEN_TEXT,
    TOKEN_NUMBER,
    TOKEN_OP,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
} token_kind;

typedef struct token {
    token_kind kind;
    const char *text; /* unquoted */
    size_t size;
    size_t position; /* from 1 */
    where_op op;
} token;

/* What waits on the stack. */
typedef enum pending { PENDING_OPEN, PENDING_OR, PENDING_AND, PENDING_NOT } pending;

typedef struct parser {
    s3s_arena *arena;
    const char *text;
    size_t size, at;
    token now;
    where *w;
    size_t step_capacity, literal_capacity, column_capacity;
    pending stack[3 * WHERE_MAX_DEPTH + 2]; /* between two nestings: at most an or and an and */
    size_t pending_count, nesting;
    size_t truths; /* on the stack while it runs */
    s3store_error *err;
} parser;

static s3store_status fail(parser *p, size_t position, const char *what)
{
    size_t left = p->size - (position - 1);
    int shown = left > 20 ? 20 : (int)left;
    if (left == 0)
        return s3s_fail(p->err, S3STORE_INVALID_ARGUMENT, "where: at the end: %s", what);
    return s3s_fail(p->err, S3STORE_INVALID_ARGUMENT, "where: at position %zu (%.*s): %s", position,
                    shown, p->text + position - 1, what);
}

/* Room for one more item; arrays grow in the arena. */
static void *grow(parser *p, void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = s3s_arena_calloc(p->arena, wanted, item_size);
    if (grown == NULL) {
        s3s_fail_memory(p->err, wanted * item_size);
        return NULL;
    }
    if (count > 0)
        memcpy(grown, items, count * item_size);
    *capacity = wanted;
    return grown;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of other alphabets are letters too. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

/* 'text' or "name": a doubled quote stands for one. */
static s3store_status read_quoted(parser *p, char quote)
{
    char *out = s3s_arena_alloc(p->arena, p->size - p->at + 1);
    size_t size = 0, i = p->at + 1;
    if (out == NULL)
        return s3s_fail_memory(p->err, p->size - p->at + 1);
    for (;; i++) {
        if (i >= p->size)
            return fail(p, p->now.position, quote == '\'' ? "the text has no closing '"
                                                          : "the name has no closing \"");
        if (p->text[i] == quote && (i + 1 >= p->size || p->text[i + 1] != quote))
            break;
        if (p->text[i] == quote)
            i++;
        out[size++] = p->text[i];
    }
    out[size] = '\0';
    p->now.kind = quote == '\'' ? TOKEN_TEXT : TOKEN_QUOTED_NAME;
    p->now.text = out;
    p->now.size = size;
    p->at = i + 1;
    return S3STORE_OK;
}

/* -?digits[.digits][e[+-]digits] */
static s3store_status read_number(parser *p)
{
    size_t i = p->at;
    i += p->text[i] == '-' || p->text[i] == '+';
    size_t digits = i;
    while (is_digit(p->text[i]))
        i++;
    bool ok = i > digits;
    if (p->text[i] == '.') {
        size_t fraction = ++i;
        while (is_digit(p->text[i]))
            i++;
        ok = ok && i > fraction;
    }
    if (p->text[i] == 'e' || p->text[i] == 'E') {
        i++;
        i += p->text[i] == '-' || p->text[i] == '+';
        size_t exponent = i;
        while (is_digit(p->text[i]))
            i++;
        ok = ok && i > exponent;
    }
    if (!ok || is_letter(p->text[i]) || p->text[i] == '.')
        return fail(p, p->now.position, "this is no number");
    const char *text = s3s_arena_strndup(p->arena, p->text + p->at, i - p->at);
    if (text == NULL)
        return s3s_fail_memory(p->err, i - p->at);
    p->now.kind = TOKEN_NUMBER;
    p->now.text = text;
    p->now.size = i - p->at;
    p->at = i;
    return S3STORE_OK;
}

static bool read_symbol(parser *p)
{
    static const struct {
        const char *text;
        token_kind kind;
        where_op op;
    } symbols[] = {
        {"!=", TOKEN_OP, WHERE_NE},   {"<>", TOKEN_OP, WHERE_NE}, {"<=", TOKEN_OP, WHERE_LE},
        {">=", TOKEN_OP, WHERE_GE},   {"<", TOKEN_OP, WHERE_LT},  {">", TOKEN_OP, WHERE_GT},
        {"==", TOKEN_OP, WHERE_EQ},   {"=", TOKEN_OP, WHERE_EQ},  {"(", TOKEN_OPEN, 0},
        {")", TOKEN_CLOSE, 0},        {",", TOKEN_COMMA, 0},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        size_t size = strlen(symbols[i].text);
        if (strncmp(p->text + p->at, symbols[i].text, size) == 0) {
            p->now.kind = symbols[i].kind;
            p->now.op = symbols[i].op;
            p->at += size;
            return true;
        }
    }
    return false;
}

static s3store_status advance(parser *p)
{
    while (p->at < p->size && strchr(" \t\r\n", p->text[p->at]) != NULL)
        p->at++;
    p->now = (token){.kind = TOKEN_END, .text = "", .position = p->at + 1};
    if (p->at >= p->size)
        return S3STORE_OK;
    char c = p->text[p->at];
    if (c == '\'' || c == '"')
        return read_quoted(p, c);
    if (is_digit(c) || c == '-' || c == '+')
        return read_number(p);
    if (is_letter(c)) {
        size_t first = p->at;
        while (p->at < p->size && (is_letter(p->text[p->at]) || is_digit(p->text[p->at])))
            p->at++;
        const char *text = s3s_arena_strndup(p->arena, p->text + first, p->at - first);
        if (text == NULL)
            return s3s_fail_memory(p->err, p->at - first);
        p->now.kind = TOKEN_NAME;
        p->now.text = text;
        p->now.size = p->at - first;
        return S3STORE_OK;
    }
    return read_symbol(p) ? S3STORE_OK : fail(p, p->now.position, "this has no meaning here");
}

static bool is_word(const parser *p, const char *word)
{
    return p->now.kind == TOKEN_NAME && strcasecmp(p->now.text, word) == 0;
}

static bool is_reserved(const parser *p)
{
    static const char *const words[] = {"and", "or", "not", "in", "is", "null", "true", "false"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (is_word(p, words[i]))
            return true;
    }
    return false;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static s3store_status add_step(parser *p, where_step step)
{
    where *w = p->w;
    where_step *steps = grow(p, w->steps, w->step_count, &p->step_capacity, sizeof *steps);
    if (steps == NULL)
        return S3STORE_OUT_OF_MEMORY;
    w->steps = steps;
    steps[w->step_count++] = step;
    if (step.kind == WHERE_AND || step.kind == WHERE_OR)
        p->truths--;
    else if (step.kind != WHERE_NOT)
        p->truths++;
    if (p->truths > w->depth)
        w->depth = p->truths;
    return S3STORE_OK;
}

static s3store_status read_literal(parser *p)
{
    where *w = p->w;
    where_literal literal = {.text = p->now.text, .size = p->now.size, .position = p->now.position};
    if (p->now.kind == TOKEN_TEXT)
        literal.kind = WHERE_TEXT;
    else if (p->now.kind == TOKEN_NUMBER)
        literal.kind = WHERE_NUMBER;
    else if (is_word(p, "true") || is_word(p, "false"))
        literal = (where_literal){.kind = WHERE_BOOL, .truth = is_word(p, "true"), .text = "",
                                  .position = p->now.position};
    else if (is_word(p, "null"))
        return fail(p, p->now.position, "nothing equals null: use \"is null\" or \"is not null\"");
    else
        return fail(p, p->now.position,
                    "expected a value: 'text' in single quotes, a number, true or false");
    where_literal *literals =
        grow(p, w->literals, w->literal_count, &p->literal_capacity, sizeof *literals);
    if (literals == NULL)
        return S3STORE_OUT_OF_MEMORY;
    w->literals = literals;
    literals[w->literal_count++] = literal;
    return advance(p);
}

static s3store_status read_column(parser *p, size_t *out)
{
    where *w = p->w;
    if (p->now.kind != TOKEN_QUOTED_NAME && (p->now.kind != TOKEN_NAME || is_reserved(p)))
        return fail(p, p->now.position, "expected a column");
    for (*out = 0; *out < w->column_count; (*out)++) {
        if (strcmp(w->columns[*out].name, p->now.text) == 0)
            return advance(p);
    }
    where_column *columns =
        grow(p, w->columns, w->column_count, &p->column_capacity, sizeof *columns);
    if (columns == NULL)
        return S3STORE_OUT_OF_MEMORY;
    w->columns = columns;
    columns[w->column_count++] =
        (where_column){.name = p->now.text, .position = p->now.position};
    return advance(p);
}

static s3store_status read_list(parser *p, where_step *step)
{
    s3store_status status = advance(p);
    if (status == S3STORE_OK && p->now.kind != TOKEN_OPEN)
        return fail(p, p->now.position, "expected ( after in");
    step->kind = WHERE_IN;
    step->first = p->w->literal_count;
    do {
        if (status == S3STORE_OK)
            status = advance(p); /* past ( or , */
        if (status == S3STORE_OK)
            status = read_literal(p);
    } while (status == S3STORE_OK && p->now.kind == TOKEN_COMMA);
    if (status != S3STORE_OK)
        return status;
    if (p->now.kind != TOKEN_CLOSE)
        return fail(p, p->now.position, "expected , or ) in the list");
    step->count = p->w->literal_count - step->first;
    return advance(p);
}

static s3store_status read_is_null(parser *p, where_step *step)
{
    s3store_status status = advance(p);
    step->kind = WHERE_IS_NULL;
    step->negated = status == S3STORE_OK && is_word(p, "not");
    if (step->negated)
        status = advance(p);
    if (status != S3STORE_OK)
        return status;
    return is_word(p, "null") ? advance(p)
                              : fail(p, p->now.position, "expected null after is or is not");
}

static s3store_status read_test(parser *p)
{
    where_step step = {0};
    s3store_status status = read_column(p, &step.column);
    if (status != S3STORE_OK)
        return status;
    if (p->now.kind == TOKEN_OP) {
        step.kind = WHERE_COMPARE;
        step.op = p->now.op;
        step.first = p->w->literal_count;
        step.count = 1;
        status = advance(p);
        if (status == S3STORE_OK)
            status = read_literal(p);
    } else if (is_word(p, "is")) {
        status = read_is_null(p, &step);
    } else {
        step.negated = is_word(p, "not");
        if (step.negated)
            status = advance(p);
        if (status == S3STORE_OK)
            status = is_word(p, "in") ? read_list(p, &step)
                                      : fail(p, p->now.position,
                                             step.negated
                                                 ? "expected in after not"
                                                 : "expected =, !=, <, <=, >, >=, in or is");
    }
    return status == S3STORE_OK ? add_step(p, step) : status;
}

/* ---- operators ------------------------------------------------------------------------------- */

static s3store_status push(parser *p, pending what)
{
    bool nests = what == PENDING_OPEN || what == PENDING_NOT;
    if (nests && ++p->nesting > WHERE_MAX_DEPTH)
        return fail(p, p->now.position, "parentheses and nots go more than 32 levels deep");
    if (p->pending_count == sizeof p->stack / sizeof p->stack[0])
        return s3s_fail(p->err, S3STORE_INTERNAL, "where: the stack of operators is too small");
    p->stack[p->pending_count++] = what;
    return S3STORE_OK;
}

/* Emits what binds at least as tightly, down to the next parenthesis. */
static s3store_status settle(parser *p, pending least)
{
    static const where_kind kinds[] = {
        [PENDING_OR] = WHERE_OR, [PENDING_AND] = WHERE_AND, [PENDING_NOT] = WHERE_NOT};
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && p->pending_count > 0) {
        pending top = p->stack[p->pending_count - 1];
        if (top == PENDING_OPEN || top < least)
            break;
        p->pending_count--;
        p->nesting -= top == PENDING_NOT;
        status = add_step(p, (where_step){.kind = kinds[top]});
    }
    return status;
}

/* Everything that may stand before a test: nots and parentheses, then the test. */
static s3store_status read_operand(parser *p)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && (is_word(p, "not") || p->now.kind == TOKEN_OPEN)) {
        status = push(p, p->now.kind == TOKEN_OPEN ? PENDING_OPEN : PENDING_NOT);
        if (status == S3STORE_OK)
            status = advance(p);
    }
    return status == S3STORE_OK ? read_test(p) : status;
}

static s3store_status close_parentheses(parser *p)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && p->now.kind == TOKEN_CLOSE) {
        status = settle(p, PENDING_OR);
        if (status == S3STORE_OK && p->pending_count == 0)
            return fail(p, p->now.position, "there is no ( for this )");
        if (status == S3STORE_OK) {
            p->pending_count--;
            p->nesting--;
            status = advance(p);
        }
    }
    return status;
}

static s3store_status read_all(parser *p)
{
    s3store_status status = advance(p);
    if (status == S3STORE_OK && p->now.kind == TOKEN_END)
        return s3s_fail(p->err, S3STORE_INVALID_ARGUMENT, "where: the predicate is empty");
    for (;;) {
        if (status == S3STORE_OK)
            status = read_operand(p);
        if (status == S3STORE_OK)
            status = close_parentheses(p);
        if (status != S3STORE_OK || p->now.kind == TOKEN_END)
            break;
        pending join = is_word(p, "and") ? PENDING_AND : PENDING_OR;
        if (join == PENDING_OR && !is_word(p, "or"))
            return fail(p, p->now.position, "expected and, or, ) or the end");
        status = settle(p, join);
        if (status == S3STORE_OK)
            status = push(p, join);
        if (status == S3STORE_OK)
            status = advance(p);
    }
    if (status == S3STORE_OK)
        status = settle(p, PENDING_OR);
    if (status == S3STORE_OK && p->pending_count > 0)
        status = fail(p, p->size + 1, "a ( is not closed");
    return status;
}

/* Tests that only "and" joins to the whole. From the end, postfix form has the operator before its
 * operands. */
static s3store_status mark_conjuncts(parser *p)
{
    where *w = p->w;
    bool *stack = s3s_arena_calloc(p->arena, w->step_count + 2, sizeof *stack);
    if (stack == NULL)
        return s3s_fail_memory(p->err, w->step_count);
    size_t top = 0;
    stack[top++] = true;
    for (size_t i = w->step_count; i-- > 0;) {
        where_step *s = &w->steps[i];
        bool whole = stack[--top];
        if (s->kind == WHERE_AND || s->kind == WHERE_OR || s->kind == WHERE_NOT) {
            stack[top++] = whole && s->kind == WHERE_AND;
            if (s->kind != WHERE_NOT) {
                stack[top] = stack[top - 1];
                top++;
            }
        } else {
            s->conjunct = whole;
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_where_parse(s3s_arena *arena, const char *text, where **out, s3store_error *err)
{
    parser p = {.arena = arena, .text = text, .size = strlen(text), .err = err};
    *out = NULL;
    if (p.size > WHERE_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "where: the predicate has %zu bytes, %d are allowed", p.size,
                        WHERE_MAX_BYTES);
    p.w = s3s_arena_calloc(arena, 1, sizeof *p.w);
    if (p.w == NULL)
        return s3s_fail_memory(err, sizeof *p.w);
    s3store_status status = read_all(&p);
    if (status == S3STORE_OK)
        status = mark_conjuncts(&p);
    if (status == S3STORE_OK)
        *out = p.w;
    return status;
}
