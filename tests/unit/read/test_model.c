/* Everything that reads against a model that is obvious: random datasets (several attempts for a token,
 * orphans, refs twice, foreign objects, malformed refs), random patterns, columns, predicates, forms and
 * settings; the rows must be the model's, in the model's order. S3S_FULL=1: thousands of datasets. */
#include <inttypes.h>
#include <stdlib.h>

#include "unit/read/kit.h"

enum { ROWS_MAX = 2048, FILES_MAX = 64, REFS_MAX = 160, TEXT = KIT_TEXT };

/* ---- chance -------------------------------------------------------------------------------------- */

static uint64_t chance;
static uint64_t roll(uint64_t sides)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (chance >> 11) % sides;
}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(a) ((a)[roll(COUNT(a))])

/* ---- the dataset, as the model knows it ------------------------------------------------------------ */

typedef struct row {
    const char *p, *entity;
    int64_t q, version, value;
    int32_t e2;
    int16_t small_e2; /* the same, in files of the narrow type */
    bool no_e2, no_value;
} row;

#define AT(m) offsetof(row, m)
static const s3store_field fields[] = {
    {.name = "p", .kind = S3STORE_KIND_CSTRING, .offset = AT(p)},
    {.name = "q", .kind = S3STORE_KIND_INT64, .offset = AT(q)},
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = AT(entity)},
    {"e2", S3STORE_KIND_INT32, AT(e2), S3STORE_NULL_FLAG, AT(no_e2), 0},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = AT(version)},
    {"value", S3STORE_KIND_INT64, AT(value), S3STORE_NULL_FLAG, AT(no_value), 0},
};
static const s3store_record_type wide_type = S3STORE_RECORD_TYPE(row, fields);
static const s3store_field narrow_fields[] = {
    {"value", S3STORE_KIND_INT64, AT(value), S3STORE_NULL_FLAG, AT(no_value), 0},
    {"e2", S3STORE_KIND_INT16, AT(small_e2), S3STORE_NULL_FLAG, AT(no_e2), 0},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = AT(version)},
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = AT(entity)},
    {.name = "q", .kind = S3STORE_KIND_INT64, .offset = AT(q)},
    {.name = "p", .kind = S3STORE_KIND_CSTRING, .offset = AT(p)},
};
static const s3store_record_type narrow_type = S3STORE_RECORD_TYPE(row, narrow_fields);
enum { P, Q, ENTITY, E2, VERSION, VALUE, COLUMNS };
static const char *const names[] = {"p", "q", "entity", "e2", "version", "value"};

/* A data object whose commit marker names it. */
typedef struct file {
    const char *p;
    int64_t q;
    char partition[64], key[S3S_KEY_SIZE];
    row rows[64];
    size_t row_count;
    bool is_alone; /* no other attempt of its token left an object */
    bool gone;     /* deleted after it was committed */
} file;

/* A ref whose attempt is committed, in stream order. */
typedef struct ref {
    char key[S3S_KEY_SIZE];
    int64_t stamp_us;
    size_t file;
} ref;

typedef struct world {
    kit k;
    file files[FILES_MAX];
    size_t file_count;
    ref refs[REFS_MAX];
    size_t ref_count;
    size_t p_count, q_count; /* values in use */
    char expected[TEXT];
} world;

static const char *const ps[] = {"1", "1-2", "1.5", "1 x", "10", "1=", "a:b", "\xc3\xa9"};
static const int64_t qs[] = {-1, 0, 1, 2, 10};

