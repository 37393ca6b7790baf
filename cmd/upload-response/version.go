package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/wavey-ai/upload-response/server"
)

// version prints what this program is.
func (p *program) version(args []string) error {
	if done, err := p.plain("version", "prints the version", args); done || err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s (%s, %s/%s)\n", server.Name, server.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// plain parses the arguments of a command that has no flags. It reports
// done = true when it has printed the help.
func (p *program) plain(name, summary string, args []string) (done bool, err error) {
	f := &flagSet{command: "upload-response " + name}
	err = f.parse(args, p.getenv)
	if errors.Is(err, errHelp) {
		fmt.Fprintf(p.stdout, "%s: %s.\n", f.command, summary)
		return true, nil
	}
	return false, err
}
