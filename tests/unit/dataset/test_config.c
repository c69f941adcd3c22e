/* Timing objects, dataset.json, schema versions, and how a schema grows. */
#include "support/alloc_sweep.h"
#include "target_support.h"

#define KEY "p/_config/x"

/* ---- timing --------------------------------------------------------------------------------- */

static s3store_status parse_timing(const char *what, const char *body, int64_t *ns,
                                   s3store_error *err)
{
    return s3s_timing_parse(body, strlen(body), what, KEY, ns, err);
}

static void test_timing__unicode_white_space_around_the_value_is_ignored(void **state)
{
    static const char *const bodies[] = {
        "15s", "15s\n", " \t\n\v\f\r15s ", "\xC2\x85\xC2\xA0" "15s", "15s\xE3\x80\x80\xE2\x80\x8A",
        "\xE1\x9A\x80\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAF\xE2\x81\x9F" "15s",
    };
    s3store_error err;
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_ok(parse_timing("commit-timeout", bodies[i], &ns, &err));
        assert_int_equal(ns, 15000000000);
    }
}

static void test_timing__what_is_not_white_space_is_refused(void **state)
{
    s3store_error err;
    int64_t ns;

    (void)state;
    assert_fails(parse_timing("commit-timeout", "\xE2\x80\x8B" "15s", &ns, &err),
                 S3STORE_BAD_CONFIG, KEY); /* U+200B */
    assert_fails(parse_timing("commit-timeout", "\xEF\xBB\xBF" "15s", &ns, &err),
                 S3STORE_BAD_CONFIG, "commit-timeout"); /* byte order mark */
    /* One byte beside what is. */
    static const char *const beside[] = {
        "\xC2\x84", "\xC3\x85",     "\xE1\x9A\x81", "\xE1\x9B\x80", "\xE2\x80\x8B",
        "\xE2\x80\xA7", "\xE2\x80\xAE", "\xE2\x80\x7F", "\xE2\x81\x9E", "\xE2\x82\x9F",
        "\xE3\x80\x81", "\xE3\x81\x80", "\x08",         "\x0E",         "\xC2",
    };
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        char body[16];
        snprintf(body, sizeof body, "15s%s", beside[i]);
        assert_fails(parse_timing("commit-timeout", body, &ns, &err), S3STORE_BAD_CONFIG, KEY);
    }
    assert_fails(parse_timing("commit-timeout", "", &ns, &err), S3STORE_BAD_CONFIG, "\"\"");
    assert_fails(parse_timing("commit-timeout", " 1h 30m ", &ns, &err), S3STORE_BAD_CONFIG,
                 "1h 30m");
    assert_fails(s3s_timing_parse("15s\0", 4, "commit-timeout", KEY, &ns, &err), S3STORE_BAD_CONFIG,
                 "15s?");
    assert_string_equal(err.key, KEY);
    char wide[101] = "\x7F";
    memset(wide + 1, '7', 99);
    assert_fails(parse_timing("commit-timeout", wide, &ns, &err), S3STORE_BAD_CONFIG, "\"?777");
    assert_non_null(strstr(err.message, "777...\""));
    assert_null(strstr(err.message, "7777777777777777777777777777777777777777777777777777777777777777"));
}

static void test_timing__floors_are_named(void **state)
{
    s3store_error err;
    int64_t ns;

    (void)state;
    assert_fails(parse_timing("commit-timeout", "-100ms", &ns, &err), S3STORE_BAD_CONFIG, "floor");
    assert_fails(parse_timing("commit-timeout", "0s", &ns, &err), S3STORE_BAD_CONFIG, "floor");
    assert_fails(parse_timing("commit-timeout", "999us", &ns, &err), S3STORE_BAD_CONFIG, "floor");
    assert_ok(parse_timing("commit-timeout", "1ms", &ns, &err));
    assert_fails(parse_timing("max-clock-skew", "-1s", &ns, &err), S3STORE_BAD_CONFIG, "floor");
    assert_ok(parse_timing("max-clock-skew", "0", &ns, &err));
    assert_int_equal(ns, 0);
}

/* ---- dataset.json --------------------------------------------------------------------------- */

static s3store_status parse_descriptor(const char *text, s3s_descriptor *out, s3store_error *err)
{
    return s3s_descriptor_parse(NULL, text, strlen(text), KEY, out, err);
}

static void test_descriptor__what_is_written_reads_back(void **state)
{
    static const char text[] =
        "{\"format\": 1, \"partition_by\": [\"day=time:day\", \"net\"],"
        " \"entity\": [\"id\", \"b\"],"
        " \"version\": \"updated\", \"inserted_at_column\": \"at\", \"compression\": \"zstd\","
        " \"consistency\": \"strong-site\", \"future\": {\"x\": [1]}}";
    s3store_error err;
    s3s_descriptor a, b;
    s3s_buffer out;

    (void)state;
    assert_ok(parse_descriptor(text, &a, &err));
    s3s_buffer_init(&out, NULL, 10000);
    assert_ok(s3s_descriptor_write(&a, &out, &err));
    assert_ok(s3s_descriptor_parse(NULL, (char *)out.data, out.size, KEY, &b, &err));
    assert_int_equal(b.part_count, 2);
    assert_string_equal(b.parts[0].name, "day");
    assert_string_equal(b.parts[0].column, "time");
    assert_int_equal(b.parts[0].format, S3S_FORMAT_DAY);
    assert_string_equal(b.parts[1].name, "net");
    assert_int_equal(b.entity_count, 2);
    assert_string_equal(b.entity[1], "b");
    assert_string_equal(b.version, "updated");
    assert_string_equal(b.inserted_at_column, "at");
    assert_int_equal(b.compression, S3STORE_COMPRESSION_ZSTD);
    assert_string_equal(b.consistency, "strong-site");
    assert_ok(s3s_descriptor_agree(&a, &b, KEY, &err));
    s3s_descriptor_deinit(&a);
    s3s_descriptor_deinit(&b);
    /* One that says nothing. */
    assert_ok(parse_descriptor("{\"format\": 1}", &a, &err));
    s3s_buffer_clear(&out);
    assert_ok(s3s_descriptor_write(&a, &out, &err));
    assert_ok(s3s_descriptor_parse(NULL, (char *)out.data, out.size, KEY, &b, &err));
    assert_int_equal(b.part_count, 0);
    assert_int_equal(b.compression, S3STORE_COMPRESSION_DEFAULT);
    s3s_buffer_deinit(&out);
    s3s_descriptor_deinit(&a);
    s3s_descriptor_deinit(&b);
}