static void put_files(world *w)
{
    file *f = &w->files[w->file_count];
    char token[32], attempt[S3S_ATTEMPT_ID_SIZE + 1];
    static const char *const shapes[] = {"t%u", "a:b-%u", "2026-04-22T10:15:00Z-%u"};
    bool has_token = roll(2) == 0, narrow = roll(4) == 0;
    snprintf(token, sizeof token, PICK(shapes), (unsigned)w->file_count);
    *f = (file){.p = ps[roll(w->p_count)], .q = qs[roll(w->q_count)], .row_count = roll(4) == 0 ? 0 : roll(64)};
    snprintf(f->partition, sizeof f->partition, "p=%s/q=%" PRId64, f->p, f->q);
    for (size_t i = 0; i < f->row_count; i++) {
        static const char *const entities[] = {"a", "aa", "b", "it's", "a-rather-long-name", ""};
        row r = {.p = f->p, .q = f->q, .entity = PICK(entities), .version = (int64_t)roll(5) - 1};
        r.e2 = (int32_t)roll(4) - 2;
        r.small_e2 = (int16_t)r.e2;
        r.no_e2 = roll(5) == 0;
        r.value = (int64_t)roll(9) - 4;
        r.no_value = roll(5) == 0;
        f->rows[i] = r;
    }
    unsigned attempts = has_token ? 1 + (unsigned)roll(3) : 1, wins = (unsigned)roll(attempts + 1);
    f->is_alone = attempts == 1;
    for (unsigned a = 0; a < attempts; a++) {
        row orphan = {.p = f->p, .q = f->q, .entity = "orphan", .version = 99};
        fixture_attempt(w->k.fx.next_attempt++, attempt);
        fixture_write write = {.partition = f->partition,
                               .token = has_token ? token : NULL,
                               .attempt = attempt};
        write.steps = a == wins ? FIXTURE_ALL : roll(2) == 0 ? FIXTURE_DATA : FIXTURE_DATA | FIXTURE_REF;
        fixture_written done = fixture_write_records(
            &w->k.fx, &write, narrow ? &narrow_type : &wide_type, a == wins ? f->rows : &orphan,
            a == wins ? f->row_count : 1);
        if (a != wins)
            continue;
        snprintf(f->key, sizeof f->key, "%s", done.data_key);
        for (uint64_t again = roll(8) == 0 ? 2 : 1; again > 0; again--) {
            ref *r = &w->refs[w->ref_count++];
            snprintf(r->key, sizeof r->key, "%s", done.ref_key);
            r->stamp_us = done.stamp_us;
            r->file = w->file_count;
            write.steps = FIXTURE_REF;
            if (again > 1) /* stamped once more */
                done = fixture_write_records(&w->k.fx, &write, &wide_type, f->rows, 0);
        }
    }
    w->file_count += wins < attempts;
}

static void put_foreign(world *w)
{
    static const char *const keys[] = {
        "ds/data/readme.txt",
        "ds/data/p=1/q=1/notes.parquet",
        "ds/data/p=1/q=1/.commit",
        "ds/data/p=1/x=1/t-00000000000000000000000000000001.parquet",
        "ds/data/p=1/t-00000000000000000000000000000001.parquet",
        "ds/_ref/0-malformed.ref",
        "ds/_ref/0000000000000000-t-00000000000000000000000000000001;p=1%2Fq=%zz.ref",
        "ds/_ref/readme",
        "ds/data2/p=1/q=1/t.commit",
    };
    for (size_t i = 0; i < COUNT(keys); i++) {
        if (roll(2) == 0)
            fixture_put(&w->k.fx, keys[i], "x", 1, NULL);
    }
}

/* ---- predicates ------------------------------------------------------------------------------------ */

/* Text, and the truth for a row: 0 false, 1 unknown, 2 true. */
typedef struct predicate {
    int kind; /* 0 test, 1 not, 2 and, 3 or */
    int left, right;
    int column, op; /* op 0..5, 6 is null, 7 is not null, 8 in, 9 not in */
    const char *text; /* literals: of p and entity */
    int64_t number[2];
} predicate;

static predicate nodes[32];
static int node_count;
static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">="};

static int make_predicate(int depth)
{
    int at = node_count++;
    predicate n = {.kind = depth == 0 ? 0 : (int)roll(4)};
    if (n.kind == 0) {
        n.column = (int)roll(COLUMNS);
        n.op = (int)roll(10);
        n.text = roll(4) == 0 ? "2" : n.column == P ? PICK(ps) : roll(2) == 0 ? "a" : "it's";
        n.number[0] = (int64_t)roll(7) - 3;
        n.number[1] = PICK(qs);
    } else {
        n.left = make_predicate(depth - 1);
        n.right = n.kind == 1 ? n.left : make_predicate(depth - 1);
    }
    nodes[at] = n;
    return at;
}

