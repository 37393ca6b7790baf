package main

import "errors"

// serve runs the server until a signal ends it.
func (p *program) serve(args []string) error {
	var s settings
	flags := s.flags(p.getenv)
	if err := s.parse(flags, args, p.getenv); errors.Is(err, errHelp) {
		flags.writeHelp(p.stdout)
		return nil
	} else if err != nil {
		return err
	}
	p.outlive()
	v, err := openService(&s, p.stdout, p.stderr)
	if err != nil {
		return err
	}
	return v.run()
}
