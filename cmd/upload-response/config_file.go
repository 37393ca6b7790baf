package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// readFile reads the configuration file, and fills in what it says and no flag or variable does.
// A command without --config has none.
func (s *settings) readFile(flags *cli.FlagSet) error {
	if flags.Option("config") == nil {
		return nil
	}
	var err error
	if s.fileText != nil {
		s.file, err = config.Parse(s.fileName, s.fileText)
	} else {
		s.file, err = config.Load(s.fileName)
	}
	if err != nil {
		return err
	}
	if err := s.fill(flags); err != nil {
		return err
	}
	return s.fillApps(flags)
}

// fill gives the flags what the file has for them.
func (s *settings) fill(flags *cli.FlagSet) error {
	for _, setting := range s.file.Settings() {
		var texts []string
		for _, value := range setting.Values {
			texts = append(texts, value.Text)
		}
		key := setting.Values[0].Key
		if i, err := flags.Fill(setting.Flag, s.file.Place(key), texts...); err != nil {
			return s.file.Fault(setting.Values[i].Key, err)
		}
	}
	if flags.Given("tls-cert") || flags.Given("tls-key") {
		return nil
	}
	for _, c := range s.file.TLS.Certificates {
		s.listeners.certificates.files = append(s.listeners.certificates.files,
			certificateFiles{string(c.Cert), string(c.Key)})
	}
	return nil
}

// ofEachWorker are flags about the processes of each --worker.
var ofEachWorker = []string{"workers", "worker-user", "start-timeout", "give-up-after", "stuck-stacks", "stop-timeout",
	"recycle-requests", "recycle-lifetime", "recycle-memory", "recycle-jitter", "scale-max", "scale-min",
	"scale-queue-wait", "scale-idle", "limit-nofile", "limit-memory", "limit-cpu", "watch"}

// fillApps adds the apps, routes and error pages of the file. A --worker replaces the app of its
// name, and --route all routes.
func (s *settings) fillApps(flags *cli.FlagSet) error {
	for _, name := range ofEachWorker {
		if len(s.file.Apps) > 0 && !flags.Given("worker") && flags.Given(name) {
			return flags.Usage(fmt.Errorf("--%s is about each --worker: apps of the file have keys of their own", name))
		}
	}
	for _, app := range s.file.Workers(s.config.ResponseTimeout) {
		if !slices.ContainsFunc(s.apps, func(a supervise.App) bool { return a.PoolName() == app.Name }) {
			s.apps = append(s.apps, app)
		}
	}
	if !flags.Given("route") {
		s.config.Routes = s.file.ServerRoutes()
	}
	s.config.ErrorPages = s.file.ErrorPages()
	return nil
}

var flagPattern = regexp.MustCompile(`--[a-z][a-z0-9-]*`)

// explain makes an error that names flags one that names the keys of the file which set them
// instead, with the place of the first one.
func (s *settings) explain(flags *cli.FlagSet, err error) error {
	if err == nil || s.file == nil {
		return err
	}
	keys, first := config.FlagKeys(), ""
	keys["worker"] = "apps"
	keys["tls-cert"], keys["tls-key"] = "tls.certificates[0].cert", "tls.certificates[0].key"
	text := flagPattern.ReplaceAllStringFunc(err.Error(), func(name string) string {
		key := keys[strings.TrimPrefix(name, "--")]
		if _, from := flags.Source(strings.TrimPrefix(name, "--")); from != "" || key == "" {
			return name
		}
		if first == "" && s.file.Place(key) != "" {
			first = key
		}
		return s.file.KeyAsWritten(key)
	})
	if first == "" {
		return err
	}
	return s.file.Fault(first, errors.New(text))
}

// ofWorkers are what variables with our prefix, which are no flags of the server, tell workers.
var ofWorkers = []string{"socket", "pool", "server-uid", "library", "ready-fd"}

// warnOfUnknown warns about variables with our prefix that nothing knows.
func warnOfUnknown(log *slog.Logger, flags *cli.FlagSet) {
	names := slices.Clone(ofWorkers)
	for o := range flags.All() {
		names = append(append(names, o.Name), o.Old...)
	}
	for _, name := range config.UnknownVariables(os.Environ(), names) {
		attrs := []any{"name", name}
		if near := cli.Nearest(strings.TrimPrefix(name, cli.EnvName("")), names); near != "" {
			attrs = append(attrs, "did_you_mean", cli.EnvName(near))
		}
		log.Warn("unknown environment variable", attrs...)
	}
}
