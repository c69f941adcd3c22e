/* What was fed stands in one piece from the beginning of the text or tag that is not complete yet:
 * so texts are lent to the handler where they lie. */
#include "objstore/s3/xml_reader.h"

#include <string.h>

#include "base/bytes.h"

#define CARRY_MAX (S3S_XML_MAX_BYTES + 1)

void s3s_xml_reader_init(s3s_xml_reader *r, s3s_env *env, const s3s_xml_handler *handler,
                         void *ctx)
{
    *r = (s3s_xml_reader){.handler = handler, .ctx = ctx};
    s3s_buffer_init(&r->carry, env, CARRY_MAX);
    s3s_buffer_init(&r->text, env, handler->max_text + 1);
}

static void wipe(s3s_buffer *b)
{
    if (b->data != NULL)
        s3s_wipe(b->data, b->capacity);
    s3s_buffer_deinit(b);
}

void s3s_xml_reader_deinit(s3s_xml_reader *r)
{
    wipe(&r->carry);
    wipe(&r->text);
}

void s3s_xml_reader_begin(s3s_xml_reader *r)
{
    s3s_buffer_clear(&r->carry);
    s3s_buffer_clear(&r->text);
    r->fed = 0;
    r->lines = 0;
    r->begun = false;
    r->has_root = false;
    r->text_wanted = false;
    r->depth = 0;
    r->failed = S3STORE_OK;
    r->why = NULL;
}

s3store_status s3s_xml_reader_fail(s3s_xml_reader *r, s3store_status status, const char *why)
{
    if (r->failed == S3STORE_OK) {
        r->failed = status;
        r->why = why;
    }
    return r->failed;
}

/* What bytes are, in one look. */
enum { BLANK = 1, NAME_END = 2, NO_NAME = 4, COLON = 8, TEXT_STOP = 16 };
#define CONTROLS_8                                                                                 \
    NO_NAME, NO_NAME, NO_NAME, NO_NAME, NO_NAME, NO_NAME, NO_NAME, NO_NAME
static const uint8_t classes[256] = {
    [0] = NO_NAME | TEXT_STOP, NO_NAME, NO_NAME, NO_NAME, NO_NAME, NO_NAME, NO_NAME, NO_NAME,
    NO_NAME, [0x0b] = NO_NAME, NO_NAME, [0x0e] = NO_NAME, NO_NAME, [0x10] = CONTROLS_8,
    [0x18] = CONTROLS_8,
    [' '] = BLANK | NAME_END, ['\t'] = BLANK | NAME_END, ['\n'] = BLANK | NAME_END,
    ['\r'] = BLANK | NAME_END, ['>'] = NAME_END, ['/'] = NAME_END, ['='] = NAME_END,
    [':'] = COLON, ['"'] = NO_NAME, ['\''] = NO_NAME, ['<'] = NO_NAME | TEXT_STOP,
    ['&'] = NO_NAME | TEXT_STOP,
};

static unsigned class_of(char c)
{
    return classes[(unsigned char)c];
}

static bool is_blank(char c)
{
    return (class_of(c) & BLANK) != 0;
}

static bool is_blank_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_blank(text[i]))
            return false;
    return true;
}

/* ---- texts ----------------------------------------------------------------------------------- */

/* UTF-8 of a character, 0 = there is no such character. */
static size_t put_character(unsigned long c, char *out)
{
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* "#65" or "#x41", the text between '&' and ';'. Its UTF-8 is never longer than the reference. */
static size_t put_numbered(const char *name, size_t size, char *out)
{
    bool hex = size > 1 && name[1] == 'x';
    unsigned long value = 0;
    size_t i = hex ? 2 : 1;
    if (i == size)
        return 0;
    for (; i < size; i++) {
        char c = name[i] >= 'A' && name[i] <= 'F' ? (char)(name[i] + 32) : name[i];
        unsigned digit = c >= '0' && c <= '9'          ? (unsigned)(c - '0')
                         : hex && c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                       : 99;
        if (digit == 99 || value > 0x10ffff)
            return 0;
        value = value * (hex ? 16 : 10) + digit;
    }
    return put_character(value, out);
}

static size_t put_reference(const char *name, size_t size, char *out)
{
    static const struct {
        char name[5];
        char character;
    } known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    if (size > 0 && name[0] == '#')
        return put_numbered(name, size, out);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, name, size) == 0) {
            *out = known[i].character;
            return 1;
        }
    return 0;
}

