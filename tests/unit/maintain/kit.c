#include "unit/maintain/kit.h"

void kit_open(fixture *fx)
{
    fixture_options options = {.commit_timeout = "2h"};
    fixture_open(fx, NULL, &options);
}

fixture_written kit_write_at(fixture *fx, const char *partition, const char *token, unsigned steps,
                             int64_t stamp_us)
{
    static const fixture_row rows[] = {{.entity = "a", .version = 1, .value = 1}};
    fixture_write write = {
        .partition = partition, .token = token, .steps = steps, .stamp_us = stamp_us};
    return fixture_write_rows(fx, &write, rows, 1);
}

fixture_written kit_write(fixture *fx, const char *partition, const char *token, unsigned steps)
{
    return kit_write_at(fx, partition, token, steps, 0);
}

void kit_tell(kit_told *told, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(told->text + told->size, sizeof told->text - told->size, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof told->text - told->size);
    told->size += (size_t)n;
    told->count++;
}

static void take_finding(void *ctx, const s3store_finding *f)
{
    assert_non_null(f->detail);
    assert_true(f->detail[0] != '\0');
    assert_true(f->remedy != NULL && f->remedy[0] != '\0');
    kit_tell(ctx, "%s%s %s;", f->damage ? "" : "(remark) ", f->kind, f->key);
}

s3store_status kit_verify(fixture *fx, s3store_verify_options *options, kit_told *told,
                          s3store_verify_report *report, s3store_error *err)
{
    s3store_verify_options defaults = S3STORE_VERIFY_OPTIONS_INIT;
    if (options == NULL)
        options = &defaults;
    memset(told, 0, sizeof *told);
    *report = (s3store_verify_report){.size = sizeof *report};
    options->finding = take_finding;
    options->finding_ctx = told;
    return s3s_verify_dataset(fx->target, options, report, err);
}

s3s_fault_decision kit_refuse(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    const kit_refusal *f = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)sequence;
    if (verb == f->verb && strstr(key, f->part) != NULL)
        d.before = S3STORE_PERMISSION_DENIED;
    return d;
}