static void test_descriptor__bad_documents_name_the_key_and_the_member(void **state)
{
    static const struct {
        const char *text;
        s3store_status status;
        const char *names;
    } cases[] = {
        {"", S3STORE_BAD_CONFIG, KEY},
        {"{", S3STORE_BAD_CONFIG, KEY},
        {"[]", S3STORE_BAD_CONFIG, "object"},
        {"{}", S3STORE_BAD_CONFIG, "format"},
        {"{\"format\": \"1\"}", S3STORE_BAD_CONFIG, "format"},
        {"{\"format\": 0}", S3STORE_BAD_CONFIG, "format"},
        {"{\"format\": 2}", S3STORE_UNSUPPORTED, "format 2"},
        {"{\"format\": 1, \"partition_by\": \"day\"}", S3STORE_BAD_CONFIG, "partition_by"},
        {"{\"format\": 1, \"partition_by\": []}", S3STORE_BAD_CONFIG, "partition_by"},
        {"{\"format\": 1, \"partition_by\": [7]}", S3STORE_BAD_CONFIG, "partition_by"},
        {"{\"format\": 1, \"partition_by\": [\"a\", \"a\"]}", S3STORE_BAD_CONFIG, "twice"},
        {"{\"format\": 1, \"partition_by\": [\"a=x:nonsense\"]}", S3STORE_BAD_CONFIG,
         "partition_by"},
        {"{\"format\": 1, \"entity\": [\"\"], \"version\": \"v\"}", S3STORE_BAD_CONFIG, "entity"},
        {"{\"format\": 1, \"entity\": [\"e\"]}", S3STORE_BAD_CONFIG, "version"},
        {"{\"format\": 1, \"version\": \"v\"}", S3STORE_BAD_CONFIG, "entity"},
        {"{\"format\": 1, \"version\": 3, \"entity\": [\"e\"]}", S3STORE_BAD_CONFIG, "version"},
        {"{\"format\": 1, \"compression\": \"brotli\"}", S3STORE_BAD_CONFIG, "brotli"},
        {"{\"format\": 1, \"compression\": 3}", S3STORE_BAD_CONFIG, "compression"},
        {"{\"format\": 1, \"chunk_rows\": 0}", S3STORE_BAD_CONFIG, "chunk_rows"},
        {"{\"format\": 1, \"chunk_bytes\": \"128M\"}", S3STORE_BAD_CONFIG, "chunk_bytes"},
        {"{\"format\": 1, \"consistency\": \"a\\r\\nEvil: 1\"}", S3STORE_BAD_CONFIG, "consistency"},
        {"{\"format\": 1, \"consistency\": \"a\\u007f\"}", S3STORE_BAD_CONFIG, "printable"},
        {"{\"format\": 1, \"consistency\": \"\"}", S3STORE_BAD_CONFIG, "consistency"},
        {"{\"format\": 1, \"inserted_at_column\": \"\"}", S3STORE_BAD_CONFIG, "inserted_at_column"},
        {"{\"format\": 1, \"format\": 1}", S3STORE_BAD_CONFIG, KEY},
    };
    s3store_error err;
    s3s_descriptor d;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(parse_descriptor(cases[i].text, &d, &err), cases[i].status, cases[i].names);
        assert_string_equal(err.key, KEY);
    }
}

static void test_descriptor__no_key_has_more_than_a_thousand_columns(void **state)
{
    static char text[20000];
    size_t size = (size_t)snprintf(text, sizeof text, "{\"format\": 1, \"entity\": [\"c\"");
    s3store_error err;
    s3s_descriptor d;

    (void)state;
    for (int i = 1; i <= 1000; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, ", \"c%d\"", i);
    snprintf(text + size, sizeof text - size, "], \"version\": \"v\"}");
    assert_fails(parse_descriptor(text, &d, &err), S3STORE_BAD_CONFIG,
                 "\"entity\" is not a list of 1 to 1000 names");
}

static void check_disagreement(const char *recorded, const char *wanted, const char *names)
{
    s3store_error err;
    s3s_descriptor a, b;

    assert_ok(parse_descriptor(recorded, &a, &err));
    assert_ok(parse_descriptor(wanted, &b, &err));
    if (names == NULL)
        assert_ok(s3s_descriptor_agree(&a, &b, KEY, &err));
    else
        assert_fails(s3s_descriptor_agree(&a, &b, KEY, &err), S3STORE_BAD_CONFIG, names);
    s3s_descriptor_deinit(&a);
    s3s_descriptor_deinit(&b);
}