/* In place. */
static bool decode_references(char *text, size_t *size)
{
    char *end = text + *size;
    char *in = memchr(text, '&', *size);
    char *out = in;
    while (in != NULL && in < end) {
        if (*in != '&') {
            *out++ = *in++;
            continue;
        }
        char *close = memchr(in, ';', (size_t)(end - in));
        size_t put = close == NULL ? 0 : put_reference(in + 1, (size_t)(close - in - 1), out);
        if (put == 0)
            return false;
        out += put;
        in = close + 1;
    }
    if (out != NULL)
        *size = (size_t)(out - text);
    return true;
}

static void keep_text(s3s_xml_reader *r, const char *text, size_t size)
{
    if (r->text.size + size > r->handler->max_text)
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "the text of an element is too long");
    else if (s3s_buffer_append(&r->text, text, size, NULL) != S3STORE_OK)
        s3s_xml_reader_fail(r, S3STORE_OUT_OF_MEMORY, "there is not enough memory");
}

/* The text in front of a piece of markup. What is not wanted has been passed over already. */
static bool take_text(s3s_xml_reader *r, char *text, size_t *size)
{
    size_t plain = 0;
    while (plain < *size && (class_of(text[plain]) & TEXT_STOP) == 0)
        plain++;
    if (plain < *size &&
        (memchr(text, '\0', *size) != NULL || !decode_references(text, size)))
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "a character or reference is not one of XML");
    else if (*size > r->handler->max_text)
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "the text of an element is too long");
    return r->failed == S3STORE_OK;
}

/* ---- tags ------------------------------------------------------------------------------------ */

/* Where the name ends, NULL = the text ends before it, or (failed) it is none. *local: behind its
 * prefix. */
static const char *scan_name(s3s_xml_reader *r, const char *c, const char *end, const char **local)
{
    const char *start = c;
    *local = c;
    for (; c < end; c++) {
        unsigned class = class_of(*c);
        if ((class & (NAME_END | NO_NAME)) != 0)
            break;
        if ((class & COLON) != 0 && *local == start)
            *local = c + 1;
    }
    if ((size_t)(c - start) <= S3S_XML_MAX_NAME && c == end)
        return NULL;
    if (c > start && (size_t)(c - start) <= S3S_XML_MAX_NAME && (class_of(*c) & NAME_END) != 0)
        return c;
    s3s_xml_reader_fail(r, S3STORE_CORRUPT, "the name of an element is not one");
    return NULL;
}

static const char *skip_blanks(const char *c, const char *end)
{
    while (c < end && is_blank(*c))
        c++;
    return c;
}

/* Behind name="value"; NULL as above. */
static const char *scan_attribute(s3s_xml_reader *r, const char *c, const char *end)
{
    const char *local;
    c = scan_name(r, c, end, &local);
    c = c != NULL ? skip_blanks(c, end) : end;
    if (c < end && *c == '=')
        c = skip_blanks(c + 1, end);
    else if (c < end)
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "an attribute has no value");
    if (c == end || r->failed != S3STORE_OK)
        return NULL;
    const char *close =
        *c == '"' || *c == '\'' ? memchr(c + 1, *c, (size_t)(end - c) - 1) : c;
    if (close == NULL)
        return NULL;
    if (close == c || memchr(c, '<', (size_t)(close - c)) != NULL) {
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "the value of an attribute is not one");
        return NULL;
    }
    return close + 1;
}

typedef struct start_tag {
    const char *name, *local; /* with its prefix, and without */
    size_t size;
    bool is_empty;
} start_tag;

/* Behind the '>' of a start tag whose name begins at c; NULL as above. */
static const char *scan_start_tag(s3s_xml_reader *r, const char *c, const char *end,
                                  start_tag *tag)
{
    *tag = (start_tag){.name = c};
    c = scan_name(r, c, end, &tag->local);
    tag->size = c != NULL ? (size_t)(c - tag->name) : 0;
    while (c != NULL && c < end) {
        if (*c == '>')
            return c + 1;
        const char *before = c;
        c = skip_blanks(c, end);
        if (c == end || (*c == '/' && c + 1 == end))
            return NULL;
        if (*c == '>')
            return c + 1;
        tag->is_empty = *c == '/' && c[1] == '>';
        if (tag->is_empty)
            return c + 2;
        if (c == before) {
            s3s_xml_reader_fail(r, S3STORE_CORRUPT, "a tag is not well-formed");
            return NULL;
        }
        c = scan_attribute(r, c, end);
    }
    return NULL;
}