static void say_literal(char *text, const predicate *n, int which)
{
    size_t used = strlen(text);
    if (n->column != P && n->column != ENTITY) {
        snprintf(text + used, TEXT - used, "%" PRId64, n->number[which]);
        return;
    }
    text[used++] = '\'';
    for (const char *at = which == 0 ? n->text : "a"; *at != '\0'; at++) {
        if (*at == '\'')
            text[used++] = '\'';
        text[used++] = *at;
    }
    text[used++] = '\'';
    text[used] = '\0';
}

static void say(char *text, int at)
{
    const predicate *n = &nodes[at];
    if (n->kind != 0) {
        strcat(text, n->kind == 1 ? "not (" : "(");
        say(text, n->left);
        if (n->kind > 1) {
            strcat(text, n->kind == 2 ? ") and (" : ") or (");
            say(text, n->right);
        }
        strcat(text, ")");
        return;
    }
    strcat(text, names[n->column]);
    if (n->op == 6 || n->op == 7) {
        strcat(text, n->op == 6 ? " is null" : " is not null");
    } else if (n->op > 7) {
        strcat(text, n->op == 8 ? " in (" : " not in (");
        say_literal(text, n, 0);
        strcat(text, ", ");
        say_literal(text, n, 1);
        strcat(text, ")");
    } else {
        strcat(strcat(strcat(text, " "), ops[n->op]), " ");
        say_literal(text, n, 0);
    }
}

static int order_of(const predicate *n, const row *r, int which)
{
    int64_t values[] = {[Q] = r->q, [E2] = r->e2, [VERSION] = r->version, [VALUE] = r->value};
    if (n->column == P || n->column == ENTITY)
        return strcmp(n->column == P ? r->p : r->entity, which == 0 ? n->text : "a");
    return values[n->column] < n->number[which] ? -1 : values[n->column] > n->number[which];
}

static int truth(int at, const row *r)
{
    const predicate *n = &nodes[at];
    int left = n->kind > 0 ? truth(n->left, r) : 0, right = n->kind > 1 ? truth(n->right, r) : 0;
    bool null = (n->column == E2 && r->no_e2) || (n->column == VALUE && r->no_value);
    if (n->kind == 1)
        return 2 - left;
    if (n->kind == 2)
        return left < right ? left : right;
    if (n->kind == 3)
        return left > right ? left : right;
    if (n->op == 6 || n->op == 7)
        return null == (n->op == 6) ? 2 : 0;
    if (null)
        return 1;
    int order = order_of(n, r, 0);
    if (n->op > 7)
        return ((order == 0 || order_of(n, r, 1) == 0) == (n->op == 8)) ? 2 : 0;
    bool holds[] = {order == 0, order != 0, order < 0, order <= 0, order > 0, order >= 0};
    return holds[n->op] ? 2 : 0;
}

/* ---- the model of reading -------------------------------------------------------------------------- */

typedef enum mode { LATEST, HISTORY, AS_WRITTEN } mode;

typedef struct query {
    bool wanted[FILES_MAX]; /* which files */
    mode mode;
    bool two_keys; /* the entity is (entity, e2) */
    int where;     /* -1 = none */
    int columns[COLUMNS];
    size_t column_count;
    int64_t limit;
    bool heads; /* "{p=1/q=1}" before the rows of each partition */
} query;

static int compare_entities(const query *q, const row *a, const row *b)
{
    int order = strcmp(a->entity, b->entity);
    if (order != 0 || !q->two_keys)
        return order;
    if (a->no_e2 || b->no_e2)
        return (int)b->no_e2 - (int)a->no_e2;
    return a->e2 < b->e2 ? -1 : a->e2 > b->e2;
}

/* Whether row i of a partition remains: nothing later wins, nothing earlier is the same. */
static bool remains(const query *q, const row *const *rows, size_t count, size_t i)
{
    for (size_t k = 0; q->mode != AS_WRITTEN && k < count; k++) {
        if (k == i || compare_entities(q, rows[k], rows[i]) != 0)
            continue;
        int64_t a = rows[k]->version, b = rows[i]->version;
        if (q->mode == LATEST ? a > b || (a == b && k > i) : a == b && k < i)
            return false;
    }
    return true;
}

