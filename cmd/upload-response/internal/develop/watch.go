package develop

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files have to be quiet after a change: editors write more than one.
const settleTime = 100 * time.Millisecond

// watcher tells of changed files below a folder.
type watcher struct {
	files    *fsnotify.Watcher
	folder   string
	patterns []string
}

// newWatcher watches the files below a folder whose names match a pattern. It leaves out
// hidden folders and those with code of others. Release: files.Close.
func newWatcher(folder string, patterns []string) (*watcher, error) {
	files, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{files: files, folder: folder, patterns: patterns}
	if _, err := w.add(folder); err != nil {
		_ = files.Close()
		return nil, err
	}
	return w, nil
}

// add watches a folder and those below it. It returns a file in them that matches, or "": in a
// new folder there may be some before it is watched.
func (w *watcher) add(folder string) (found string, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == w.folder:
			return err
		case err != nil: // it was just removed, or we may not read it
			return nil
		case !entry.IsDir():
			if w.matches(path) {
				found = path
			}
			return nil
		case path != w.folder && foreign(path):
			return filepath.SkipDir
		}
		return w.files.Add(path)
	})
	return found, err
}

// foreign reports whether a folder has files that nobody works on.
func foreign(folder string) bool {
	name := filepath.Base(folder)
	if strings.HasPrefix(name, ".") || slices.Contains([]string{"__pycache__", "node_modules", "site-packages"}, name) {
		return true
	}
	_, err := os.Stat(filepath.Join(folder, "pyvenv.cfg"))
	return err == nil
}

// next waits for a change, and then until nothing has changed for a moment. It returns the
// file that changed first, as a path below the folder.
func (w *watcher) next(ctx context.Context) (changed string, err error) {
	settled := time.NewTimer(0)
	settled.Stop()
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-settled.C:
			return changed, nil
		case err := <-w.files.Errors:
			return "", err
		case event := <-w.files.Events:
			name := w.fileOf(event)
			if name == "" {
				continue
			}
			if changed == "" {
				changed = w.relative(name)
			}
			settled.Reset(settleTime)
		}
	}
}

// fileOf returns the watched file that an event is about, or "".
func (w *watcher) fileOf(event fsnotify.Event) (name string) {
	if event.Has(fsnotify.Create) {
		name, _ = w.add(event.Name) // a folder, or a file, or gone again
	}
	if event.Op != fsnotify.Chmod && w.matches(event.Name) {
		name = event.Name
	}
	return name
}

// matches reports whether the file of a path is watched.
func (w *watcher) matches(path string) bool {
	return slices.ContainsFunc(w.patterns, func(pattern string) bool {
		byName, _ := filepath.Match(pattern, filepath.Base(path))
		byPath, _ := filepath.Match(pattern, w.relative(path))
		return byName || byPath
	})
}

func (w *watcher) relative(path string) string {
	if short, err := filepath.Rel(w.folder, path); err == nil {
		return short
	}
	return path
}