static void test_descriptor__a_contradiction_names_setting_and_both_values(void **state)
{
    (void)state;
    check_disagreement("{\"format\":1,\"partition_by\":[\"a\",\"b\"]}",
                       "{\"format\":1,\"partition_by\":[\"a\"]}",
                       "partition-by is \"a,b\" in p/_config/x, but \"a\"");
    check_disagreement("{\"format\":1,\"partition_by\":[\"d=t:day\"]}",
                       "{\"format\":1,\"partition_by\":[\"d=t:hour\"]}", "d=t:hour");
    check_disagreement("{\"format\":1,\"partition_by\":[\"a=a\"]}",
                       "{\"format\":1,\"partition_by\":[\"a\"]}", NULL);
    check_disagreement("{\"format\":1,\"entity\":[\"e\"],\"version\":\"v\"}",
                       "{\"format\":1,\"entity\":[\"f\"],\"version\":\"v\"}", "entity");
    check_disagreement("{\"format\":1,\"entity\":[\"e\"],\"version\":\"v\"}",
                       "{\"format\":1,\"entity\":[\"e\"],\"version\":\"w\"}", "version is \"v\"");
    check_disagreement("{\"format\":1,\"chunk_rows\":7}", "{\"format\":1,\"chunk_rows\":8}", "8");
    check_disagreement("{\"format\":1,\"chunk_bytes\":7}", "{\"format\":1,\"chunk_bytes\":8}", "8");
    check_disagreement("{\"format\":1,\"compression\":\"zstd\"}",
                       "{\"format\":1,\"compression\":\"gzip\"}", "gzip");
    check_disagreement("{\"format\":1,\"entity\":[\"e\"],\"version\":\"v\"}", "{\"format\":1}",
                       NULL);
    check_disagreement("{\"format\":1}", "{\"format\":1,\"inserted_at_column\":\"x\"}", NULL);
    check_disagreement("{\"format\":1,\"partition_by\":[\"a\"]}", "{\"format\":1}", NULL);
    check_disagreement("{\"format\":1}", "{\"format\":1,\"chunk_rows\":8}", NULL);
    check_disagreement("{\"format\":1,\"chunk_rows\":8}", "{\"format\":1,\"chunk_rows\":8}",
                       NULL);
    check_disagreement("{\"format\":1,\"compression\":\"zstd\"}", "{\"format\":1}", NULL);
}

/* The message has room for both lists, however long they are. */
static void test_descriptor__long_lists_of_columns_are_cut_in_messages(void **state)
{
    static char recorded[4000], wanted[] = "{\"format\":1,\"entity\":[\"e\"],\"version\":\"v\"}";
    size_t size = (size_t)snprintf(recorded, sizeof recorded, "{\"format\":1,\"version\":\"v\","
                                                              "\"entity\":[\"first\"");
    s3store_error err;
    s3s_descriptor a, b;

    (void)state;
    for (int i = 0; i < 40; i++)
        size += (size_t)snprintf(recorded + size, sizeof recorded - size, ",\"column-%d\"", i);
    snprintf(recorded + size, sizeof recorded - size, "]}");
    assert_ok(parse_descriptor(recorded, &a, &err));
    assert_ok(parse_descriptor(wanted, &b, &err));
    assert_fails(s3s_descriptor_agree(&a, &b, KEY, &err), S3STORE_BAD_CONFIG,
                 "entity is \"first,column-0,column-1,");
    assert_non_null(strstr(err.message, "...\" in p/_config/x, but \"e\" was given"));
    assert_null(strstr(err.message, "column-39"));
    s3s_descriptor_deinit(&a);
    s3s_descriptor_deinit(&b);
}

/* ---- schema versions ------------------------------------------------------------------------ */

static void test_schema_json__what_is_written_reads_back(void **state)
{
    static const char *const pairs[] = {
        "a", "bool", "b", "int8", "c", "uint64", "d", "double", "e", "string", "f", "binary",
        "g", "date32", "h", "timestamp(us, UTC)", "i", "timestamp(ns)", "j", "decimal(18, 6)",
        "k", "json", "l", "time(us)", "m \"\xC3\xA4\"", "float", "n", "list<item: json>", "o",
        "struct<a: int64, b: list<item: struct<c: decimal(5, 2)>>>", "p",
        "map<string, list<item: map<int8, bool>>>", NULL};
    s3store_error err;
    s3s_schema *schema = make_schema(NULL, pairs), *back;
    s3s_buffer out;
    uint32_t version;
    char text[1000], expected[1000];

    (void)state;
    s3s_buffer_init(&out, NULL, 100000);
    assert_ok(s3s_schema_json_write(schema, 7, &out, &err));
    assert_ok(s3s_schema_json_parse(NULL, (char *)out.data, out.size, KEY, &version, &back, &err));
    assert_int_equal(version, 7);
    schema_text(schema, expected, sizeof expected);
    schema_text(back, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(back->fields[10].hint, S3S_HINT_JSON);
    assert_true(back->fields[0].nullable);
    assert_true(s3s_schema_equal(schema, back)); /* in what is nested too */
    s3s_schema_release(schema);
    s3s_schema_release(back);
    s3s_buffer_deinit(&out);
}

static void test_schema_json__bad_documents_name_the_key(void **state)
{
    static const struct {
        const char *text;
        s3store_status status;
        const char *names;
    } cases[] = {
        {"x", S3STORE_BAD_CONFIG, KEY},
        {"{\"format\": 9, \"version\": 1, \"columns\": []}", S3STORE_UNSUPPORTED, "format 9"},
        {"{\"format\": 1, \"columns\": []}", S3STORE_BAD_CONFIG, "version"},
        {"{\"format\": 1, \"version\": -1, \"columns\": []}", S3STORE_BAD_CONFIG, "version"},
        {"{\"format\": 1, \"version\": 4294967296, \"columns\": []}", S3STORE_BAD_CONFIG,
         "version"},
        {"{\"format\": 1, \"version\": 1}", S3STORE_BAD_CONFIG, "columns"},
        {"{\"format\": 1, \"version\": 1, \"columns\": {}}", S3STORE_BAD_CONFIG, "columns"},
        {"{\"format\": 1, \"version\": 1, \"columns\": [{\"name\": \"a\", \"type\": \"list\"}]}",
         S3STORE_BAD_CONFIG, "a list needs"},
        {"{\"format\": 1, \"version\": 1, \"columns\": [3]}", S3STORE_BAD_CONFIG, "column 0"},
        {"{\"format\": 1, \"version\": 1, \"columns\": [{\"name\": \"a\"}]}", S3STORE_BAD_CONFIG,
         "type"},
        {"{\"format\": 1, \"version\": 1, \"columns\": [{\"name\": \"a\", \"type\": \"int7\"}]}",
         S3STORE_BAD_CONFIG, "int7"},
        {"{\"format\": 1, \"version\": 1, \"columns\": [{\"name\": \"a\", \"type\": \"int8\"},"
         "{\"name\": \"a\", \"type\": \"int8\"}]}",
         S3STORE_BAD_CONFIG, "twice"},
    };
    s3store_error err;
    s3s_schema *schema;
    uint32_t version;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(s3s_schema_json_parse(NULL, cases[i].text, strlen(cases[i].text), KEY,
                                           &version, &schema, &err),
                     cases[i].status, cases[i].names);
        assert_null(schema);
        assert_string_equal(err.key, KEY);
    }
}

