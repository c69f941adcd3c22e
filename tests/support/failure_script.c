#include "support/failure_script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES 4096

/* ---- text ------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *failure_unescape(const char *text, size_t *size)
{
    char *out = malloc(strlen(text) + 1);
    size_t n = 0;
    if (out == NULL)
        abort();
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != '\\' || c[1] == '\0') {
            out[n++] = *c;
            continue;
        }
        c++;
        if (*c == 'x' && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0) {
            out[n++] = (char)(hex_digit(c[1]) * 16 + hex_digit(c[2]));
            c += 2;
        } else {
            out[n++] = *c == 'r' ? '\r' : *c == 'n' ? '\n' : *c == 't' ? '\t' : *c;
        }
    }
    out[n] = '\0';
    *size = n;
    return out;
}

static char *copy(const char *text, size_t size)
{
    char *out = malloc(size + 1);
    if (out == NULL)
        abort();
    memcpy(out, text, size);
    out[size] = '\0';
    return out;
}

static char *copy_text(const char *text)
{
    return text == NULL ? NULL : copy(text, strlen(text));
}

/* ---- steps ----------------------------------------------------------------------------------- */

void failure_step_init(failure_step *step)
{
    *step = (failure_step){.send = -1, .head = -1};
}

void failure_step_deinit(failure_step *step)
{
    for (size_t i = 0; i < step->header_count; i++) {
        free(step->headers[i].name);
        free(step->headers[i].value);
    }
    free(step->body);
    free(step->fill);
    free(step->raw);
    failure_step_init(step);
}

static void copy_step(failure_step *to, const failure_step *from)
{
    failure_step_deinit(to);
    *to = *from;
    for (size_t i = 0; i < from->header_count; i++) {
        to->headers[i].name = copy_text(from->headers[i].name);
        to->headers[i].value = copy_text(from->headers[i].value);
    }
    to->body = from->body != NULL ? copy(from->body, from->body_size) : NULL;
    to->fill = from->fill != NULL ? copy(from->fill, from->fill_size) : NULL;
    to->raw = from->raw != NULL ? copy(from->raw, from->raw_size) : NULL;
}

static void remove_header(failure_step *s, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->header_count; i++) {
        if (strcasecmp(s->headers[i].name, name) == 0) {
            free(s->headers[i].name);
            free(s->headers[i].value);
        } else {
            s->headers[kept++] = s->headers[i];
        }
    }
    s->header_count = kept;
}

static bool add_header(failure_step *s, const char *text)
{
    size_t size = strcspn(text, ":");
    if (text[size] == '\0' || s->header_count == FAILURE_HEADERS_MAX)
        return false;
    char *name = copy(text, size);
    const char *value = text + size + 1;
    remove_header(s, name);
    size_t value_size;
    s->headers[s->header_count++] = (failure_header){
        name, failure_unescape(value + strspn(value, " "), &value_size)};
    return true;
}

static bool set_text(char **out, size_t *size, const char *text)
{
    free(*out);
    *out = failure_unescape(text, size);
    return true;
}

static bool set_length(failure_step *s, const char *text)
{
    s->length_absolute = text[0] != '+' && text[0] != '-';
    s->length = strcmp(text, "none") == 0 ? -1 : strtoll(text, NULL, 10);
    return true;
}

static bool set_end(failure_step *s, const char *text)
{
    static const char *const names[] = {"keep", "close", "reset", "stall"};
    for (size_t i = 0; i < 4; i++)
        if (strcmp(names[i], text) == 0) {
            s->end = (failure_end)i;
            return true;
        }
    return false;
}

static bool set_point(failure_step *s, const char *text)
{
    static const char *const names[] = {"request", "head", "connect"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(names[i], text) == 0) {
            s->point = (failure_point)i;
            return true;
        }
    return false;
}

static bool set_fill(failure_step *s, const char *text)
{
    char *end = NULL;
    s->fill_count = strtoull(text, &end, 10);
    return *end == ' ' && set_text(&s->fill, &s->fill_size, end + 1);
}