static void tell_row(const query *q, const row *r, char *text)
{
    size_t used = strlen(text);
    for (size_t i = 0; i < q->column_count; i++) {
        int c = q->columns[i];
        int64_t values[] = {[Q] = r->q, [E2] = r->e2, [VERSION] = r->version, [VALUE] = r->value};
        const char *end = i + 1 < q->column_count ? "|" : ";";
        if (c == P || c == ENTITY)
            used += (size_t)snprintf(text + used, TEXT - used, "%s%s", c == P ? r->p : r->entity, end);
        else if ((c == E2 && r->no_e2) || (c == VALUE && r->no_value))
            used += (size_t)snprintf(text + used, TEXT - used, "-%s", end);
        else
            used += (size_t)snprintf(text + used, TEXT - used, "%" PRId64 "%s", values[c], end);
    }
}

static int by_partition_then_key(const void *a, const void *b)
{
    const file *x = *(const file *const *)a, *y = *(const file *const *)b;
    int order = strcmp(x->partition, y->partition);
    return order != 0 ? order : strcmp(x->key, y->key);
}

/* One partition: what remains, in order, for which the predicate is true. */
static void model_partition(const query *q, const char *partition, const row *const *rows,
                            size_t count, int64_t *told, char *text)
{
    const row *kept[ROWS_MAX];
    size_t n = 0;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (!remains(q, rows, count, i))
            continue;
        size_t at = n++;
        for (; q->mode != AS_WRITTEN && at > 0; at--) {
            int order = compare_entities(q, kept[at - 1], rows[i]);
            if (order < 0 || (order == 0 && kept[at - 1]->version <= rows[i]->version))
                break;
            kept[at] = kept[at - 1];
        }
        kept[at] = rows[i];
    }
    for (size_t i = 0; i < n; i++) {
        if ((q->where >= 0 && truth(q->where, kept[i]) != 2) || (q->limit > 0 && *told >= q->limit))
            continue;
        if (first && q->heads)
            snprintf(text + strlen(text), TEXT - strlen(text), "{%s}", partition);
        first = false;
        tell_row(q, kept[i], text);
        ++*told;
    }
}

static void model(const world *w, const query *q, char *text)
{
    const file *order[FILES_MAX];
    const row *rows[ROWS_MAX];
    size_t files = 0;
    int64_t told = 0;
    text[0] = '\0';
    for (size_t i = 0; i < w->file_count; i++) {
        if (q->wanted[i] && !w->files[i].gone)
            order[files++] = &w->files[i];
    }
    qsort(order, files, sizeof order[0], by_partition_then_key);
    for (size_t from = 0, to; from < files; from = to) {
        size_t count = 0;
        for (to = from; to < files && strcmp(order[to]->partition, order[from]->partition) == 0; to++) {
            for (size_t i = 0; i < order[to]->row_count; i++)
                rows[count++] = &order[to]->rows[i];
        }
        model_partition(q, order[from]->partition, rows, count, &told, text);
    }
}

/* ---- patterns -------------------------------------------------------------------------------------- */

/* One segment: its text, and which of the values it matches. */
static void make_segment(const char *name, const char *const *values, size_t count, char *text,
                         size_t text_size, bool *matches)
{
    const char *a = values[roll(count)], *b = values[roll(count)];
    size_t prefix = 1 + roll(2);
    uint64_t kind = roll(6);
    prefix = prefix > strlen(a) ? strlen(a) : prefix;
    if (kind == 5 && strcmp(a, b) > 0) {
        const char *swap = a;
        a = b;
        b = swap;
    }
    switch (kind) {
    case 0:
        snprintf(text, text_size, "*");
        break;
    case 1:
        snprintf(text, text_size, "%s=%s", name, a);
        break;
    case 2:
        snprintf(text, text_size, "%s=%.*s*", name, (int)prefix, a);
        break;
    case 3:
        snprintf(text, text_size, "%s=%s..", name, a);
        break;
    case 4:
        snprintf(text, text_size, "%s=..%s", name, a);
        break;
    default:
        snprintf(text, text_size, "%s=%s..%s", name, a, b);
        break;
    }
    for (size_t i = 0; i < count; i++) {
        const char *v = values[i];
        bool is[] = {true, strcmp(v, a) == 0, strncmp(v, a, prefix) == 0, strcmp(v, a) >= 0,
                     strcmp(v, a) < 0, strcmp(v, a) >= 0 && strcmp(v, b) < 0};
        matches[i] = is[kind];
    }
}