/* `depth` lists in each other. */
static size_t lists_json(int depth, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size,
                                   "{\"format\":1,\"version\":1,\"columns\":[{\"name\":\"a\",");
    for (int i = 1; i < depth; i++)
        used += (size_t)snprintf(out + used, size - used, "\"type\":\"list\",\"children\":[{");
    used += (size_t)snprintf(out + used, size - used, "\"type\":\"bool\"}");
    for (int i = 1; i < depth; i++)
        used += (size_t)snprintf(out + used, size - used, "]}");
    return used + (size_t)snprintf(out + used, size - used, "]}");
}

static void test_schema_json__bad_nested_types_name_their_column(void **state)
{
    static const struct {
        const char *column, *names;
    } cases[] = {
        {"\"type\":\"list\"", "\"a\": a list needs"},
        {"\"type\":\"list\",\"children\":{}", "a list needs"},
        {"\"type\":\"list\",\"children\":[]", "a list needs"},
        {"\"type\":\"list\",\"children\":[{\"type\":\"bool\"},{\"type\":\"bool\"}]", "a list needs"},
        {"\"type\":\"list\",\"children\":[3]", "lacks its \"type\""},
        {"\"type\":\"list\",\"children\":[{\"type\":\"null\"}]", "unknown type \"null\""},
        {"\"type\":\"list\",\"children\":[{\"type\":\"large_list\"}]", "unknown type \"large_list\""},
        {"\"type\":\"list<bool>\"", "unknown type \"list<bool>\""},
        {"\"type\":\"struct\",\"children\":[]", "a struct needs"},
        {"\"type\":\"struct\",\"children\":[{\"type\":\"bool\"}]", "member 0 of a struct lacks"},
        {"\"type\":\"struct\",\"children\":[{\"name\":\"x\",\"type\":\"bool\"},"
         "{\"name\":\"x\",\"type\":\"int8\"}]",
         "\"x\" is there twice"},
        {"\"type\":\"struct\",\"children\":[{\"name\":\"x\",\"type\":\"bool\"},"
         "{\"name\":\"x\",\"type\":\"int8\"},{\"name\":\"y\",\"type\":\"int8\"}]",
         "\"x\" is there twice"},
        {"\"type\":\"struct\",\"children\":[{\"name\":\"x\",\"type\":\"int7\"},"
         "{\"name\":\"y\",\"type\":\"int8\"}]",
         "unknown type \"int7\""},
        {"\"type\":\"map\",\"children\":[{\"type\":\"int7\"},{\"type\":\"bool\"}]",
         "unknown type \"int7\""},
        {"\"type\":\"map\",\"children\":[{\"type\":\"bool\"}]", "a map needs"},
        {"\"type\":\"map\",\"children\":[{\"type\":\"bool\"},{\"type\":\"map\"}]", "a map needs"},
    };
    s3store_error err;
    s3s_schema *schema;
    uint32_t version;
    char text[8192];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text,
                 "{\"format\":1,\"version\":1,\"columns\":[{\"name\":\"a\",%s}]}", cases[i].column);
        assert_fails(s3s_schema_json_parse(NULL, text, strlen(text), KEY, &version, &schema, &err),
                     S3STORE_BAD_CONFIG, cases[i].names);
        assert_null(schema);
        assert_string_equal(err.key, KEY);
        assert_non_null(strstr(err.message, "\"a\""));
    }
    /* A file holds 64 levels, of which a list is two. */
    size_t size = lists_json(32, text, sizeof text);
    assert_ok(s3s_schema_json_parse(NULL, text, size, KEY, &version, &schema, &err));
    s3s_schema_release(schema);
    size = lists_json(33, text, sizeof text);
    assert_fails(s3s_schema_json_parse(NULL, text, size, KEY, &version, &schema, &err),
                 S3STORE_BAD_CONFIG, "\"a\" is nested deeper than 64 levels");
    size = lists_json(200, text, sizeof text);
    assert_fails(s3s_schema_json_parse(NULL, text, size, KEY, &version, &schema, &err),
                 S3STORE_BAD_CONFIG, "144");
}

