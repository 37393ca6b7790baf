package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// check notes what makes no sense, although it can be read.
func (f *File) check() {
	f.completeSandboxes()
	for _, name := range f.AppNames() {
		f.checkApp(name)
	}
	f.checkRoutes()
	f.checkTLS()
}

// AppNames returns the names of the apps, sorted.
func (f *File) AppNames() []string { return slices.Sorted(maps.Keys(f.Apps)) }

var validApp = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (f *File) checkApp(name string) {
	key, app := "apps."+name, f.Apps[name]
	if !validApp.MatchString(name) {
		f.addAt(key, "%q: the name of an app is 1 to 64 of A-Z a-z 0-9 . _ -", name)
	}
	switch {
	case len(app.Command) > 0 && app.Python != "":
		f.addAt(key+".python", "app %s has a command, too: give only one of them", name)
	case f.has(key+".command") && (len(app.Command) == 0 || app.Command[0] == ""):
		f.addAt(key+".command", "want a program, such as [./server, --fast]")
	case len(app.Command) == 0 && app.Python == "":
		f.checkStarted(key, name)
	}
	f.checkDirectory(key+".directory", app.Directory)
	f.checkPython(key, &app)
	f.checkUser(key+".user", app.User)
	f.checkSandbox(name)
	f.checkProcesses(key+".processes", &app.Processes)
	f.checkEnvironment(key+".environment", app.Environment)
	f.checkWatch(key+".watch", app.Watch)
	if f.has(key+".threads") && app.Threads < 1 {
		f.addAt(key+".threads", "want at least 1 thread")
	}
	if argv := app.argv(); len(argv) > 0 && len(f.problems) == 0 {
		f.checkProgram(key, &app, argv[0])
	}
}

// forProcesses are the keys that mean something only for processes that the server starts.
var forProcesses = []string{"interface", "virtualenv", "threads", "directory", "environment", "user", "processes",
	"start", "recycle", "stop", "watch", "limits", "sandbox"}

// checkStarted refuses what says something about processes when there are none.
func (f *File) checkStarted(key, name string) {
	for _, setting := range forProcesses {
		if f.has(key + "." + setting) {
			f.addAt(key+"."+setting, "%s is about processes, and app %s has none: give it command or python", setting,
				name)
			return
		}
	}
}

func (f *File) checkDirectory(key string, dir Path) {
	if dir == "" {
		return
	}
	if info, err := os.Stat(string(dir)); err != nil {
		f.addAt(key, "%v", plain(err))
	} else if !info.IsDir() {
		f.addAt(key, "%s is not a folder", dir)
	}
}

// plain returns an error of a file without the name of the system call.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}

var (
	validModule = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)
	validPython = regexp.MustCompile(`^[\pL_][\pL\pN_.]*:[\pL_][\pL\pN_.]*(\(\))?$`)
)

func (f *File) checkPython(key string, app *App) {
	if app.Python == "" {
		for _, setting := range []string{"interface", "virtualenv", "threads"} {
			if f.has(key+"."+setting) && len(app.Command) > 0 {
				f.addAt(key+"."+setting, "%s needs python", setting)
			}
		}
		return
	}
	switch {
	case app.Interface == "native" && !validModule.MatchString(app.Python):
		f.addAt(key+".python", "want the name of a module to run, such as shop.worker")
	case app.Interface != "native" && !validPython.MatchString(app.Python):
		f.addAt(key+".python", "want MODULE:ATTRIBUTE or MODULE:FACTORY(), such as shop.wsgi:application")
	case app.Threads > 0 && app.Interface != "wsgi" && app.Interface != "auto":
		f.addAt(key+".threads", "threads are those of a WSGI application: the interface is %s", app.Interface)
	}
}

func (f *File) checkProcesses(key string, p *Processes) {
	switch {
	case f.has(key+".fixed") && (f.has(key+".min") || f.has(key+".max")):
		f.addAt(key+".fixed", "fixed and min, max exclude each other")
	case f.has(key+".fixed") && p.Fixed < 1:
		f.addAt(key+".fixed", "want at least 1 process")
	case f.has(key+".min") && p.Min < 1:
		f.addAt(key+".min", "want at least 1 process")
	case f.has(key+".max") && p.Max < p.Min:
		f.addAt(key+".max", "max %d is less than min %d", p.Max, p.Min)
	case f.has(key+".min") && !f.has(key+".max"):
		f.addAt(key+".min", "min needs max")
	}
	for _, setting := range []string{"scale-up-when", "idle"} {
		if f.has(key+"."+setting) && !f.has(key+".max") {
			f.addAt(key+"."+setting, "%s needs max: the number of processes is fixed", setting)
		}
	}
}

func (f *File) checkEnvironment(key string, environment map[string]string) {
	for name, value := range environment {
		if strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) ||
			strings.ContainsFunc(name, unicode.IsSpace) {
			f.addAt(key+"."+name, "%q cannot be the name of a variable, or has a value with a NUL", name)
		}
	}
}

func (f *File) checkWatch(key string, patterns []string) {
	for i, pattern := range patterns {
		if pattern == "" || !doublestar.ValidatePathPattern(pattern) {
			f.addAt(indexed(key, i), "%q is no pattern of files: want one such as '**/*.py'", pattern)
		}
	}
}

// checkProgram refuses a program that does not exist, or that cannot be executed.
func (f *File) checkProgram(key string, app *App, program string) {
	at := key + ".command[0]"
	switch {
	case app.Virtualenv != "":
		at = key + ".virtualenv"
	case app.Python != "":
		at = key + ".python"
	case !f.has(at):
		at = key + ".command"
	}
	to := app.supervised("")
	if _, err := to.Program(); err != nil {
		f.addAt(at, "cannot execute %s: %v", program, err)
	}
}

func (f *File) checkTLS() {
	for i, c := range f.TLS.Certificates {
		f.checkReadable(indexed("tls.certificates", i)+".cert", c.Cert)
		f.checkReadable(indexed("tls.certificates", i)+".key", c.Key)
	}
	f.checkReadable("tls.client-ca", f.TLS.ClientCA)
}

func (f *File) checkReadable(key string, path Path) {
	if path == "" {
		return
	}
	file, err := os.Open(string(path))
	if err != nil {
		f.addAt(key, "%v", plain(err))
		return
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		f.addAt(key, "%s is a folder", path)
	}
}

// orNearest says which name an unknown one may be a misspelling of: the nearest.
func orNearest(name string, names []string) string {
	if near := cli.Nearest(name, names); near != "" {
		return ": did you mean " + near + "?"
	}
	if len(names) == 0 {
		return ": there are no apps"
	}
	if len(names) == 1 {
		return ": want " + names[0]
	}
	return ": want " + cli.OneOf(names)
}
