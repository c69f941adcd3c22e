/* The manual page s3store(1), made from the tables of verbs and options. */
#include "completion.h"

#include <stdio.h>
#include <string.h>

/* Text of a line: roff's own characters escaped, hyphens kept as they must be typed. */
static void print_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (i == 0 && (text[0] == '.' || text[0] == '\''))
            fputs("\\&", stdout);
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text[i]);
    }
}

static void print_string(const char *text)
{
    print_text(text, strlen(text));
}

/* Paragraphs are filled, blocks of indented lines stay as they are. */
static void print_paragraphs(const char *text)
{
    bool literal = false;
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        bool indented = size > 2 && text[0] == ' ' && text[1] == ' ';
        if (indented != literal)
            fputs(indented ? ".PP\n.nf\n" : ".fi\n", stdout);
        literal = indented;
        if (size == 0) {
            puts(".PP");
        } else {
            print_text(text, size);
            putchar('\n');
        }
        text += size + (text[size] == '\n');
    }
    if (literal)
        puts(".fi");
}

static void print_options(const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cli_option *o = &options[i];
        fputs(".TP\n\\fB", stdout);
        if (o->letter != 0)
            printf("\\-%c\\fR, \\fB", o->letter);
        print_string(o->name);
        fputs("\\fR", stdout);
        if (o->value != NULL) {
            fputs(" \\fI", stdout);
            print_string(o->value);
            fputs("\\fR", stdout);
        }
        putchar('\n');
        print_string(o->help);
        putchar('\n');
    }
}

static const char head[] =
    ".SH NAME\n"
    "s3store \\- append\\-only, versioned data storage on S3\n"
    ".SH SYNOPSIS\n"
    "\\fBs3store\\fR \\fIVERB\\fR \\fIURL\\fR [\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]\n"
    ".SH DESCRIPTION\n"
    "Records become Parquet objects in Hive\\-style partitions. Each write is committed by an empty\n"
    "object, wholly or not at all, and leaves another one by which readers follow the changes. A\n"
    "bucket (or a directory) is all that is needed: no server, no catalog.\n"
    ".PP\n"
    "The URL is \\fBs3://\\fIbucket\\fB/\\fIprefix\\fR or \\fBfile:///\\fIdirectory\\fB/\\fIprefix\\fR.\n"
    "Data go to standard output, everything else to standard error. Options may stand anywhere, as\n"
    "\\fB\\-\\-name value\\fR or \\fB\\-\\-name=value\\fR; \\fB\\-\\-\\fR ends them.\n";

static const char tail[] =
    ".SH \"EXIT STATUS\"\n"
    ".TP\n0\ndone\n.TP\n1\nfailed; one line on standard error says what, and what to do\n"
    ".TP\n2\nusage\n.TP\n3\neverything is committed, at least one partition late\n"
    ".TP\n4\nsome partitions are committed and others are not\n.TP\n5\nthe answer is no\n"
    ".TP\n130\ninterrupted\n"
    ".SH ENVIRONMENT\n"
    "The names of the AWS tools: \\fBAWS_ACCESS_KEY_ID\\fR, \\fBAWS_SECRET_ACCESS_KEY\\fR,\n"
    "\\fBAWS_SESSION_TOKEN\\fR, \\fBAWS_PROFILE\\fR, \\fBAWS_REGION\\fR, \\fBAWS_ENDPOINT_URL_S3\\fR,\n"
    "\\fBAWS_ENDPOINT_URL\\fR, \\fBAWS_CA_BUNDLE\\fR, \\fBAWS_CONFIG_FILE\\fR,\n"
    "\\fBAWS_SHARED_CREDENTIALS_FILE\\fR, \\fBAWS_EC2_METADATA_DISABLED\\fR and those of web identity\n"
    "and containers; \\fBHTTPS_PROXY\\fR, \\fBNO_PROXY\\fR; \\fBTMPDIR\\fR for temporary files.\n"
    ".SH FILES\n"
    ".TP\n\\fI~/.aws/config\\fR, \\fI~/.aws/credentials\\fR\nthe shared AWS files\n"
    ".SH \"SEE ALSO\"\n"
    "\\fBlibs3store\\fR(3)\n";

int cli_manual(const cli_commands *commands)
{
    printf(".TH S3STORE 1 \"\" \"s3store %s\"\n%s", s3store_version(), head);
    puts(".SH VERBS");
    for (size_t i = 0; i < commands->verb_count; i++) {
        const cli_verb *v = commands->verbs[i];
        printf(".SS \"s3store %s ", v->name);
        print_string(v->arguments);
        puts("\"");
        print_string(v->summary);
        puts("\n.PP");
        print_paragraphs(v->help);
        print_options(v->options, v->option_count);
    }
    puts(".SH \"OPTIONS OF EVERY VERB\"");
    print_options(commands->globals, commands->global_count);
    fputs(tail, stdout);
    return CLI_OK;
}