static void make_pattern(world *w, char *text, size_t text_size, bool *wanted)
{
    static const char *const q_texts[] = {"-1", "0", "1", "2", "10"};
    char p[64], q[64];
    bool p_matches[COUNT(ps)], q_matches[COUNT(qs)], everything = roll(8) == 0;
    make_segment("p", ps, COUNT(ps), p, sizeof p, p_matches);
    make_segment("q", q_texts, COUNT(q_texts), q, sizeof q, q_matches);
    if (everything)
        snprintf(text, text_size, "%s", roll(2) == 0 ? "" : "*");
    else
        snprintf(text, text_size, "%s/%s", p, q);
    for (size_t i = 0; i < w->file_count; i++) {
        size_t pi = 0, qi = 0;
        while (strcmp(ps[pi], w->files[i].p) != 0)
            pi++;
        while (qs[qi] != w->files[i].q)
            qi++;
        wanted[i] = wanted[i] || everything || (p_matches[pi] && q_matches[qi]);
    }
}

/* ---- operations ------------------------------------------------------------------------------------ */

typedef struct operation {
    query q;
    s3store_read_options o;
    char where[TEXT], patterns[3][160];
    const char *pattern_list[3], *columns[COLUMNS];
} operation;

static void make_query(world *w, operation *op)
{
    static const int ahead[] = {0, S3STORE_READ_AHEAD_NONE, 1, 4};
    static const uint64_t bytes[] = {0, 1, 4096};
    /* The smallest makes larger partitions spill. */
    static const uint64_t memory[] = {0, 0, 128 * 1024, 1024 * 1024};
    op->q = (query){.mode = (mode)roll(3), .two_keys = roll(2) == 0, .where = -1};
    op->o = (s3store_read_options)S3STORE_READ_OPTIONS_INIT;
    op->o.history = op->q.mode == HISTORY;
    op->o.read_ahead_partitions = PICK(ahead);
    op->o.read_ahead_bytes = PICK(bytes);
    w->k.fx.target->memory_bytes = PICK(memory);
    if (roll(2) == 0) {
        node_count = 0;
        op->where[0] = '\0';
        op->q.where = make_predicate((int)roll(4));
        say(op->where, op->q.where);
        op->o.where = op->where;
    }
    op->q.column_count = 1 + roll(COLUMNS);
    for (size_t i = 0; i < op->q.column_count; i++) {
        bool again = true;
        while (again) {
            op->q.columns[i] = (int)roll(COLUMNS);
            again = false;
            for (size_t k = 0; k < i; k++)
                again = again || op->q.columns[k] == op->q.columns[i];
        }
        op->columns[i] = names[op->q.columns[i]];
    }
    op->o.columns = op->columns;
    op->o.column_count = op->q.column_count;
    if (roll(4) == 0)
        op->o.limit = op->q.limit = 1 + (int64_t)roll(20);
}

static void open_reader(world *w, const query *q)
{
    static const char *const keys[] = {"entity", "e2"};
    s3store_error err;
    s3store_reader_options options = S3STORE_READER_OPTIONS_INIT;
    options.no_dedup = q->mode == AS_WRITTEN;
    if (q->mode != AS_WRITTEN) {
        options.entity = keys;
        options.entity_count = q->two_keys ? 2 : 1;
        options.version = "version";
    }
    s3s_reader_free(w->k.reader);
    assert_ok(s3s_reader_open(w->k.fx.target, &options, &w->k.reader, &err));
}

static void compare(world *w, const operation *op, const char *what)
{
    if (strcmp(w->k.text, w->expected) == 0)
        return;
    fail_msg("%s, mode %d, two keys %d, where \"%s\", patterns \"%s\" \"%s\" \"%s\", limit %d, ahead %d, "
             "memory %d:\n got %s\nwant %s",
             what, (int)op->q.mode, op->q.two_keys, op->q.where >= 0 ? op->where : "",
             op->o.pattern_count > 0 ? op->patterns[0] : "",
             op->o.pattern_count > 1 ? op->patterns[1] : "",
             op->o.pattern_count > 2 ? op->patterns[2] : "", (int)op->q.limit,
             op->o.read_ahead_partitions, (int)w->k.fx.target->memory_bytes, w->k.text, w->expected);
}

