package main

import (
	"fmt"
	"runtime"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
)

// version prints what this program is.
func (p *program) version(args []string) error {
	flags := &cli.FlagSet{Command: "upload-response version", Summary: "prints the version"}
	if done, err := flags.ParseOrHelp(args, p.getenv, p.stdout); done || err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s (%s, %s/%s)\n", server.Name, server.Version, runtime.Version(), runtime.GOOS,
		runtime.GOARCH)
	return err
}
