package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

const completionExample = `
# For this shell
source <(upload-response completion bash)

# For all shells of a user
upload-response completion bash > ~/.local/share/bash-completion/completions/upload-response
upload-response completion fish > ~/.config/fish/completions/upload-response.fish
upload-response completion zsh > "${fpath[1]}/_upload-response"
`

// shells are those that the program can be completed in.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// completionCommand returns the command that prints what makes a shell complete this program's
// command lines.
func (p *program) completionCommand() *cobra.Command {
	flags := &cli.FlagSet{
		Command: "upload-response completion", Args: "SHELL", Example: completionExample,
		Summary: "prints a script that lets a shell complete commands and flags: " + cli.OneOf(shells),
	}
	var c *cobra.Command
	c = cli.NewCommand(flags, p.getenv, func(args []string) error {
		if len(args) != 1 {
			return flags.Usage(fmt.Errorf("want one shell: %s", cli.OneOf(shells)))
		}
		generate := map[string]func(io.Writer) error{
			"bash":       func(w io.Writer) error { return c.Root().GenBashCompletionV2(w, true) },
			"zsh":        c.Root().GenZshCompletion,
			"fish":       func(w io.Writer) error { return c.Root().GenFishCompletion(w, true) },
			"powershell": c.Root().GenPowerShellCompletionWithDesc,
		}[args[0]]
		if generate == nil {
			return flags.Usage(fmt.Errorf("unknown shell %q: want %s", args[0], cli.OneOf(shells)))
		}
		return generate(p.stdout)
	})
	c.ValidArgsFunction = cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp)
	return c
}
