package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// errUpgrade is returned when a value has changed that cannot while the server runs.
var errUpgrade = errors.New("needs an upgrade, or a new start of the server")

// rereader reads the configuration again, with the same flags and variables.
type rereader struct {
	flags  *cli.FlagSet
	getenv func(string) string
}

// read returns the settings that a start would have with a file: with what is in it now, or with a
// text in its place if that is not nil.
func (r *rereader) read(name string, text []byte) (*settings, error) {
	var s settings
	flags := s.flags(r.getenv)
	if err := flags.Repeat(r.flags); err != nil {
		return nil, err
	}
	s.fileName, s.fileText = name, text
	if err := s.finish(flags); err != nil {
		return nil, err
	}
	return &s, s.explain(flags, s.tryStart())
}

// overrides reports whether a flag or variable wins over the value of the file that has changed.
func (r *rereader) overrides(c config.Change) bool {
	for flag, key := range config.FlagKeys() {
		if key == c.Key {
			_, from := r.flags.Source(flag)
			return from != ""
		}
	}
	return false
}

// reload has the server do what its configuration file says now, and returns what has changed. On
// an error nothing changes, and the log says why. One reload runs at a time.
func (v *service) reload() ([]config.Change, error) {
	v.reloading.Lock()
	defer v.reloading.Unlock()
	name := v.now().file.Name()
	next, err := v.settings.again.read(name, nil)
	var changes []config.Change
	if err == nil {
		changes, err = v.use(next, "configuration read again")
	}
	v.reloadFailed.Store(err != nil)
	if err != nil {
		v.log.Error("the configuration stays as it was", "file", name, "error", oneLine(err))
		v.admin.reloaded("the configuration stays as it was: " + oneLine(err))
		return nil, err
	}
	v.onDisk = next.file.Text()
	return changes, nil
}

// hasFile reports whether there is a configuration file to read again.
func (v *service) hasFile() bool { return v.settings.again != nil && v.now().file.Name() != "" }

// changes returns what other settings would change.
func (v *service) changes(next *settings) []config.Change {
	return slices.DeleteFunc(config.Diff(v.now().file, next.file), v.settings.again.overrides)
}

// use puts settings into effect, and returns what has changed. The log says it in the words of
// how.
func (v *service) use(next *settings, how string) ([]config.Change, error) {
	before, changes := v.now(), v.changes(next)
	if err := cannotChange(changes, next); err != nil {
		return nil, err
	}
	if err := v.apply(before, next); err != nil {
		return nil, err
	}
	v.current.Store(next)
	var keys []string
	for _, c := range changes {
		keys = append(keys, c.Key)
	}
	v.log.Info(how, "file", next.file.Name(), "changed", len(keys),
		"keys", strings.Join(keys[:min(len(keys), 10)], " "))
	v.admin.reloaded(fmt.Sprintf("%s, changed: %d", how, len(keys)))
	return changes, nil
}

// apply has all parts of the service do what the next settings say, or none.
func (v *service) apply(before, next *settings) error {
	file, err := v.nextAccessFile(next)
	if err != nil {
		return next.file.Fault("log.access.file", systemError(err))
	}
	v.forRouter(next)
	err = v.router.Reconfigure(next.config)
	if err == nil {
		if err = v.workers.Apply(next.apps); err != nil {
			err = errors.Join(err, v.router.Reconfigure(before.config))
		}
	}
	if err != nil {
		_ = file.Close()
		return err
	}
	v.useAccessFile(next, file)
	return nil
}

// cannotChange returns an error that names the keys which cannot change while the server runs.
func cannotChange(changes []config.Change, next *settings) error {
	var failure error
	for _, c := range changes {
		if c.Upgrade {
			failure = errors.Join(failure, next.file.Fault(c.Key, errUpgrade))
		}
	}
	return failure
}

// oneLine returns an error without the excerpts of files.
func oneLine(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !isExcerpt(line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// isExcerpt reports whether a line of an error is one of a file.
func isExcerpt(line string) bool {
	return strings.HasPrefix(strings.TrimLeft(line, "> 0123456789"), "|")
}

// now returns the settings that are in effect.
func (v *service) now() *settings { return v.current.Load() }

// forRouter adds to the configuration of the router what this process keeps from its start.
func (v *service) forRouter(s *settings) {
	s.config.Log = v.log
	if v.tracer != nil { // a nil pointer would be no nil Tracer
		s.config.Tracer = v.tracer
	}
	if s.accessLog {
		s.config.AccessLog, s.config.AccessLogDetails = s.accessLogger(v.accessWriter(s))
		s.config.AccessLogSkip = s.logFiles.skip
	}
}
