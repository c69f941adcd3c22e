/* parquet/describe.c: what a file is made of, for people and for tools. */
#include "parquet/describe.h"

#include <stdio.h>

#include "base/error.h"
#include "parquet/encoding/values.h"
#include "parquet/page.h"

#define WINDOW ((size_t)256 << 10)
#define DEPTH_MAX 66 /* as the schema was checked */

typedef struct description {
    s3s_parquet_file *file;
    s3s_lines lines;
    s3s_buffer bound;
    const size_t *columns;
    size_t column_count;
} description;

static bool wanted(const description *d, size_t column)
{
    for (size_t i = 0; d->columns != NULL && i < d->column_count; i++)
        if (d->columns[i] == column)
            return true;
    return d->columns == NULL;
}

/* ---- schema ---------------------------------------------------------------------------------- */

static const char *repetition_name(int32_t repetition)
{
    static const char *const names[] = {"required", "optional", "repeated"};
    return repetition >= 0 && repetition < 3 ? names[repetition] : "?";
}

static void schema_text(description *d, const s3s_pq_schema_element *e, size_t depth, bool leaf)
{
    char note[64];
    s3s_annotation_text(e, note, sizeof note);
    const char *type = leaf ? s3s_physical_name(e->type) : "group";
    char length[24] = "";
    if (leaf && e->type == S3S_PQ_FIXED)
        snprintf(length, sizeof length, "(%d)", (int)e->type_length);
    s3s_line_plain(&d->lines, "%*s%s %s%s %.*s%s%s%s%s", (int)(2 * depth), "",
                   repetition_name(e->repetition), type, length, (int)e->name.size,
                   (const char *)e->name.data, note[0] != '\0' ? " (" : "", note,
                   note[0] != '\0' ? ")" : "", leaf ? ";" : " {");
}

static void schema_json(description *d, const s3s_pq_schema_element *e, size_t depth,
                        const s3s_leaf *leaf)
{
    char text[256];
    s3s_lines *l = &d->lines;
    s3s_line_begin(l, 0, leaf != NULL ? "column" : "group");
    s3s_line_text(l, "name", e->name.data, e->name.size);
    s3s_line_int(l, "depth", (int64_t)depth);
    s3s_line_word(l, "repetition", repetition_name(e->repetition));
    if (leaf != NULL) {
        s3s_line_word(l, "path", leaf->path);
        s3s_line_word(l, "physical", s3s_physical_name(e->type));
        if (e->type == S3S_PQ_FIXED)
            s3s_line_int(l, "type_length", e->type_length);
    }
    s3s_annotation_text(e, text, sizeof text);
    if (text[0] != '\0')
        s3s_line_word(l, "logical", text);
    if (S3S_PQ_HAS(e, S3S_ELEMENT_FIELD_ID))
        s3s_line_int(l, "field_id", e->field_id);
    if (leaf != NULL) {
        s3s_line_int(l, "max_definition_level", leaf->max_def);
        s3s_line_int(l, "max_repetition_level", leaf->max_rep);
        s3s_line_word(l, "arrow", s3s_field_type_text(leaf->field, text, sizeof text));
    }
    s3s_line_end(l);
}

static void describe_schema(description *d)
{
    const s3s_file_schema *schema = &d->file->schema;
    const s3s_pq_schema_element *e = d->file->footer.schema.items;
    size_t left[DEPTH_MAX + 1] = {schema->schema->field_count}, depth = 0, leaf = 0, column = 0;
    if (!d->lines.json)
        s3s_line_plain(&d->lines, "message %.*s {", (int)e->name.size, (const char *)e->name.data);
    for (size_t i = 1; i < d->file->footer.schema.count && d->lines.status == S3STORE_OK; i++) {
        bool is_leaf = !S3S_PQ_HAS(&e[i], S3S_ELEMENT_NUM_CHILDREN) || e[i].num_children <= 0;
        if (depth == 0)
            column = schema->schema->field_count - left[0];
        left[depth]--;
        if (wanted(d, column) && d->lines.json)
            schema_json(d, &e[i], depth + 1, is_leaf ? &schema->leaves[leaf] : NULL);
        else if (wanted(d, column))
            schema_text(d, &e[i], depth + 1, is_leaf);
        leaf += is_leaf;
        if (!is_leaf && depth < DEPTH_MAX)
            left[++depth] = (size_t)e[i].num_children;
        while (depth > 0 && left[depth] == 0) {
            if (wanted(d, column) && !d->lines.json)
                s3s_line_plain(&d->lines, "%*s}", (int)(2 * depth), "");
            depth--;
        }
    }
    if (!d->lines.json)
        s3s_line_plain(&d->lines, "}");
}

