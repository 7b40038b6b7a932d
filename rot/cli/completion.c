/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shells' completion scripts.  They know nothing but how to ask: what can be said comes from the table of verbs
 * of the very command that is completed (complete.c), so that nothing can be forgotten or be out of date.
 */

#include <string.h>

#include "rot/cli/cli.h"

static const char bash_script[] =
	"# bash completion for seal, made by \"seal completion bash\".\n"
	"_seal() {\n"
	"\tlocal word=${COMP_WORDS[COMP_CWORD]} line mode=\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:*) mode=${line#:} ;;\n"
	"\t\t*) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" " CLI_COMPLETE
	" \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"\t[ \"$word\" != = ] || word=\n"
	"\tcase $mode in\n"
	"\tfiles)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$word\")\n"
	"\t\t;;\n"
	"\tdirectories)\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -d -- \"$word\")\n"
	"\t\t;;\n"
	"\t*)\n"
	"\t\t# What is no file's name is not quoted by bash itself.\n"
	"\t\tfor line in \"${!COMPREPLY[@]}\"; do\n"
	"\t\t\tprintf -v \"COMPREPLY[line]\" %q \"${COMPREPLY[line]}\"\n"
	"\t\tdone\n"
	"\t\t;;\n"
	"\tesac\n"
	"}\n"
	"complete -F _seal seal kubectl-seal\n";

static const char fish_script[] =
	"# fish completion for seal, made by \"seal completion fish\".\n"
	"function __seal_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l word (commandline -ct)\n"
	"\tfor line in ($words[1] " CLI_COMPLETE " $words[2..-1] \"$word\" 2>/dev/null)\n"
	"\t\tswitch $line\n"
	"\t\t\tcase ':files'\n"
	"\t\t\t\t__fish_complete_path $word\n"
	"\t\t\tcase ':directories'\n"
	"\t\t\t\t__fish_complete_directories $word\n"
	"\t\t\tcase '*'\n"
	"\t\t\t\tprintf '%s\\n' $line\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"complete -c seal -f -a '(__seal_complete)'\n"
	"complete -c kubectl-seal -f -a '(__seal_complete)'\n";

static const char zsh_script[] =
	"#compdef seal kubectl-seal\n"
	"# zsh completion for seal, made by \"seal completion zsh\".\n"
	"_seal() {\n"
	"\tlocal line name mode\n"
	"\tlocal -a found\n"
	"\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:*) mode=${line#:} ;;\n"
	"\t\t*$'\\t'*)\n"
	"\t\t\tname=${line%%$'\\t'*}\n"
	"\t\t\tfound+=(\"${name//:/\\\\:}:${line#*$'\\t'}\")\n"
	"\t\t\t;;\n"
	"\t\t*) found+=(\"${line//:/\\\\:}\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"${words[1]}\" " CLI_COMPLETE " \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\t(( ! $#found )) || _describe seal found\n"
	"\tcase $mode in\n"
	"\tfiles) _files ;;\n"
	"\tdirectories) _files -/ ;;\n"
	"\tesac\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _seal ]; then\n"
	"\t_seal \"$@\"\n"
	"else\n"
	"\tcompdef _seal seal kubectl-seal\n"
	"fi\n";

int
cli_completion(struct cli *cli, struct seal_err *err)
{
	static const struct {
		const char *shell;
		const char *script;
	} scripts[] = { { "bash", bash_script }, { "fish", fish_script }, { "zsh", zsh_script } };

	for (size_t i = 0; i < SEAL_COUNT(scripts); i++) {
		if (strcmp(scripts[i].shell, cli->args[0]) == 0)
			return cli_write_out(scripts[i].script, strlen(scripts[i].script), err);
	}
	return seal_fail(err, SEAL_E_USAGE, "'%s' is no shell we know: bash, fish or zsh",
			 cli->args[0]);
}
