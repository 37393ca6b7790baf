package supervise

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/fsnotify/fsnotify"
)

// watchPause is how long no further file has to change before workers are replaced: editors
// and version control write several. If files change all the time, it is watchLimit after the
// first.
const (
	watchPause = 300 * time.Millisecond
	watchLimit = 3 * time.Second
)

// mostFolders is the most folders that an app watches.
const mostFolders = 10_000

// unwatched are folders that nobody edits. So are those whose names begin with a dot.
var unwatched = []string{"node_modules", "__pycache__", "venv"}

// fileWatch replaces the workers of an app when its files change.
type fileWatch struct {
	supervisor *Supervisor
	app        *app
	name       string
	patterns   []string // absolute
	watcher    *fsnotify.Watcher
	folders    int
}

// watch begins to watch the files of an app, or others than before. The caller holds the lock
// of the supervisor.
func (s *Supervisor) watch(a *app) {
	if a.unwatch != nil {
		a.unwatch()
		a.unwatch = nil
	}
	if len(a.spec.Watch) == 0 {
		return
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Error("files of the app are not watched", "app", a.spec.Name, "error", err)
		return
	}
	w := &fileWatch{supervisor: s, app: a, name: a.spec.Name, watcher: watcher}
	for _, pattern := range a.spec.Watch {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(a.spec.Directory, pattern)
		}
		if absolute, err := filepath.Abs(pattern); err == nil {
			pattern = absolute
		}
		w.patterns = append(w.patterns, pattern)
	}
	a.unwatch = func() { _ = watcher.Close() }
	s.running.Go(w.run)
}

// run replaces the workers whenever files have changed, until the watcher is closed.
func (w *fileWatch) run() {
	for _, pattern := range w.patterns {
		base, rest := doublestar.SplitPattern(pattern)
		w.addFolders(base, strings.Contains(rest, "/"))
	}
	var changed string
	var first time.Time
	var due <-chan time.Time
	for {
		select {
		case event, open := <-w.watcher.Events:
			switch {
			case !open:
				return
			case w.concerns(event):
				if due == nil {
					first = time.Now()
				}
				changed, due = event.Name, time.After(min(watchPause, watchLimit-time.Since(first)))
			}
		case err, open := <-w.watcher.Errors:
			if !open {
				return
			}
			w.supervisor.log.Warn("changes of files were missed", "app", w.name, "error", err)
		case <-due:
			due = nil
			w.replace(changed)
		}
	}
}

// concerns reports whether the workers depend on what has changed. It watches folders that are
// new, in which there can be files already.
func (w *fileWatch) concerns(event fsnotify.Event) bool {
	if event.Has(fsnotify.Create) && w.addFolders(event.Name, true) { // if it is one
		return true
	}
	return event.Op != fsnotify.Chmod && w.matches(event.Name)
}

// matches reports whether the workers depend on a file.
func (w *fileWatch) matches(file string) bool {
	return slices.ContainsFunc(w.patterns, func(pattern string) bool {
		matches, err := doublestar.Match(pattern, file)
		return err == nil && matches
	})
}

// addFolders watches a folder, and those below it. It reports whether there is a file on which
// the workers depend.
func (w *fileWatch) addFolders(base string, below bool) (found bool) {
	err := filepath.WalkDir(base, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case !entry.IsDir():
			found = found || w.matches(name)
			return nil
		case name != base && (!below || isUnwatched(entry.Name())):
			return filepath.SkipDir
		case w.folders >= mostFolders:
			return errManyFolders
		}
		w.folders++
		return w.watcher.Add(name)
	})
	if err != nil && !errors.Is(err, fsnotify.ErrClosed) {
		w.supervisor.log.Warn("not all files of the app are watched", "app", w.name, "error", err)
	}
	return found
}

func isUnwatched(folder string) bool {
	return strings.HasPrefix(folder, ".") || slices.Contains(unwatched, folder)
}

// errManyFolders is returned when an app watches too many folders.
var errManyFolders = errors.New("there are too many folders: watch fewer")

// replace replaces the workers.
func (w *fileWatch) replace(file string) {
	s := w.supervisor
	s.log.Info("a file changed, the workers are replaced", "app", w.name, "file", file)
	if err := s.Restart(w.name); err != nil && !errors.Is(err, ErrStopped) {
		s.log.Error("workers of the app were not replaced", "app", w.name, "error", err)
	}
}
