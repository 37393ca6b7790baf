package main

import (
	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

func (p *program) serveCommand() *cobra.Command {
	var s settings
	flags := s.flags(p.getenv)
	return cli.NewCommand(flags, p.getenv, func([]string) error {
		err := p.serve(&s, flags)
		if err != nil {
			p.predecessor.Fail(err)
		}
		return err
	})
}

// serve runs the server until a signal ends it.
func (p *program) serve(s *settings, flags *cli.FlagSet) error {
	if err := s.finish(flags); err != nil {
		return err
	}
	p.survivePipes()
	s.predecessor, s.again = p.predecessor, &rereader{flags, p.getenv}
	v, err := openService(s, p.stdout, p.stderr)
	if err != nil {
		return s.explain(flags, err)
	}
	v.replaceable = true
	v.warnOfRenamed(flags)
	warnOfUnknown(v.log, flags)
	s.warnOfUsers(v.log)
	s.warnOfFiles(v.log)
	v.warnOfAdmin()
	return v.run()
}

// warnOfRenamed warns about deprecated names of flags and variables.
func (v *service) warnOfRenamed(flags *cli.FlagSet) {
	for _, r := range flags.Renamed() {
		v.log.Warn("deprecated name", "name", r.Old, "use", r.New)
	}
}
