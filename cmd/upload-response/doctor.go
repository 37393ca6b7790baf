package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/develop"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/doctor"
	"github.com/wavey-ai/upload-response/server/supervise"
)

const doctorExample = `
# Whether a server with the defaults would run here
upload-response doctor

# The same flags as those of serve say what is to run
upload-response doctor --listen https://:443 --tls-cert cert.pem --tls-key key.pem --memory 2GiB

# Whether applications in a virtual environment can attach, for a program
upload-response doctor --python .venv/bin/python --json
`

const doctorNotes = `
Each line is a check: ok; warn, where the server runs but something will be missed; or fail, where
it does not run like this. Below it stands what to do. The exit status is 1 if a check failed.
`

func (p *program) doctorCommand() *cobra.Command {
	var s settings
	var python string
	var asJSON bool
	flags := s.flags(p.getenv)
	flags.Command, flags.Summary = "upload-response doctor", "looks at what a server would trip over"
	flags.Example, flags.Notes, flags.Like = doctorExample, doctorNotes, serveCommand
	flags.Common = []string{"python", "json", "listen", "socket", "memory", "num-streams", "max-links", "tls-cert",
		"tls-key", "worker-user"}
	first := cli.Group{Heading: "What to look at, and how to tell", Options: append([]cli.Option{{
		Name: "python", Arg: "PATH", Help: "interpreter of applications, whose SDK is to attach",
		Default: "of the virtual environment, or python3", Parse: cli.Text(&python),
	}}, jsonFlags(&asJSON)[0].Options...)}
	flags.Groups = append([]cli.Group{first}, flags.Groups...)
	return cli.NewCommand(flags, p.getenv, func([]string) error {
		if err := s.finish(flags); err != nil {
			return err
		}
		return p.examine(s.doctorPlan(python, p.getenv), asJSON)
	})
}

// doctorPlan is the server of the settings, and the Python of its applications.
func (s *settings) doctorPlan(python string, getenv func(string) string) *doctor.Plan {
	given := python != ""
	if !given {
		python, _ = develop.FindPython(".", getenv) // none is no mistake
	}
	plan := &doctor.Plan{
		Memory: s.config.Memory, Streams: s.config.NumStreams, Links: mostLinks(&s.config),
		Addresses: s.listeners.addresses, SocketMode: s.listeners.mode, HTTP3: s.listeners.http3,
		Cert: s.listeners.certificates.cert, Key: s.listeners.certificates.key,
		ClientCA: s.listeners.certificates.clientCA, Socket: s.socket,
		Python: python, PythonGiven: given,
	}
	for i := range s.apps {
		a := &s.apps[i]
		plan.Sandboxed = plan.Sandboxed || a.Sandbox != nil
		plan.Limited = plan.Limited || needsCgroup(a)
	}
	plan.WorkerUser = s.checkWorkerUsers()
	if self, err := os.Executable(); err == nil {
		sdk := develop.SDKBeside(self)
		plan.SDK, plan.Library = sdk.Folder, sdk.Library
	}
	return plan
}

// checkWorkerUsers returns a check of the users of the apps, and of --worker-user without one; nil: there are none.
func (s *settings) checkWorkerUsers() func() (warning string, err error) {
	users := []*supervise.User{s.workers.app.User}
	for i := range s.apps {
		users = append(users, s.apps[i].User)
	}
	users = slices.DeleteFunc(users, func(u *supervise.User) bool { return u == nil })
	if len(users) == 0 {
		return nil
	}
	return func() (warning string, err error) {
		for _, user := range users {
			if warning, err = user.Check(absolute(s.socket)); warning != "" || err != nil {
				break
			}
		}
		return warning, err
	}
}

// examine makes the checks, and prints what they found.
func (p *program) examine(plan *doctor.Plan, asJSON bool) error {
	results := doctor.Run(plan)
	failed := doctor.Failed(results)
	var err error
	if asJSON {
		err = printJSON(p.stdout, struct {
			OK     bool            `json:"ok"`
			Checks []doctor.Result `json:"checks"`
		}{failed == 0, results})
	} else {
		err = doctor.Write(p.stdout, results)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d checks failed", failed, len(results))
	}
	return err
}