/* ---- footer ---------------------------------------------------------------------------------- */

static void put_bound(description *d, const char *name, const s3s_leaf *leaf,
                      const s3s_thrift_binary *bound)
{
    bool valid;
    s3store_status status = s3s_bound_text(leaf, bound, &valid, &d->bound, d->lines.err);
    s3s_line_keep(&d->lines, status);
    if (status == S3STORE_OK && valid)
        s3s_line_text(&d->lines, name, d->bound.data != NULL ? d->bound.data : (uint8_t *)"",
                      d->bound.size);
}

static void put_statistics(description *d, const s3s_leaf *leaf, const s3s_pq_statistics *s)
{
    if (S3S_PQ_HAS(s, S3S_STATS_NULL_COUNT))
        s3s_line_int(&d->lines, "nulls", s->null_count);
    if (S3S_PQ_HAS(s, S3S_STATS_DISTINCT_COUNT))
        s3s_line_int(&d->lines, "distinct", s->distinct_count);
    if (S3S_PQ_HAS(s, S3S_STATS_MIN_VALUE))
        put_bound(d, "min", leaf, &s->min_value);
    else if (S3S_PQ_HAS(s, S3S_STATS_MIN))
        put_bound(d, "old_min", leaf, &s->min);
    if (S3S_PQ_HAS(s, S3S_STATS_MAX_VALUE))
        put_bound(d, "max", leaf, &s->max_value);
    else if (S3S_PQ_HAS(s, S3S_STATS_MAX))
        put_bound(d, "old_max", leaf, &s->max);
}

static void describe_file(description *d)
{
    const s3s_pq_footer *f = &d->file->footer;
    s3s_lines *l = &d->lines;
    s3s_line_begin(l, 0, "file");
    s3s_line_word(l, "name", d->file->name);
    s3s_line_int(l, "bytes", (int64_t)d->file->source.file_size);
    s3s_line_int(l, "footer_bytes",
                 (int64_t)(d->file->source.file_size - S3S_PQ_TAIL_SIZE - d->file->footer_at));
    s3s_line_int(l, "version", f->version);
    s3s_line_int(l, "rows", f->num_rows);
    s3s_line_int(l, "row_groups", (int64_t)f->row_groups.count);
    s3s_line_int(l, "columns", (int64_t)d->file->schema.leaf_count);
    if (S3S_PQ_HAS(f, S3S_FOOTER_CREATED_BY))
        s3s_line_text(l, "created_by", f->created_by.data, f->created_by.size);
    s3s_line_end(l);
    const s3s_pq_key_value *pair = f->key_values.items;
    for (size_t i = 0; i < f->key_values.count && l->status == S3STORE_OK; i++, pair++) {
        s3s_line_begin(l, 1, "key_value");
        s3s_line_text(l, "key", pair->key.data, pair->key.size);
        s3s_line_int(l, "bytes", (int64_t)pair->value.size);
        s3s_line_end(l);
    }
}

static void describe_group(description *d, size_t group)
{
    const s3s_pq_row_group *g = s3s_parquet_group(d->file, group);
    s3s_lines *l = &d->lines;
    s3s_line_begin(l, 0, "row_group");
    s3s_line_int(l, "index", (int64_t)group);
    s3s_line_int(l, "rows", g->num_rows);
    s3s_line_int(l, "bytes", g->total_byte_size);
    if (S3S_PQ_HAS(g, S3S_GROUP_COMPRESSED))
        s3s_line_int(l, "compressed_bytes", g->total_compressed_size);
    const s3s_pq_sorting *sorting = g->sorting.items;
    for (size_t i = 0; i < g->sorting.count; i++)
        if (sorting[i].column >= 0 && (size_t)sorting[i].column < d->file->schema.leaf_count)
            s3s_line_word(l, "sorted_by", d->file->schema.leaves[sorting[i].column].path);
    s3s_line_end(l);
}