static void end_element(s3s_xml_reader *r, char *text, size_t size)
{
    if (r->text_wanted && r->text.size > 0) {
        keep_text(r, text, size);
        size = r->text.size;
        text = s3s_buffer_text(&r->text, NULL);
        if (text == NULL)
            s3s_xml_reader_fail(r, S3STORE_OUT_OF_MEMORY, "there is not enough memory");
    }
    if (r->failed != S3STORE_OK || text == NULL)
        return;
    text[size] = '\0';
    r->handler->end(r->ctx, text, size);
    r->text.size = 0;
    r->depth--;
    r->text_wanted = false; /* around it there was an element */
}

static void start_element(s3s_xml_reader *r, const start_tag *tag)
{
    if (r->depth == 0 && r->has_root) {
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "something follows the end of the document");
        return;
    }
    if (r->depth == S3S_XML_MAX_DEPTH) {
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "elements are nested too deep");
        return;
    }
    r->has_root = true;
    memcpy(r->open[r->depth].name, tag->name, tag->size);
    r->open[r->depth].size = tag->size;
    r->depth++;
    r->text.size = 0;
    r->text_wanted =
        r->handler->start(r->ctx, tag->local, tag->size - (size_t)(tag->local - tag->name));
    char nothing[1];
    if (tag->is_empty && r->failed == S3STORE_OK)
        end_element(r, nothing, 0);
}

/* Behind the '>' of an end tag whose name begins at c; NULL as above. */
static const char *scan_end_tag(s3s_xml_reader *r, const char *c, const char *end)
{
    size_t have = (size_t)(end - c);
    size_t size = r->depth > 0 ? r->open[r->depth - 1].size : 0;
    const char *name = r->depth > 0 ? r->open[r->depth - 1].name : "";
    const char *close = c + size;
    if (have <= size)
        close = memchr(c, '>', have) != NULL ? c : NULL;
    else if (memcmp(c, name, size) == 0)
        close = skip_blanks(close, end);
    else
        close = c;
    if (close == NULL || close == end)
        return NULL;
    if (size > 0 && close > c && *close == '>')
        return close + 1;
    s3s_xml_reader_fail(r, S3STORE_CORRUPT, "mismatched tags");
    return NULL;
}

/* ---- one piece: a text with the markup behind it --------------------------------------------- */

static const char *find(const char *c, const char *end, const char *what)
{
    const char *at = memmem(c, (size_t)(end - c), what, strlen(what));
    return at != NULL ? at + strlen(what) : NULL;
}

/* Comments, CDATA sections, instructions. Behind it; NULL as above. */
static const char *scan_special(s3s_xml_reader *r, const char *tag, const char *end)
{
    static const char comment[] = "<!--", cdata[] = "<![CDATA[";
    size_t have = (size_t)(end - tag);
    if (tag[1] == '?')
        return find(tag + 2, end, "?>");
    if (have >= 4 && memcmp(tag, comment, 4) == 0)
        return find(tag + 4, end, "-->");
    if (have >= 9 && memcmp(tag, cdata, 9) == 0) {
        const char *behind = find(tag + 9, end, "]]>");
        if (behind != NULL && r->depth == 0)
            s3s_xml_reader_fail(r, S3STORE_CORRUPT, "a text is outside of the document");
        else if (behind != NULL && r->text_wanted)
            keep_text(r, tag + 9, (size_t)(behind - tag) - 12);
        return behind;
    }
    if (memcmp(tag, comment, have < 4 ? have : 4) == 0 ||
        memcmp(tag, cdata, have < 9 ? have : 9) == 0)
        return NULL;
    s3s_xml_reader_fail(r, S3STORE_CORRUPT,
                        "it has a document type, which no answer of S3 has");
    return NULL;
}

/* tag: the '<' behind a text that is wanted (or empty). Bytes up to behind the markup, 0 = it is
 * not complete, or failed. */
