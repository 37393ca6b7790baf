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

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
)

// demoPools are the built-in workers of the demo, and how many processes each
// has. Each is also a path.
var demoPools = []struct {
	name      string
	processes int
}{{"echo", 1}, {"digest", 2}, {"discard", 1}}

// demoFlags returns the flags of demo, with s set to what it is without them.
func (s *settings) demoFlags(getenv func(string) string) *flagSet {
	s.flags(getenv)
	s.door = newDoorSettings("127.0.0.1:8080")
	s.accessLog, s.shutdown = true, 5*time.Second
	s.socket = fmt.Sprintf("%s/upload-response-demo-%d.sock", os.TempDir(), os.Getpid())
	log := s.logging.options()
	log.options = append(log.options, option{name: "access-log", help: "write a line for every request", value: "true", parse: toggle(&s.accessLog)})
	return &flagSet{
		command: "upload-response demo", summary: "a server with built-in workers on /echo, /digest and /discard",
		groups: []optionGroup{{"Places", []option{
			s.door.listenOption(),
			{name: "add", arg: "PREFIX=COMMAND", help: "another worker; repeat", parse: demoWorker(&s.added)},
			{name: "socket", arg: "PATH", help: "where workers attach", value: os.TempDir() + "/upload-response-demo-PID.sock", parse: socketPath(&s.socket)},
		}}, s.door.security(), log},
	}
}

// demo runs a server with the built-in workers until a signal ends it.
func (p *program) demo(args []string) error {
	var s settings
	flags := s.demoFlags(p.getenv)
	err := flags.parse(args, p.getenv)
	if errors.Is(err, errHelp) {
		flags.writeHelp(p.stdout)
		return nil
	}
	if err == nil {
		err = s.addDemoPools()
	}
	if err == nil {
		err = s.complete(flags.given)
	}
	if err != nil {
		return err
	}
	s.config.OpenPools = s.config.Supervised // to try workers, too
	p.outlive()
	v, err := openService(&s, p.stdout, p.stderr)
	if err != nil {
		return err
	}
	go func() { v.fail(p.introduce(v)) }()
	return v.run()
}

// addDemoPools adds the routes of the demo, and this very program as their
// workers.
func (s *settings) addDemoPools() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, pool := range demoPools {
		s.config.Routes = append(s.config.Routes, server.Route{Prefix: "/" + pool.name, Pool: pool.name})
		for range pool.processes {
			s.workers = append(s.workers, workerSpec{pool: pool.name, argv: []string{self, "worker", pool.name, "--log-level", "warn"}})
		}
	}
	for _, added := range s.added {
		pool := strings.ReplaceAll(strings.Trim(added.prefix, "/"), "/", ".")
		if err := workerCommand(&s.workers)(pool + "=" + added.command); err != nil {
			return fmt.Errorf("--add %s: %w", added.prefix, err)
		}
		s.config.Routes = append(s.config.Routes, server.Route{Prefix: added.prefix, Pool: pool})
	}
	return nil
}

// addition is a worker that was added to the demo.
type addition struct{ prefix, command string }

// demoWorker adds PREFIX=COMMAND. Its pool is called after the prefix.
func demoWorker(p *[]addition) func(string) error {
	return func(s string) error {
		prefix, command, ok := strings.Cut(s, "=")
		if !ok || !strings.HasPrefix(prefix, "/") || strings.Trim(prefix, "/") == "" || strings.TrimSpace(command) == "" {
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

// attachTime is how long the demo's workers may take to attach.
const attachTime = 10 * time.Second

// introduce waits for the workers and says how to try them.
func (p *program) introduce(v *service) error {
	for start := time.Now(); v.router.Stats().Links < len(v.settings.workers); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > attachTime {
			return fmt.Errorf("the workers did not attach within %v", attachTime)
		}
		if v.workers.stopped() {
			return nil
		}
	}
	return writeIntroduction(p.stdout, reachable(v.entrances[0]), v.settings.added)
}

// reachable returns a URL at which this machine reaches an entrance.
func reachable(e *listen.Listener) string {
	scheme := "http://"
	if e.Address.Secure {
		scheme = "https://"
	}
	if tcp, ok := e.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return scheme + net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return scheme + e.Addr().String()
}

func writeIntroduction(w io.Writer, url string, added []addition) error {
	curl := "curl"
	if strings.HasPrefix(url, "https:") {
		curl = "curl -k" // nobody knows the certificate
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