static void test_schema_json__what_has_no_known_type_is_not_recorded(void **state)
{
    static const char *const types[][2] = {
        {"list<null>", "\"a\": the type of what it holds is not known (every \"item\""},
        {"map<string, null>", "every \"value\""},
        {"struct<x: int8, y: list<null>>", "every \"item\""},
    };
    s3store_error err;
    s3s_buffer out;

    (void)state;
    char deep[500] = "", deeper[512];
    for (int i = 0; i < 31; i++)
        strcat(deep, i % 2 ? "list<" : "map<int8, ");
    strcat(deep, "bool");
    for (int i = 0; i < 31; i++)
        strcat(deep, ">");
    snprintf(deeper, sizeof deeper, "list<%s>", deep);
    s3s_buffer_init(&out, NULL, 100000);
    for (int i = 0; i < 2; i++) {
        const char *const pairs[] = {"a", i == 0 ? deep : deeper, NULL};
        s3s_schema *schema = make_schema(NULL, pairs);
        if (i == 0)
            assert_ok(s3s_schema_json_write(schema, 1, &out, &err));
        else
            assert_fails(s3s_schema_json_write(schema, 1, &out, &err), S3STORE_UNSUPPORTED,
                         "\"a\" is nested deeper than 64 levels");
        s3s_schema_release(schema);
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *const pairs[] = {"a", types[i][0], NULL};
        s3s_schema *schema = make_schema(NULL, pairs);
        assert_fails(s3s_schema_json_write(schema, 1, &out, &err), S3STORE_UNSUPPORTED,
                     types[i][1]);
        s3s_schema_release(schema);
    }
    const char *const pairs[] = {"a", "struct<x: int8>", "b", "int8", NULL};
    s3s_schema *empty = make_schema(NULL, pairs);
    empty->fields[0].child_count = 0;
    assert_fails(s3s_schema_json_write(empty, 1, &out, &err), S3STORE_UNSUPPORTED,
                 "column \"a\": a struct without members cannot be recorded");
    s3s_schema_release(empty);
    /* Arrow has decimals whose scale no text can name. */
    const char *const far[] = {"a", "decimal(5, 2)", NULL};
    s3s_schema *decimals = make_schema(NULL, far);
    decimals->fields[0].scale = 60;
    assert_fails(s3s_schema_json_write(decimals, 1, &out, &err), S3STORE_UNSUPPORTED,
                 "column \"a\" has the type decimal(5, 60), which a dataset cannot record");
    s3s_schema_release(decimals);
    s3s_buffer_deinit(&out);
}

/* How to show a value, not what it is. */
static void test_schema_json__an_unknown_hint_is_left_out(void **state)
{
    static const char text[] = "{\"format\": 1, \"version\": 3, \"columns\": ["
                               "{\"name\": \"a\", \"type\": \"string\", \"hint\": \"yaml\"},"
                               "{\"name\": \"b\", \"type\": \"string\", \"hint\": 7},"
                               "{\"name\": \"c\", \"type\": \"string\", \"hint\": \"enum\"}]}";
    s3store_error err;
    s3s_schema *schema;
    uint32_t version;

    (void)state;
    assert_ok(s3s_schema_json_parse(NULL, text, strlen(text), KEY, &version, &schema, &err));
    assert_int_equal(schema->fields[0].hint, S3S_HINT_NONE);
    assert_int_equal(schema->fields[1].hint, S3S_HINT_NONE);
    assert_int_equal(schema->fields[2].hint, S3S_HINT_ENUM);
    s3s_schema_release(schema);
}

static void test_schema_json__more_than_ten_thousand_columns_are_refused(void **state)
{
    enum { COLUMNS = 10001 };
    s3store_error err;
    s3s_schema *schema;
    s3s_buffer text;
    uint32_t version;

    (void)state;
    s3s_buffer_init(&text, NULL, 1 << 20);
    assert_ok(s3s_buffer_printf(&text, &err, "{\"format\": 1, \"version\": 1, \"columns\": ["));
    for (int i = 0; i < COLUMNS; i++)
        assert_ok(s3s_buffer_printf(&text, &err, "%s{\"name\": \"%d\", \"type\": \"int8\"}",
                                    i > 0 ? "," : "", i));
    assert_ok(s3s_buffer_printf(&text, &err, "]}"));
    assert_fails(s3s_schema_json_parse(NULL, (const char *)text.data, text.size, KEY, &version,
                                       &schema, &err),
                 S3STORE_BAD_CONFIG, KEY ": a JSON object or array has more than 10000");
    assert_null(schema);
    s3s_buffer_deinit(&text);
}

/* ---- growth --------------------------------------------------------------------------------- */

/* have + in -> expected (NULL = refused). */
static void check_join(const char *have, const char *in, const char *expected)
{
    const char *const have_pairs[] = {"c", have, NULL}, *const in_pairs[] = {"c", in, NULL};
    s3store_error err;
    s3s_schema *a = make_schema(NULL, have_pairs), *b = make_schema(NULL, in_pairs), *out;
    bool grown;
    char text[200], wanted[200];

    if (expected == NULL) {
        assert_fails(s3s_schema_evolve(NULL, a, b, &out, &grown, &err), S3STORE_SCHEMA_MISMATCH,
                     "\"c\"");
        assert_non_null(strstr(err.message, have));
        assert_non_null(strstr(err.message, in));
        assert_null(out);
    } else {
        assert_ok(s3s_schema_evolve(NULL, a, b, &out, &grown, &err));
        schema_text(out, text, sizeof text);
        snprintf(wanted, sizeof wanted, "c %s", expected);
        assert_string_equal(text, wanted);
        assert_int_equal(grown, strcmp(have, expected) != 0);
        s3s_schema_release(out);
    }
    s3s_schema_release(a);
    s3s_schema_release(b);
}

