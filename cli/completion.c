/* Completion scripts, made from the tables of verbs and options, so that they cannot differ. */
#include "completion.h"

#include <stdio.h>
#include <string.h>

static const char *name_of(const cli_option *o)
{
    return o->name + 2; /* without "--" */
}

static bool is_file(const cli_option *o)
{
    return o->value != NULL && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "F") == 0);
}

static bool is_directory(const cli_option *o)
{
    return o->value != NULL && strcmp(o->value, "DIR") == 0;
}

static void print_choices(const char *const *choices)
{
    for (size_t i = 0; choices[i] != NULL; i++)
        printf("%s%s", i > 0 ? " " : "", choices[i]);
}

/* Text inside single quotes; what is in `escaped` gets a backslash too. */
static void print_quoted(const char *text, const char *escaped)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\'", stdout);
        else if (strchr(escaped, *text) != NULL)
            putchar('\\');
        putchar(*text);
    }
}

/* ---- bash ------------------------------------------------------------------------------------- */

static void bash_values(const char *verb, const cli_option *o)
{
    if (o->kind == CLI_FLAG)
        return;
    printf("    %s:%s) ", verb, o->name);
    if (o->choices != NULL) {
        fputs("COMPREPLY=($(compgen -W '", stdout);
        print_choices(o->choices);
        fputs("' -- \"$cur\")) ;;\n", stdout);
    } else if (is_directory(o)) {
        fputs("COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n", stdout);
    } else if (is_file(o)) {
        fputs("COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n", stdout);
    } else {
        fputs("COMPREPLY=() ;;\n", stdout);
    }
}

static void bash_names(const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf(" %s", options[i].name);
}

static void print_bash(const cli_commands *c)
{
    fputs("# bash completion for s3store\n_s3store() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '",
          stdout);
    for (size_t i = 0; i < c->verb_count; i++)
        printf("%s ", c->verbs[i]->name);
    fputs("help --help --version' -- \"$cur\"))\n        return\n    fi\n"
          "    case ${COMP_WORDS[1]}:$prev in\n",
          stdout);
    for (size_t i = 0; i < c->verb_count; i++)
        for (size_t k = 0; k < c->verbs[i]->option_count; k++)
            bash_values(c->verbs[i]->name, &c->verbs[i]->options[k]);
    for (size_t k = 0; k < c->global_count; k++)
        bash_values("*", &c->globals[k]);
    fputs("    *)\n        case $cur in\n        -*) ;;\n"
          "        *) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n        esac\n"
          "        case ${COMP_WORDS[1]} in\n",
          stdout);
    for (size_t i = 0; i < c->verb_count; i++) {
        printf("        %s) words='", c->verbs[i]->name);
        bash_names(c->verbs[i]->options, c->verbs[i]->option_count);
        fputs("' ;;\n", stdout);
    }
    fputs("        *) words= ;;\n        esac\n        words+='", stdout);
    bash_names(c->globals, c->global_count);
    fputs("'\n        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n    esac\n}\n"
          "complete -o filenames -F _s3store s3store\n",
          stdout);
}

/* ---- zsh -------------------------------------------------------------------------------------- */

static void zsh_options(const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cli_option *o = &options[i];
        bool repeats = o->kind == CLI_LIST || o->kind == CLI_REPEAT;
        printf("        '%s%s%s[", repeats ? "*" : "", o->name, o->kind != CLI_FLAG ? "=" : "");
        print_quoted(o->help, "[]:\\");
        putchar(']');
        if (o->kind != CLI_FLAG) {
            putchar(':');
            print_quoted(o->value, ":\\");
            putchar(':');
            if (o->choices != NULL) {
                putchar('(');
                print_choices(o->choices);
                putchar(')');
            } else if (is_directory(o)) {
                fputs("_directories", stdout);
            } else if (is_file(o)) {
                fputs("_files", stdout);
            } else {
                putchar(' ');
            }
        }
        fputs("' \\\n", stdout);
    }
}

static void print_zsh(const cli_commands *c)
{
    fputs("#compdef s3store\n\n_s3store() {\n    local -a verbs globals\n    verbs=(\n", stdout);
    for (size_t i = 0; i < c->verb_count; i++) {
        printf("        '%s:", c->verbs[i]->name);
        print_quoted(c->verbs[i]->summary, "\\");
        fputs("'\n", stdout);
    }
    fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe -t verbs verb verbs\n"
          "        return\n    fi\n    globals=( \\\n",
          stdout);
    zsh_options(c->globals, c->global_count);
    fputs("    )\n    local verb=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
          "    case $verb in\n",
          stdout);
    for (size_t i = 0; i < c->verb_count; i++) {
        printf("    %s)\n        _arguments $globals \\\n", c->verbs[i]->name);
        zsh_options(c->verbs[i]->options, c->verbs[i]->option_count);
        fputs("        '*:argument:_files' ;;\n", stdout);
    }
    /* A file in fpath is the function's body the first time; a sourced one is not. */
    fputs("    esac\n}\n\nif [[ ${funcstack[1]} == _s3store ]]; then\n    _s3store \"$@\"\n"
          "else\n    compdef _s3store s3store\nfi\n",
          stdout);
}

/* ---- fish ------------------------------------------------------------------------------------- */

static void fish_options(const char *condition, const char *verb, const cli_option *options,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cli_option *o = &options[i];
        printf("complete -c s3store -n '%s%s' -l %s", condition, verb, name_of(o));
        if (o->letter != 0)
            printf(" -s %c", o->letter);
        if (o->choices != NULL) {
            fputs(" -x -a '", stdout);
            print_choices(o->choices);
            putchar('\'');
        } else if (o->kind != CLI_FLAG) {
            fputs(is_file(o) || is_directory(o) ? " -r" : " -x", stdout);
        }
        fputs(" -d '", stdout);
        print_quoted(o->help, "\\");
        fputs("'\n", stdout);
    }
}

static void print_fish(const cli_commands *c)
{
    puts("# fish completion for s3store");
    for (size_t i = 0; i < c->verb_count; i++) {
        const cli_verb *v = c->verbs[i];
        printf("complete -c s3store -n __fish_use_subcommand -f -a %s -d '", v->name);
        print_quoted(v->summary, "\\");
        fputs("'\n", stdout);
        fish_options("__fish_seen_subcommand_from ", v->name, v->options, v->option_count);
    }
    fish_options("not __fish_use_subcommand", "", c->globals, c->global_count);
}

int cli_completion(const cli_commands *commands, const char *shell)
{
    static const struct {
        const char *name;
        void (*print)(const cli_commands *commands);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (shell != NULL && strcmp(shell, shells[i].name) == 0) {
            shells[i].print(commands);
            return CLI_OK;
        }
    fprintf(stderr, "s3store completion: say for which shell: bash, zsh or fish\n");
    return CLI_USAGE;
}
