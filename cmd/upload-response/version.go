package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
)

const versionExample = `
# For a person, or in a report of a fault
upload-response version
`

func (p *program) versionCommand() *cobra.Command {
	return cli.NewCommand(&cli.FlagSet{
		Command: "upload-response version", Example: versionExample, Summary: "prints the version",
	}, p.getenv, p.version)
}

// version prints what this program is.
func (p *program) version([]string) error {
	_, err := fmt.Fprintln(p.stdout, versionLine())
	return err
}

// versionLine says what this program is.
func versionLine() string {
	return fmt.Sprintf("%s %s (%s, %s/%s)", server.Name, server.Version, runtime.Version(), runtime.GOOS,
		runtime.GOARCH)
}