bool failure_step_add(failure_step *s, const char *line, const failure_step *good, char *why,
                      size_t why_size)
{
    char word[32] = "";
    size_t size = strcspn(line, " ");
    if (size < sizeof word)
        memcpy(word, line, size);
    const char *value = line + size + strspn(line + size, " ");
    bool done = false;
    if (strcmp(word, "good") == 0 && good != NULL) {
        copy_step(s, good);
        done = true;
    } else if (strcmp(word, "answer") == 0) {
        s->status = atoi(value);
        done = s->status >= 100;
    } else if (strcmp(word, "header") == 0) {
        done = add_header(s, value);
    } else if (strcmp(word, "without") == 0) {
        remove_header(s, value);
        done = true;
    } else if (strcmp(word, "body") == 0) {
        done = set_text(&s->body, &s->body_size, value);
    } else if (strcmp(word, "fill") == 0) {
        done = set_fill(s, value);
    } else if (strcmp(word, "raw") == 0) {
        done = set_text(&s->raw, &s->raw_size, value);
    } else if (strcmp(word, "length") == 0) {
        done = set_length(s, value);
    } else if (strcmp(word, "send") == 0) {
        s->send = strtoll(value, NULL, 10);
        done = true;
    } else if (strcmp(word, "send_head") == 0) {
        s->head = strtoll(value, NULL, 10);
        done = true;
    } else if (strcmp(word, "ranges") == 0) {
        s->ranges = true;
        done = true;
    } else if (strcmp(word, "split") == 0) {
        s->split = true;
        done = true;
    } else if (strcmp(word, "end") == 0) {
        done = set_end(s, value);
    } else if (strcmp(word, "at") == 0) {
        done = set_point(s, value);
    }
    if (!done)
        snprintf(why, why_size, "\"%.200s\" is not a line of a step", line);
    return done;
}

/* ---- a table --------------------------------------------------------------------------------- */

typedef struct parser {
    const failure_step *good;
    failure_script *scripts;
    size_t count;
    char *why;
    size_t why_size;
} parser;

static bool begin_script(parser *p, const char *name)
{
    p->scripts = realloc(p->scripts, (p->count + 1) * sizeof *p->scripts);
    if (p->scripts == NULL)
        abort();
    failure_script *s = &p->scripts[p->count++];
    memset(s, 0, sizeof *s);
    snprintf(s->name, sizeof s->name, "%.47s", name);
    failure_step_init(&s->steps[s->step_count++]);
    return name[0] != '\0';
}

static bool take_line(parser *p, const char *line)
{
    if (strncmp(line, "fault ", 6) == 0)
        return begin_script(p, line + 6);
    if (p->count == 0) {
        snprintf(p->why, p->why_size, "\"%.200s\" comes before the first fault", line);
        return false;
    }
    failure_script *s = &p->scripts[p->count - 1];
    if (strcmp(line, "warm") == 0) {
        s->warm = true;
        return true;
    }
    if (strcmp(line, "then") != 0)
        return failure_step_add(&s->steps[s->step_count - 1], line, p->good, p->why, p->why_size);
    if (s->step_count == FAILURE_STEPS_MAX) {
        snprintf(p->why, p->why_size, "%s has too many steps", s->name);
        return false;
    }
    failure_step_init(&s->steps[s->step_count++]);
    return true;
}

failure_script *failure_scripts_parse(const char *text, const failure_step *good, size_t *count,
                                      char *why, size_t why_size)
{
    parser p = {.good = good, .why = why, .why_size = why_size};
    char line[LINE_MAX_BYTES];
    unsigned number = 0;
    for (const char *c = text; *c != '\0';) {
        size_t size = strcspn(c, "\n");
        const char *start = c;
        c += size + (c[size] == '\n');
        number++;
        while (size > 0 && (*start == ' ' || *start == '\t')) {
            start++;
            size--;
        }
        if (size == 0 || *start == '#')
            continue;
        if (size >= sizeof line)
            size = sizeof line - 1;
        memcpy(line, start, size);
        line[size] = '\0';
        if (!take_line(&p, line)) {
            char reason[256];
            snprintf(reason, sizeof reason, "%.255s", why);
            snprintf(why, why_size, "line %u: %s", number, reason);
            failure_scripts_free(p.scripts, p.count);
            return NULL;
        }
    }
    *count = p.count;
    return p.scripts;
}

void failure_scripts_free(failure_script *scripts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < scripts[i].step_count; k++)
            failure_step_deinit(&scripts[i].steps[k]);
    free(scripts);
}
