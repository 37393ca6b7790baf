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

# For a program that asks whether a worker and a server fit together
upload-response version --json
`

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	return cli.NewCommand(&cli.FlagSet{
		Command: "upload-response version", Example: versionExample, Summary: "prints the version",
		Groups: jsonFlags(&asJSON),
	}, p.getenv, func([]string) error {
		if asJSON {
			return printJSON(p.stdout, thisBuild())
		}
		_, err := fmt.Fprintln(p.stdout, versionLine())
		return err
	})
}

// build is what this program is, as JSON.
type build struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Go      string      `json:"go"`
	OS      string      `json:"os"`
	Arch    string      `json:"arch"`
	Layouts layoutRange `json:"layouts"`
}

func thisBuild() build {
	return build{server.Name, server.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, layouts()}
}

// versionLine says what this program is.
func versionLine() string {
	b := thisBuild()
	return fmt.Sprintf("%s %s (%s, %s/%s)", b.Name, b.Version, b.Go, b.OS, b.Arch)
}