static void test_evolve__types_widen_without_loss_and_never_narrow(void **state)
{
    static const char *const cases[][3] = {
        {"int8", "int8", "int8"},
        {"int8", "int32", "int32"},
        {"int64", "int8", "int64"},
        {"uint8", "uint32", "uint32"},
        {"uint8", "int8", "int16"},
        {"int8", "uint8", "int16"},
        {"int32", "uint32", "int64"},
        {"uint32", "int64", "int64"},
        {"int64", "uint32", "int64"},
        {"int64", "uint64", "int64"},
        {"uint64", "int64", "uint64"},
        {"int64", "uint8", "int64"},
        {"uint8", "int64", "int64"},
        {"int16", "uint16", "int32"},
        {"int8", "uint64", "int64"},
        {"int8", "float", "float"},
        {"int32", "float", "double"},
        {"int64", "double", "double"},
        {"uint64", "double", "double"},
        {"double", "int64", "double"},
        {"float", "int64", "float"},
        {"float", "double", "double"},
        {"double", "float", "double"},
        {"float16", "int64", "double"},
        {"float16", "int16", "float"},
        {"float16", "float", "float"},
        {"float", "float16", "float"},
        {"int16", "float16", "float"},
        {"timestamp(us, UTC)", "timestamp(ns, UTC)", "timestamp(ns, UTC)"},
        {"timestamp(ns, UTC)", "timestamp(s, UTC)", "timestamp(ns, UTC)"},
        {"timestamp(us, UTC)", "timestamp(us)", NULL},
        {"timestamp(us, UTC)", "date", NULL},
        {"string", "large_string", "string"},
        {"large_binary", "binary", "large_binary"},
        {"string", "json", "string"},
        {"string", "null", "string"},
        {"null", "string", "string"},
        {"binary", "string", NULL},
        {"string", "binary", NULL},
        {"string", "int64", NULL},
        {"int64", "string", NULL},
        {"int64", "bool", NULL},
        {"double", "string", NULL},
        {"date", "timestamp(us, UTC)", NULL},
        {"decimal(18, 6)", "decimal(18, 6)", "decimal(18, 6)"},
        {"decimal(18, 6)", "decimal(18, 7)", NULL},
        {"list<item: int8>", "large_list<x: int64>", "list<item: int64>"},
        {"list<item: string>", "list<item: null>", "list<item: string>"},
        {"list<item: null>", "list<item: string>", "list<item: string>"},
        {"list<item: string>", "string", NULL},
        {"struct<a: int8>", "map<string, int8>", NULL},
        {"list<item: int8>", "null", "list<item: int8>"},
        {"null", "large_list<x: struct<a: int8>>", "list<item: struct<a: int8>>"},
        {"struct<a: int8, b: string>", "struct<c: bool, a: int16, n: null>",
         "struct<a: int16, b: string, c: bool>"},
        {"struct<a: int8, b: string>", "struct<b: string>", "struct<a: int8, b: string>"},
        {"struct<a: list<item: struct<b: timestamp(s)>>>",
         "struct<a: list<item: struct<b: timestamp(ms), c: double>>>",
         "struct<a: list<item: struct<b: timestamp(ms), c: double>>>"},
        {"map<int8, float>", "map<int16, double>", "map<int16, double>"},
        {"map<int8, float>", "list<item: float>", NULL},
        {"string", "list<item: string>", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_join(cases[i][0], cases[i][1], cases[i][2]);
}

static void test_evolve__new_columns_follow_and_unknown_ones_are_left_out(void **state)
{
    static const char *const have[] = {"b", "int64", "a", "string", NULL};
    static const char *const in[] = {"x", "null", "a", "string", "z", "bool", "y", "date", NULL};
    s3store_error err;
    s3s_schema *recorded = make_schema(NULL, have), *incoming = make_schema(NULL, in), *out;
    bool grown;
    char text[200];

    (void)state;
    incoming->fields[2].nullable = false;
    assert_ok(s3s_schema_evolve(NULL, recorded, incoming, &out, &grown, &err));
    schema_text(out, text, sizeof text);
    assert_string_equal(text, "b int64, a string, z bool, y date");
    assert_true(grown);
    assert_true(out->fields[2].nullable);
    s3s_schema_release(out);
    /* From nothing. */
    assert_ok(s3s_schema_evolve(NULL, NULL, incoming, &out, &grown, &err));
    schema_text(out, text, sizeof text);
    assert_string_equal(text, "a string, z bool, y date");
    assert_true(grown);
    s3s_schema_release(out);
    /* Fewer columns: nothing new. */
    assert_ok(s3s_schema_evolve(NULL, incoming, recorded, &out, &grown, &err));
    assert_true(grown); /* b is new there */
    s3s_schema_release(out);
    s3s_schema_release(recorded);
    s3s_schema_release(incoming);
}

static void test_evolve__nested_mismatches_name_the_path(void **state)
{
    static const char *const cases[][3] = {
        {"list<string>", "list<int8>", "\"c.item\" is recorded as string, but the data have int8"},
        {"struct<a: list<struct<b: date>>>", "struct<a: list<struct<b: int8>>>", "\"c.a.item.b\""},
        {"map<string, int8>", "map<int8, int8>", "\"c.key\""},
        {"map<string, list<bool>>", "map<string, bool>", "\"c.value\" is recorded as list<item: bool>"},
    };
    s3store_error err;
    s3s_schema *out;
    bool grown;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const have[] = {"c", cases[i][0], NULL}, *const in[] = {"c", cases[i][1], NULL};
        s3s_schema *a = make_schema(NULL, have), *b = make_schema(NULL, in);
        assert_fails(s3s_schema_evolve(NULL, a, b, &out, &grown, &err), S3STORE_SCHEMA_MISMATCH,
                     cases[i][2]);
        assert_null(out);
        assert_false(grown);
        s3s_schema_release(a);
        s3s_schema_release(b);
    }
}

/* Names of any length, and none: the message is cut, and says what fits. */
static void test_evolve__a_long_path_is_cut(void **state)
{
    static char have[2000], in[2000], name[700];
    s3store_error err;
    s3s_schema *out;
    bool grown;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    snprintf(have, sizeof have, "struct<%s: struct<%s: int8>>", name, name);
    snprintf(in, sizeof in, "struct<%s: struct<%s: bool>>", name, name);
    const char *const pairs[][3] = {{"c", have, NULL}, {"c", in, NULL},
                                    {"", "struct<x: int8>", NULL}, {"", "struct<x: bool>", NULL}};
    for (size_t i = 0; i < 4; i += 2) {
        s3s_schema *a = make_schema(NULL, pairs[i]), *b = make_schema(NULL, pairs[i + 1]);
        assert_fails(s3s_schema_evolve(NULL, a, b, &out, &grown, &err), S3STORE_SCHEMA_MISMATCH,
                     i == 0 ? "c.nnnn" : "\"x\" is recorded as int8");
        assert_null(out);
        s3s_schema_release(a);
        s3s_schema_release(b);
    }
}

/* What somebody else recorded in another form is brought into it, though the data add nothing. */
static void test_evolve__a_recorded_form_that_is_none_is_corrected(void **state)
{
    static const char *const pairs[] = {"a", "list<item: int8>", "b", "map<int8, bool>", "c", "int8",
                                        NULL};
    s3store_error err;
    s3s_schema *incoming = make_schema(NULL, pairs), *out;
    bool grown;

    (void)state;
    for (int i = 0; i < 5; i++) {
        s3s_schema *recorded = make_schema(NULL, pairs);
        s3s_field *f = recorded->fields;
        if (i == 0)
            f[0].children[0].nullable = false;
        else if (i == 1)
            f[1].children[0].nullable = true; /* the entries of a map */
        else if (i == 2)
            f[1].children[0].children[0].nullable = true; /* their keys */
        else if (i == 3)
            f[1].children[0].children[1].nullable = false;
        else
            f[2].nullable = false;
        assert_ok(s3s_schema_evolve(NULL, recorded, incoming, &out, &grown, &err));
        assert_ptr_not_equal(out, recorded);
        assert_true(out->fields[0].children[0].nullable);
        assert_false(out->fields[1].children[0].nullable);
        assert_false(out->fields[1].children[0].children[0].nullable);
        assert_true(out->fields[1].children[0].children[1].nullable);
        assert_true(out->fields[2].nullable);
        s3s_schema_release(out);
        s3s_schema_release(recorded);
    }
    s3s_schema_release(incoming);
}

/* Members that are null everywhere stay where there are no others: a struct has one at least. */
static void test_evolve__a_struct_of_unknown_members_keeps_them(void **state)
{
    static const char *const in[] = {"a", "struct<n: null, m: null>", NULL};
    s3store_error err;
    s3s_schema *incoming = make_schema(NULL, in), *out;
    s3s_buffer text;
    bool grown;

    (void)state;
    assert_ok(s3s_schema_evolve(NULL, NULL, incoming, &out, &grown, &err));
    assert_int_equal(out->fields[0].child_count, 2);
    s3s_buffer_init(&text, NULL, 1000);
    assert_fails(s3s_schema_json_write(out, 1, &text, &err), S3STORE_UNSUPPORTED, "every \"n\"");
    s3s_buffer_deinit(&text);
    s3s_schema_release(out);
    s3s_schema_release(incoming);
}

/* Whatever producers say: lists have short offsets, everything is nullable but keys. */
static void test_evolve__nested_types_take_the_form_that_is_recorded(void **state)
{
    static const char *const in[] = {"a", "struct<l: large_list<element: int8>, n: null>", "m",
                                     "map<string, struct<x: bool>>", NULL};
    static const char *const wanted[] = {"a", "struct<l: list<item: int8>>", "m",
                                         "map<string, struct<x: bool>>", NULL};
    s3store_error err;
    s3s_schema *incoming = make_schema(NULL, in), *expected = make_schema(NULL, wanted);
    s3s_schema *out, *again;
    bool grown;

    (void)state;
    incoming->fields[0].children[0].nullable = false;
    incoming->fields[0].children[0].children[0].nullable = false;
    incoming->fields[1].children[0].nullable = true;
    incoming->fields[1].children[0].children[0].nullable = true;
    incoming->fields[1].children[0].children[1].children[0].nullable = false;
    assert_ok(s3s_schema_evolve(NULL, NULL, incoming, &out, &grown, &err));
    assert_true(grown);
    assert_true(s3s_schema_equal(out, expected));
    /* It is that of the same data again, which change nothing. */
    assert_ok(s3s_schema_evolve(NULL, out, incoming, &again, &grown, &err));
    assert_false(grown);
    assert_true(s3s_schema_equal(out, again));
    s3s_schema_release(again);
    assert_ok(s3s_schema_evolve(NULL, out, expected, &again, &grown, &err));
    assert_false(grown);
    assert_ptr_equal(again, out);
    s3s_schema_release(again);
    s3s_schema_release(out);
    s3s_schema_release(incoming);
    s3s_schema_release(expected);
}

static void test_evolve__a_column_twice_is_refused(void **state)
{
    static const char *const in[] = {"a", "int64", "b", "bool", "a", "int64", NULL};
    s3store_error err;
    s3s_schema *incoming = make_schema(NULL, in), *out;
    bool grown;

    (void)state;
    assert_fails(s3s_schema_evolve(NULL, NULL, incoming, &out, &grown, &err),
                 S3STORE_INVALID_ARGUMENT, "\"a\"");
    s3s_schema_release(incoming);
}

static s3s_schema *many_columns(size_t count, const char *first)
{
    s3store_error err;
    s3s_schema *schema;

    assert_ok(s3s_schema_new(NULL, count, &schema, &err));
    for (size_t i = 0; i < count; i++) {
        schema->fields[i].type = S3S_TYPE_BOOL;
        schema->fields[i].nullable = true;
        schema->fields[i].name = s3s_arena_printf(&schema->arena, "%s%zu", first, i);
        assert_non_null(schema->fields[i].name);
    }
    return schema;
}

static void test_evolve__a_dataset_has_ten_thousand_columns_at_most(void **state)
{
    s3store_error err;
    s3s_schema *full = many_columns(10000, "c"), *more = many_columns(10001, "c");
    s3s_schema *other = many_columns(1, "d"), *out;
    bool grown;

    (void)state;
    assert_ok(s3s_schema_evolve(NULL, full, full, &out, &grown, &err));
    assert_false(grown);
    s3s_schema_release(out);
    assert_ok(s3s_schema_evolve(NULL, NULL, full, &out, &grown, &err));
    assert_int_equal(out->field_count, 10000);
    s3s_schema_release(out);
    assert_fails(s3s_schema_evolve(NULL, full, other, &out, &grown, &err), S3STORE_LIMIT_EXCEEDED,
                 "the dataset would have more than 10000 columns");
    assert_null(out);
    assert_false(grown);
    assert_fails(s3s_schema_evolve(NULL, NULL, more, &out, &grown, &err), S3STORE_LIMIT_EXCEEDED,
                 "more than 10000 columns");
    /* Also where a version says so that somebody else recorded: it is not even compared. */
    assert_fails(s3s_schema_evolve(NULL, more, more, &out, &grown, &err), S3STORE_LIMIT_EXCEEDED,
                 "more than 10000 columns");
    /* A struct has as many members. */
    static const char *const of_one[] = {"s", "struct<d: bool>", NULL};
    s3s_schema *have = make_schema(NULL, of_one), *in = make_schema(NULL, of_one);
    in->fields[0].children = full->fields;
    in->fields[0].child_count = full->field_count;
    assert_fails(s3s_schema_evolve(NULL, have, in, &out, &grown, &err), S3STORE_LIMIT_EXCEEDED,
                 "a struct would have more than 10000 members");
    assert_null(out);
    s3s_schema_release(in);
    s3s_schema_release(have);
    s3s_schema_release(full);
    s3s_schema_release(more);
    s3s_schema_release(other);
}

/* ---- allocations ---------------------------------------------------------------------------- */

static s3store_status sweep_evolve(void *ctx, s3s_env *env, s3store_error *err)
{
    static const char *const have[] = {"a", "int64", "b", "struct<x: int8>", "c", "int8", NULL};
    static const char *const in[] = {"c", "int32", "d", "map<int8, struct<z: bool>>",
                                     "a", "int64", "b", "struct<x: int8, y: list<int8>>", NULL};
    s3s_schema *recorded = make_schema(NULL, have), *incoming = make_schema(NULL, in), *out;
    bool grown;
    s3store_status status = s3s_schema_evolve(env, recorded, incoming, &out, &grown, err);

    (void)ctx;
    assert_true((out != NULL) == (status == S3STORE_OK));
    s3s_schema_release(out);
    s3s_schema_release(recorded);
    s3s_schema_release(incoming);
    return status;
}

static const char descriptor_text[] =
    "{\"format\": 1, \"partition_by\": [\"a\", \"d=t:day\"], \"entity\": [\"e\", \"f\"],"
    " \"version\": \"v\", \"inserted_at_column\": \"i\", \"compression\": \"zstd\","
    " \"consistency\": \"all\"}";

static s3store_status sweep_descriptor(void *ctx, s3s_env *env, s3store_error *err)
{
    s3s_descriptor d;
    s3store_status status =
        s3s_descriptor_parse(env, descriptor_text, strlen(descriptor_text), KEY, &d, err);

    (void)ctx;
    if (status == S3STORE_OK)
        s3s_descriptor_deinit(&d);
    return status;
}

static s3store_status sweep_schema_json(void *ctx, s3s_env *env, s3store_error *err)
{
    static const char text[] =
        "{\"format\": 1, \"version\": 1, \"columns\": [{\"name\": \"a\", \"type\": \"int64\"},"
        " {\"name\": \"b\", \"type\": \"struct\", \"children\": [{\"name\": \"x\", \"type\":"
        " \"list\", \"children\": [{\"type\": \"bool\"}]}]}, {\"name\": \"c\", \"type\": \"map\","
        " \"children\": [{\"type\": \"int8\"}, {\"type\": \"date\"}]}]}";
    uint32_t version;
    s3s_schema *schema;
    s3store_status status =
        s3s_schema_json_parse(env, text, strlen(text), KEY, &version, &schema, err);

    (void)ctx;
    assert_true((schema != NULL) == (status == S3STORE_OK));
    s3s_schema_release(schema);
    return status;
}

static void test_config__every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    alloc_steps(sweep_evolve, NULL);
    alloc_steps(sweep_descriptor, NULL);
    alloc_steps(sweep_schema_json, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timing__unicode_white_space_around_the_value_is_ignored),
        cmocka_unit_test(test_timing__what_is_not_white_space_is_refused),
        cmocka_unit_test(test_timing__floors_are_named),
        cmocka_unit_test(test_descriptor__what_is_written_reads_back),
        cmocka_unit_test(test_descriptor__bad_documents_name_the_key_and_the_member),
        cmocka_unit_test(test_descriptor__a_contradiction_names_setting_and_both_values),
        cmocka_unit_test(test_schema_json__what_is_written_reads_back),
        cmocka_unit_test(test_descriptor__no_key_has_more_than_a_thousand_columns),
        cmocka_unit_test(test_descriptor__long_lists_of_columns_are_cut_in_messages),
        cmocka_unit_test(test_schema_json__bad_documents_name_the_key),
        cmocka_unit_test(test_schema_json__an_unknown_hint_is_left_out),
        cmocka_unit_test(test_schema_json__more_than_ten_thousand_columns_are_refused),
        cmocka_unit_test(test_evolve__types_widen_without_loss_and_never_narrow),
        cmocka_unit_test(test_evolve__new_columns_follow_and_unknown_ones_are_left_out),
        cmocka_unit_test(test_evolve__a_column_twice_is_refused),
        cmocka_unit_test(test_schema_json__bad_nested_types_name_their_column),
        cmocka_unit_test(test_schema_json__what_has_no_known_type_is_not_recorded),
        cmocka_unit_test(test_evolve__nested_mismatches_name_the_path),
        cmocka_unit_test(test_evolve__a_long_path_is_cut),
        cmocka_unit_test(test_evolve__a_recorded_form_that_is_none_is_corrected),
        cmocka_unit_test(test_evolve__a_struct_of_unknown_members_keeps_them),
        cmocka_unit_test(test_evolve__nested_types_take_the_form_that_is_recorded),
        cmocka_unit_test(test_evolve__a_dataset_has_ten_thousand_columns_at_most),
        cmocka_unit_test(test_config__every_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
