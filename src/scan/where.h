/* scan/where.h: predicates. Text to a program in postfix form (where_parse.c), bound to a schema and
 * run over whole batches (where_eval.c). Private to scan/.
 *
 *   expr    := expr "or" expr | expr "and" expr | "not" expr | "(" expr ")" | test
 *   test    := column op literal | column ["not"] "in" "(" literal, ... ")"
 *            | column "is" ["not"] "null"
 *   op      := "=" "!=" "<>" "<" "<=" ">" ">="
 *   column  := letters, digits, "_" | "any text" with "" for a quote
 *   literal := 'text' with '' for a quote | number | true | false
 *
 * Three-valued: a comparison with null is unknown, and a row stays only where the whole is true.
 */
#ifndef S3S_SCAN_WHERE_H
#define S3S_SCAN_WHERE_H

#include "arrow/array.h"
#include "dataset/config.h"
#include "dataset/fileset.h"

#define WHERE_MAX_BYTES 65536 /* of the text */
#define WHERE_MAX_DEPTH 32    /* of parentheses and nots */

/* Truth is ordered, so that "and" is the minimum and "or" the maximum. */
typedef enum where_truth { WHERE_FALSE = 0, WHERE_UNKNOWN = 1, WHERE_TRUE = 2 } where_truth;

typedef enum where_kind {
    WHERE_COMPARE, /* column op literals[0] */
    WHERE_IN,      /* column in literals */
    WHERE_IS_NULL,
    WHERE_NOT,
    WHERE_AND,
    WHERE_OR,
} where_kind;

typedef enum where_op {
    WHERE_EQ,
    WHERE_NE,
    WHERE_LT,
    WHERE_LE,
    WHERE_GT,
    WHERE_GE,
} where_op;

typedef enum where_literal_kind { WHERE_TEXT, WHERE_NUMBER, WHERE_BOOL } where_literal_kind;

typedef struct where_literal {
    where_literal_kind kind;
    const char *text; /* of TEXT the value, of NUMBER as written; NUL-terminated copy */
    size_t size;
    bool truth;
    size_t position; /* in the text, from 1 */

    /* Bound to a column: the value there. Of integers, the greatest one that is not above the
     * literal, and whether it is the literal; outside: -1 below all values of the type, 1 above. */
    int64_t integer;
    bool exact;
    int outside;
    double number;
} where_literal;

typedef struct where_step {
    where_kind kind;
    where_op op;
    bool negated; /* IS_NULL, IN */
    size_t column; /* index into where.columns */
    size_t first, count; /* literals */
    bool conjunct;       /* the whole is only true where this is */
} where_step;

typedef struct where_column {
    const char *name;
    size_t position; /* in the text, from 1 */
    size_t at;       /* bound: in the schema */
} where_column;

typedef struct where {
    where_step *steps; /* postfix */
    size_t step_count;
    size_t depth; /* how many truth values are on the stack at most */
    where_literal *literals;
    size_t literal_count;
    where_column *columns; /* distinct */
    size_t column_count;
} where;

/* Everything lives in the arena. INVALID_ARGUMENT names the position. */
s3store_status s3s_where_parse(s3s_arena *arena, const char *text, where **out, s3store_error *err);
/* Finds the columns and checks that literals fit their types. INVALID_ARGUMENT. */
s3store_status s3s_where_bind(where *w, const s3s_schema *schema, s3store_error *err);
/* One truth for each row. *truths is the caller's: s3s_free. Needs a bound predicate. */
s3store_status s3s_where_evaluate(s3s_env *env, const where *w, const s3s_schema *schema,
                                  const struct ArrowArray *batch, uint8_t **truths,
                                  s3store_error *err);

/* Which orders of a value against the literal are true: bit 0 below, 1 equal, 2 above. */
unsigned s3s_where_accepted(where_op op);

/* Drops the partitions of a set of which the key says that no row of theirs can be wanted
 * (where_partition.c). d: of what columns the keys are made. Needs no binding. */
s3store_status s3s_where_partitions(s3s_env *env, const where *w, const s3s_descriptor *d,
                                    s3s_file_set *set, s3store_error *err);

#endif