/* One of the four forms. */
static void read_and_compare(world *w, operation *op, const char *what)
{
    static const int record_columns[] = {ENTITY, VERSION, VALUE};
    s3store_error err = {0};
    uint64_t form = roll(4);
    s3store_status status;
    if (form >= 2) { /* C structs have their own columns */
        memcpy(op->q.columns, record_columns, sizeof record_columns);
        op->q.column_count = 3;
        op->o.columns = NULL;
        op->o.column_count = 0;
    }
    op->q.heads = form == 1;
    open_reader(w, &op->q);
    model(w, &op->q, w->expected);
    status = form == 0   ? kit_stream(&w->k, &op->o, &err)
             : form == 1 ? kit_partitions(&w->k, &op->o, &err)
             : form == 2 ? kit_iter(&w->k, &op->o, &err)
                         : kit_records(&w->k, &op->o, &err);
    if (status != S3STORE_OK)
        fail_msg("%s, form %d: %s: %s (where \"%s\", memory %d)", what, (int)form,
                 s3store_status_name(status), err.message, op->o.where != NULL ? op->o.where : "",
                 (int)w->k.fx.target->memory_bytes);
    compare(w, op, what);
}

static void read_patterns(world *w, operation *op)
{
    size_t count = 1 + roll(3);
    for (size_t i = 0; i < count; i++) {
        make_pattern(w, op->patterns[i], sizeof op->patterns[i], op->q.wanted);
        op->pattern_list[i] = op->patterns[i];
    }
    op->o.patterns = op->pattern_list;
    op->o.pattern_count = count;
    read_and_compare(w, op, "patterns");
}

static void read_range(world *w, operation *op)
{
    int64_t bounds[2] = {S3STORE_TIME_NONE, S3STORE_TIME_NONE};
    for (size_t i = 0; i < 2 && w->ref_count > 0; i++) {
        if (roll(3) > 0)
            bounds[i] = w->refs[roll(w->ref_count)].stamp_us + (int64_t)roll(2);
    }
    if (bounds[1] != S3STORE_TIME_NONE && bounds[0] > bounds[1])
        bounds[0] = bounds[1];
    for (size_t i = 0; i < w->ref_count; i++) {
        const ref *r = &w->refs[i];
        if (r->stamp_us >= bounds[0] && (bounds[1] == S3STORE_TIME_NONE || r->stamp_us < bounds[1]))
            op->q.wanted[r->file] = true;
    }
    op->o.range = true;
    op->o.since_us = bounds[0];
    op->o.until_us = bounds[1];
    read_and_compare(w, op, "range");
}

/* Pages of a poll: their entries are the refs; then the rows of one page. */
static void read_entries(world *w, operation *op)
{
    s3store_error err = {0};
    s3store_entries *page = NULL;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    char since[S3S_KEY_SIZE] = "";
    size_t seen = 0, wanted_page = roll(4), pages = 0, count = 0;
    poll.max_entries = 1 + (int32_t)roll(9);
    do {
        poll.since = since;
        assert_ok(s3s_poll(w->k.fx.target, &poll, &page, &err));
        count = s3store_entries_count(page);
        memset(op->q.wanted, 0, sizeof op->q.wanted);
        for (size_t i = 0; i < count; i++, seen++) {
            const s3store_entry *e = s3store_entries_get(page, i);
            assert_true(seen < w->ref_count);
            const ref *r = &w->refs[seen];
            assert_string_equal(e->ref_path, r->key);
            assert_string_equal(e->data_path, w->files[r->file].key);
            assert_string_equal(e->partition, w->files[r->file].partition);
            assert_int_equal(e->row_count, w->files[r->file].row_count);
            op->q.wanted[r->file] = true;
        }
        if (count > 0 && pages++ == wanted_page) {
            op->o.entries = page;
            read_and_compare(w, op, "entries");
        }
        snprintf(since, sizeof since, "%s", s3store_entries_next_offset(page));
        s3store_entries_free(page);
    } while (count > 0);
    assert_int_equal(seen, w->ref_count);
}