static size_t take_markup(s3s_xml_reader *r, char *text, char *tag, const char *end)
{
    const char *behind = NULL;
    if (tag + 1 == end)
        return 0;
    if (tag[1] == '/') {
        size_t size = (size_t)(tag - text);
        behind = scan_end_tag(r, tag + 2, end);
        if (behind != NULL && take_text(r, text, &size))
            end_element(r, text, size);
    } else if (tag[1] == '!' || tag[1] == '?') {
        behind = scan_special(r, tag, end);
    } else {
        start_tag start;
        behind = scan_start_tag(r, tag + 1, end, &start);
        if (behind != NULL)
            start_element(r, &start);
    }
    return behind != NULL && r->failed == S3STORE_OK ? (size_t)(behind - text) : 0;
}

/* The text in front of a comment and the like is kept first, by itself. */
static bool is_special(const char *tag, const char *end)
{
    return tag + 1 < end && (tag[1] == '!' || tag[1] == '?');
}

/* Bytes that are understood, 0 = more must come, or failed. */
static size_t take_piece(s3s_xml_reader *r, char *text, size_t size)
{
    char *end = text + size;
    char *tag = memchr(text, '<', size);
    size_t text_size = tag != NULL ? (size_t)(tag - text) : size;
    if (r->depth == 0 && !is_blank_text(text, text_size)) {
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "a text is outside of the document");
        return 0;
    }
    if (!r->text_wanted && text_size > 0)
        return text_size;
    if (text_size > 6 * r->handler->max_text) {
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "the text of an element is too long");
        return 0;
    }
    if (tag == NULL)
        return 0;
    if (text_size > 0 && is_special(tag, end)) {
        if (take_text(r, text, &text_size))
            keep_text(r, text, text_size);
        return (size_t)(tag - text);
    }
    size_t taken = take_markup(r, text, tag, end);
    if (taken == 0 && (size_t)(end - tag) > S3S_XML_MAX_TAG)
        s3s_xml_reader_fail(r, S3STORE_CORRUPT, "a tag is too long");
    return taken;
}

static unsigned long count_lines(const char *text, size_t size)
{
    unsigned long lines = 0;
    const char *end = text + size;
    while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        lines++;
        text++;
    }
    return lines;
}

static void take_pieces(s3s_xml_reader *r)
{
    char *data = (char *)r->carry.data;
    size_t size = r->carry.size, at = 0;
    while (at < size && r->failed == S3STORE_OK) {
        size_t taken = take_piece(r, data + at, size - at);
        if (taken == 0 || r->failed != S3STORE_OK)
            break;
        at += taken;
    }
    r->lines += count_lines(data, at);
    memmove(data, data + at, size - at);
    r->carry.size = size - at;
}

/* A byte order mark, and blanks of a server that wants to keep the connection. */
static void skip_beginning(s3s_xml_reader *r)
{
    static const char mark[] = "\xef\xbb\xbf";
    const char *data = (const char *)r->carry.data;
    size_t at = 0;
    while (at < r->carry.size && is_blank(data[at]))
        at++;
    size_t left = r->carry.size - at;
    if (left >= 3 && memcmp(data + at, mark, 3) == 0)
        at += 3;
    else if (left > 0 && left < 3 && memcmp(data + at, mark, left) == 0)
        left = 0; /* it may become one */
    r->begun = left > 0;
    memmove(r->carry.data, data + at, r->carry.size - at);
    r->carry.size -= at;
}

s3store_status s3s_xml_reader_feed(s3s_xml_reader *r, const void *data, size_t size)
{
    if (r->failed != S3STORE_OK || size == 0)
        return r->failed;
    if (size > S3S_XML_MAX_BYTES - r->fed)
        return s3s_xml_reader_fail(r, S3STORE_CORRUPT, "the document is too long");
    r->fed += size;
    if (s3s_buffer_append(&r->carry, data, size, NULL) != S3STORE_OK)
        return s3s_xml_reader_fail(r, S3STORE_OUT_OF_MEMORY, "there is not enough memory");
    if (!r->begun)
        skip_beginning(r);
    if (r->begun)
        take_pieces(r);
    return r->failed;
}

s3store_status s3s_xml_reader_end(s3s_xml_reader *r)
{
    if (r->failed != S3STORE_OK)
        return r->failed;
    if (!r->has_root)
        return s3s_xml_reader_fail(r, S3STORE_UNAVAILABLE, "no element is in it");
    if (r->depth > 0 || r->carry.size > 0)
        return s3s_xml_reader_fail(r, S3STORE_UNAVAILABLE, "it broke off");
    return S3STORE_OK;
}
