package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
)

const manualExample = `
# The manual page of a command
upload-response man serve

# All pages, where man(1) finds them: man upload-response-serve
upload-response man --dir ~/.local/share/man/man1
`

// manualCommand returns the command that shows a manual page, or writes all of them.
func (p *program) manualCommand() *cobra.Command {
	var dir string
	flags := &cli.FlagSet{
		Command: "upload-response man", Args: "[COMMAND]", Example: manualExample,
		Summary: "shows the manual page of a command",
		Groups: []cli.Group{{Heading: "Pages", Options: []cli.Option{{
			Name: "dir", Arg: "PATH", Help: "write the pages of all commands to this folder instead",
			Parse: cli.Text(&dir),
		}}}},
	}
	var c *cobra.Command
	c = cli.NewCommand(flags, p.getenv, func(args []string) error {
		if dir != "" && len(args) > 0 {
			return flags.Usage(fmt.Errorf("--dir writes the pages of all commands: leave out %q", args[0]))
		}
		if dir != "" {
			return writeManuals(c.Root(), dir)
		}
		found, rest, err := c.Root().Find(args)
		if err != nil || len(rest) > 0 || found.Hidden {
			return flags.Usage(fmt.Errorf("unknown command %q", strings.Join(args, " ")))
		}
		return p.showManual(found)
	})
	return c
}

func manualHeader() *doc.GenManHeader {
	return &doc.GenManHeader{Section: "1", Source: server.Name + " " + server.Version, Manual: server.Name}
}

// writeManuals writes the page of each command to a folder, which it makes.
func writeManuals(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return doc.GenManTreeFromOpts(root, doc.GenManTreeOptions{Header: manualHeader(), Path: dir, CommandSeparator: "-"})
}

// showManual shows the page of a command: on a terminal, with man(1) if there is one.
func (p *program) showManual(c *cobra.Command) error {
	var page bytes.Buffer
	if err := doc.GenMan(c, manualHeader(), &page); err != nil {
		return err
	}
	man, err := exec.LookPath("man")
	if err != nil || !isTerminal(p.stdout) {
		_, err := p.stdout.Write(page.Bytes())
		return err
	}
	viewer := exec.Command(man, "-l", "-")
	viewer.Stdin, viewer.Stdout, viewer.Stderr = &page, p.stdout, p.stderr
	return viewer.Run()
}

// isTerminal reports whether a writer is the file of a terminal.
func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}