static void describe_chunk(description *d, size_t group, size_t index)
{
    const s3s_leaf *leaf = &d->file->schema.leaves[index];
    const s3s_pq_chunk *chunk =
        (const s3s_pq_chunk *)s3s_parquet_group(d->file, group)->columns.items + index;
    const s3s_pq_column *c = &chunk->column;
    const char *encodings[10];
    size_t count = 0;
    s3s_lines *l = &d->lines;
    for (size_t i = 0; i < c->encodings.count && count < 10; i++)
        encodings[count++] = s3s_encoding_name(((const int32_t *)c->encodings.items)[i]);
    s3s_line_begin(l, 1, "column");
    s3s_line_word(l, "path", leaf->path);
    if (l->json)
        s3s_line_int(l, "row_group", (int64_t)group);
    s3s_line_word(l, "physical", s3s_physical_name(c->type));
    s3s_line_word(l, "codec", s3s_codec_name(c->codec));
    s3s_line_words(l, "encodings", encodings, count);
    s3s_line_int(l, "values", c->num_values);
    s3s_line_int(l, "compressed_bytes", c->compressed_size);
    s3s_line_int(l, "bytes", c->uncompressed_size);
    if (S3S_PQ_HAS(c, S3S_COLUMN_STATS))
        put_statistics(d, leaf, &c->statistics);
    if (S3S_PQ_HAS(c, S3S_COLUMN_DICT_OFFSET))
        s3s_line_int(l, "dictionary_at", c->dictionary_page_offset);
    s3s_line_int(l, "data_at", c->data_page_offset);
    if (S3S_PQ_HAS(chunk, S3S_CHUNK_COLUMN_INDEX))
        s3s_line_int(l, "column_index_at", chunk->column_index_offset);
    if (S3S_PQ_HAS(chunk, S3S_CHUNK_OFFSET_INDEX))
        s3s_line_int(l, "offset_index_at", chunk->offset_index_offset);
    if (S3S_PQ_HAS(c, S3S_COLUMN_BLOOM_OFFSET))
        s3s_line_int(l, "bloom_filter_at", c->bloom_filter_offset);
    s3s_line_end(l);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void put_page_encodings(description *d, int32_t encoding, int32_t def, int32_t rep,
                               const s3s_leaf *leaf)
{
    s3s_line_word(&d->lines, "encoding", s3s_encoding_name(encoding));
    if (leaf->max_def > 0)
        s3s_line_word(&d->lines, "definition_levels", s3s_encoding_name(def));
    if (leaf->max_rep > 0)
        s3s_line_word(&d->lines, "repetition_levels", s3s_encoding_name(rep));
}

static void describe_page(description *d, const s3s_leaf *leaf, size_t group,
                          const s3s_pq_page_header *h, uint64_t at, size_t header_size)
{
    static const char *const kinds[] = {"data", "index", "dictionary", "data_v2"};
    s3s_lines *l = &d->lines;
    s3s_line_begin(l, 2, "page");
    s3s_line_word(l, "type", h->type >= 0 && h->type < 4 ? kinds[h->type] : "?");
    if (l->json) {
        s3s_line_int(l, "row_group", (int64_t)group);
        s3s_line_word(l, "path", leaf->path);
    }
    s3s_line_int(l, "at", (int64_t)at);
    s3s_line_int(l, "header_bytes", (int64_t)header_size);
    s3s_line_int(l, "compressed_bytes", h->compressed_size);
    s3s_line_int(l, "bytes", h->uncompressed_size);
    if (S3S_PQ_HAS(h, S3S_PAGE_CRC)) {
        char text[12];
        snprintf(text, sizeof text, "%08x", (unsigned)h->crc);
        s3s_line_word(l, "crc", text);
    }
    if (h->type == S3S_PQ_DATA_PAGE) {
        s3s_line_int(l, "values", h->data.num_values);
        put_page_encodings(d, h->data.encoding, h->data.def_encoding, h->data.rep_encoding, leaf);
        put_statistics(d, leaf, &h->data.statistics);
    } else if (h->type == S3S_PQ_DATA_PAGE_V2) {
        s3s_line_int(l, "values", h->data_v2.num_values);
        s3s_line_int(l, "rows", h->data_v2.num_rows);
        put_page_encodings(d, h->data_v2.encoding, S3S_PQ_RLE, S3S_PQ_RLE, leaf);
        s3s_pq_statistics statistics = h->data_v2.statistics;
        S3S_PQ_SET(&statistics, S3S_STATS_NULL_COUNT);
        statistics.null_count = h->data_v2.num_nulls;
        put_statistics(d, leaf, &statistics);
    } else if (h->type == S3S_PQ_DICTIONARY_PAGE) {
        s3s_line_int(l, "values", h->dictionary.num_values);
        s3s_line_word(l, "encoding", s3s_encoding_name(h->dictionary.encoding));
    }
    s3s_line_end(l);
}

static void describe_pages(description *d, size_t group, size_t index)
{
    const s3s_leaf *leaf = &d->file->schema.leaves[index];
    const s3s_pq_chunk *chunk =
        (const s3s_pq_chunk *)s3s_parquet_group(d->file, group)->columns.items + index;
    s3s_page_reader reader;
    s3s_chunk_place place;
    s3store_error *err = d->lines.err;
    s3s_page_reader_init(&reader, d->file->env, &d->file->budget, d->file->source, leaf);
    s3store_status status = s3s_chunk_place_of(chunk, leaf, d->file->footer_at, &place, err);
    if (status == S3STORE_OK)
        s3s_page_reader_begin(&reader, &place, WINDOW);
    while (status == S3STORE_OK && d->lines.status == S3STORE_OK) {
        s3s_pq_page_header header;
        size_t size = 0;
        status = s3s_page_reader_skim(&reader, &header, &size, err);
        if (status == S3STORE_OK)
            describe_page(d, leaf, group, &header, reader.page_offset, size);
    }
    if (status != S3STORE_OK && status != S3STORE_END) {
        s3s_context(err, "page at byte %llu", (unsigned long long)reader.page_offset);
        d->lines.status = s3s_parquet_in_column(err, d->file, leaf->path, status);
    }
    s3s_page_reader_deinit(&reader);
}

static void describe_groups(description *d, bool pages)
{
    const s3s_file_schema *schema = &d->file->schema;
    if (!pages)
        describe_file(d);
    for (size_t g = 0; g < d->file->footer.row_groups.count; g++) {
        describe_group(d, g);
        for (size_t i = 0; i < schema->leaf_count && d->lines.status == S3STORE_OK; i++) {
            if (!wanted(d, schema->leaves[i].column))
                continue;
            describe_chunk(d, g, i);
            if (pages)
                describe_pages(d, g, i);
        }
    }
}

s3store_status s3s_parquet_describe(s3s_parquet_file *file, s3s_parquet_part part, bool json,
                                    const size_t *columns, size_t column_count,
                                    s3s_parquet_line_sink sink, s3store_error *err)
{
    description d = {.file = file, .columns = columns, .column_count = column_count};
    d.lines.json = json;
    d.lines.sink = sink;
    d.lines.err = err;
    s3s_buffer_init(&d.lines.line, file->env, SIZE_MAX);
    s3s_buffer_init(&d.bound, file->env, SIZE_MAX);
    if (part == S3S_PARQUET_SCHEMA)
        describe_schema(&d);
    else
        describe_groups(&d, part == S3S_PARQUET_PAGES);
    s3s_buffer_deinit(&d.lines.line);
    s3s_buffer_deinit(&d.bound);
    return d.lines.status == S3STORE_END ? S3STORE_OK : d.lines.status;
}