static void read_poll_records(world *w, operation *op)
{
    s3store_error err = {0};
    s3store_entries *entries = NULL;
    struct ArrowArrayStream rows = {0};
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    size_t max = 1 + roll(12), from = w->ref_count > 0 ? roll(w->ref_count) : 0, end = from;
    char since[S3S_KEY_SIZE] = "";
    op->q.mode = op->q.mode == LATEST ? HISTORY : op->q.mode;
    if (from > 0)
        snprintf(since, sizeof since, "%s", w->refs[from - 1].key);
    for (; end < w->ref_count && end - from < max; end++)
        op->q.wanted[w->refs[end].file] = true;
    poll.since = since;
    poll.max_entries = (int32_t)max;
    open_reader(w, &op->q);
    model(w, &op->q, w->expected);
    w->k.text[0] = '\0';
    assert_ok(s3s_poll_records(w->k.reader, &poll, &op->o, &entries, &rows, &err));
    if (rows.release != NULL)
        assert_ok(fixture_drain(&rows, w->k.text, KIT_TEXT, &err));
    compare(w, op, "poll_records");
    assert_int_equal(s3store_entries_count(entries), end - from);
    s3store_entries_free(entries);
}

/* The shards are the whole, each row once. */
static void read_shards(world *w, operation *op)
{
    static const char *const everything[] = {"*"};
    s3store_error err = {0};
    size_t total = 0;
    uint32_t shards = 1 + (uint32_t)roll(4);
    for (size_t i = 0; i < w->file_count; i++)
        op->q.wanted[i] = true;
    op->o.limit = op->q.limit = 0;
    op->o.patterns = everything;
    op->o.pattern_count = 1;
    op->q.heads = true;
    open_reader(w, &op->q);
    model(w, &op->q, w->expected);
    for (uint32_t s = 0; s < shards; s++) {
        op->o.shard_index = s;
        op->o.shard_count = shards;
        assert_ok(kit_partitions(&w->k, &op->o, &err));
        total += strlen(w->k.text);
        for (char *at = w->k.text; *at != '\0';) { /* each partition is there as it is in the whole */
            char *next = strchr(at + 1, '{'), keep = '\0';
            if (next != NULL) {
                keep = *next;
                *next = '\0';
            }
            assert_non_null(strstr(w->expected, at));
            at += strlen(at);
            if (next != NULL)
                *next = keep;
        }
    }
    assert_int_equal(total, strlen(w->expected));
}

static void (*const operations[])(world *, operation *) = {
    read_patterns, read_patterns, read_patterns, read_range, read_entries, read_poll_records, read_shards,
};

static void run_dataset(world *w, unsigned number, size_t count)
{
    static const char *const parts[] = {"p", "q"};
    const fixture_options options = {.partition_by = parts,
                                     .partition_by_count = 2,
                                     .max_inflight = 1 + (int)roll(8)};
    operation *op = test_malloc(sizeof *op);
    chance = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    w->file_count = w->ref_count = 0;
    w->p_count = 1 + roll(COUNT(ps));
    w->q_count = 1 + roll(COUNT(qs));
    kit_open(&w->k, &options, NULL);
    w->k.fx.target->has_descriptor = roll(4) > 0;
    size_t files = roll(24);
    for (size_t i = 0; i < files; i++)
        put_files(w);
    put_foreign(w);
    for (size_t i = 0; i < count; i++) {
        make_query(w, op);
        PICK(operations)(w, op);
    }
    for (size_t i = 0; i < w->file_count; i++) { /* gone: the snapshot does not list them */
        w->files[i].gone = w->files[i].is_alone && roll(3) == 0;
        if (w->files[i].gone)
            fixture_remove(&w->k.fx, w->files[i].key);
    }
    for (size_t i = 0; i < count / 4; i++) {
        make_query(w, op);
        PICK(operations)(w, op);
    }
    kit_close(&w->k);
    test_free(op);
}

static void test_model__whatever_is_read_is_what_the_model_says(void **state)
{
    (void)state;
    const char *full = getenv("S3S_FULL"), *one = getenv("S3S_MODEL_SEED");
    unsigned count = full != NULL && strcmp(full, "1") == 0 ? 5000 : 120;
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    for (unsigned i = one != NULL ? (unsigned)atoi(one) : 0; i < count; i++) {
        if (one != NULL || i % 100 == 0)
            print_message("dataset %u\n", i);
        run_dataset(w, i, 24);
        if (one != NULL)
            break;
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model__whatever_is_read_is_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
