// Upload-response is a streaming request/response proxy over shared memory: the
// server, the built-in workers, and a few helpers. Run it with --help.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/upgrade"
)

// program is what a command may touch of its process.
type program struct {
	stdout, stderr io.Writer
	out, err       *logWriter // the same; nil before survivePipes
	getenv         func(name string) string
	predecessor    *upgrade.Predecessor // the process that a server replaces; nil: there is none
}

// self is the name of the program.
const self = "upload-response"

func main() {
	predecessor, err := upgrade.Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p := &program{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, predecessor: predecessor}
	os.Exit(p.main(os.Args[1:]))
}

// main runs the command that args name and returns the exit status.
func (p *program) main(args []string) int {
	defer p.flush()
	return cli.ExitStatus(p.stderr, self, cli.Execute(p.commands(), args, p.stdout, p.stderr))
}

const mainExample = `
# An application in Python, on http://127.0.0.1:8080, while you work on it
upload-response run shop.wsgi:app

# A server on http://127.0.0.1:8080 with workers to try
upload-response demo

# Four processes of a program of yours, and HTTP for everybody
upload-response serve --listen :80 --worker default=./app --workers 4
`

// commands returns the tree of commands.
func (p *program) commands() *cobra.Command {
	root := cli.NewGroup(&cli.FlagSet{
		Command: self, Summary: "a streaming request/response proxy over shared memory", Example: mainExample,
	}, "command", slices.Concat(
		[]*cobra.Command{p.runCommand(), p.serveCommand(), p.checkCommand(), p.configCommand(), p.workerCommand(),
			p.demoCommand(), p.doctorCommand(), p.reloadCommand(), p.upgradeCommand(), p.stopCommand()},
		p.adminCommands(),
		[]*cobra.Command{p.layoutCommand(), p.versionCommand(), p.completionCommand(), p.manualCommand(),
			cli.NewHidden("bench", "deprecated: run upload-response-bench", p.bench)})...)
	cli.AddVersion(root, versionLine())
	return root
}
