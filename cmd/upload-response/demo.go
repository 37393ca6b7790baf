package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// demoPools are the built-in workers of the demo, and how many processes each of them
// has. The name is also the path.
var demoPools = []struct {
	name      string
	processes int
}{{"echo", 1}, {"digest", 2}, {"discard", 1}}

const demoExample = `
# Start it, and send it a file from another terminal: curl -T big.file http://127.0.0.1:8080/digest
upload-response demo

# Try a worker of your own beside those
upload-response demo --add /c/echo=./build/c/echo
`

// demoFlags returns the flags of demo, with s set to the defaults.
func (s *settings) demoFlags(getenv func(string) string) *cli.FlagSet {
	s.flags(getenv)
	s.listeners = newListenerSettings(getenv, "127.0.0.1")
	s.accessLog, s.shutdown = true, 5*time.Second
	s.socket = fmt.Sprintf("%s/upload-response-demo-%d.sock", os.TempDir(), os.Getpid())
	log := s.logging.flags()
	log.Options = append(log.Options, cli.Option{
		Name: "access-log", Help: "write a line for every request to standard output", Default: "true",
		Parse: cli.Toggle(&s.accessLog),
	})
	log.Options = append(log.Options, s.logFiles.flags()...)
	return &cli.FlagSet{
		Command: "upload-response demo", Summary: "runs a server with built-in workers on /echo, /digest and /discard",
		Example: demoExample,
		Groups: []cli.Group{{Heading: "Addresses and workers", Options: []cli.Option{
			s.listeners.listenFlag(),
			{Name: "add", Arg: "PREFIX=COMMAND", Help: "start another worker, for the paths with this prefix; repeat",
				Parse: demoWorker(&s.added)},
			{
				Name: "socket", Arg: "PATH", Help: "Unix socket for workers",
				Default: os.TempDir() + "/upload-response-demo-PID.sock", Parse: socketPath(&s.socket),
			},
		}}, s.listeners.securityFlags(), log, s.observe.flags()},
	}
}

func (p *program) demoCommand() *cobra.Command {
	var s settings
	flags := s.demoFlags(p.getenv)
	return cli.NewCommand(flags, p.getenv, func([]string) error { return p.demo(&s, flags) })
}

// demo runs a server with the built-in workers until a signal ends it.
func (p *program) demo(s *settings, flags *cli.FlagSet) error {
	if err := s.addDemoPools(); err != nil {
		return err
	}
	if err := s.finish(flags); err != nil {
		return err
	}
	s.config.OpenPools = s.config.Supervised // so that users can try workers of their own
	p.survivePipes()
	v, err := openService(s, p.stdout, p.stderr)
	if err != nil {
		return err
	}
	go func() { v.fail(p.printIntroduction(v)) }()
	return v.run()
}

// addDemoPools adds the routes of the demo, and this program as the workers.
func (s *settings) addDemoPools() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, pool := range demoPools {
		s.config.Routes = append(s.config.Routes, server.Route{Prefix: "/" + pool.name, Pool: pool.name})
		a := s.workers.app
		a.Name, a.Command = pool.name, []string{self, "worker", pool.name, "--log-level", "warn"}
		a.Processes, a.Stuck.After = pool.processes, s.config.ResponseTimeout
		s.apps = append(s.apps, a)
	}
	for _, added := range s.added {
		pool := strings.ReplaceAll(strings.Trim(added.prefix, "/"), "/", ".")
		var apps []supervise.App
		if err := workerCommand(&apps)(pool + "=" + added.command); err != nil {
			return fmt.Errorf("--add %s: %w", added.prefix, err)
		}
		s.apps = append(s.apps, supervise.App{Name: pool, Command: apps[0].Command})
		s.config.Routes = append(s.config.Routes, server.Route{Prefix: added.prefix, Pool: pool})
	}
	return nil
}

// addition is a worker of --add.
type addition struct{ prefix, command string }

// demoWorker adds PREFIX=COMMAND. The pool is named after the prefix.
func demoWorker(p *[]addition) func(string) error {
	return func(s string) error {
		prefix, command, ok := strings.Cut(s, "=")
		if !ok || !strings.HasPrefix(prefix, "/") || strings.Trim(prefix, "/") == "" ||
			strings.TrimSpace(command) == "" {
			return errors.New("want PREFIX=COMMAND, such as /c/echo=./echo")
		}
		taken := slices.ContainsFunc(*p, func(a addition) bool { return a.prefix == prefix })
		for _, pool := range demoPools {
			taken = taken || prefix == "/"+pool.name
		}
		if taken {
			return fmt.Errorf("there is a worker on %s already", prefix)
		}
		*p = append(*p, addition{prefix, command})
		return nil
	}
}

// attachTimeout is how long the demo's workers may take to attach.
const attachTimeout = 10 * time.Second

// printIntroduction waits for the workers, and then prints how to try them.
func (p *program) printIntroduction(v *service) error {
	for start := time.Now(); v.router.Stats().Links < v.settings.mostProcesses(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > attachTimeout {
			return fmt.Errorf("the workers did not attach within %v", attachTimeout)
		}
		if v.ctx.Err() != nil {
			return nil
		}
	}
	return writeIntroduction(p.stdout, localURL(v.listeners[0]), v.settings.added)
}

// localURL returns a URL at which this machine reaches a listener.
func localURL(l *listen.Listener) string {
	scheme := "http://"
	if l.Address.Secure {
		scheme = "https://"
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return scheme + net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return scheme + l.Addr().String()
}

func writeIntroduction(w io.Writer, url string, added []addition) error {
	curl := "curl"
	if strings.HasPrefix(url, "https:") {
		curl = "curl -k" // the certificate is not trusted
	}
	var more strings.Builder
	for _, a := range added {
		fmt.Fprintf(&more, "  %s%s\n", url, a.prefix)
	}
	if len(added) > 0 {
		more.WriteString("\n")
	}
	_, err := fmt.Fprintf(w, `
Try, in another terminal:

  %[3]s -T big.file %[1]s/digest
  %[3]s -T big.file %[1]s/echo | cmp - big.file
  head -c 1G /dev/zero | %[3]s -T - %[1]s/discard

%[2]sCtrl-C stops the demo.

`, url, more.String(), curl)
	return err
}
