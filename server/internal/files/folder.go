// Package files finds the file that the path of a request names, below a folder out of which
// nothing leads: no dot segment, and no symlink.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Config says which files are served.
type Config struct {
	Root          string        // of the folder
	Index         string        // the file of a folder; empty: index.html
	Precompressed []string      // of zst, br and gz: FILE.gz is served in place of FILE
	Expires       time.Duration // how long caches may keep a file; 0: that is not said
	Fallback      string        // the file for paths without one; empty: none
	Dotfiles      bool          // serve names that begin with a dot
}

// ErrNone is returned when there is no file for a path.
var ErrNone = errors.New("no such file")

// Folder finds files. It is used by many goroutines. The folder is closed when nobody has
// the Folder any more.
type Folder struct {
	config   Config
	root     *os.Root
	index    string
	fallback string   // without the first slash; empty: none
	codings  []string // of Precompressed
	cache    string   // Cache-Control of files; empty: none
}

// codingsBySuffix are the content codings of precompressed files.
var codingsBySuffix = map[string]string{"zst": "zstd", "br": "br", "gz": "gzip"}

var suffixes = map[string]string{"zstd": ".zst", "br": ".br", "gzip": ".gz"}

// Check returns an error for a configuration that makes no sense.
func (c *Config) Check() error {
	for _, suffix := range c.Precompressed {
		if codingsBySuffix[suffix] == "" {
			return fmt.Errorf("precompressed %q: want zst, br or gz", suffix)
		}
	}
	switch {
	case c.Root == "":
		return errors.New("files: no root")
	case c.Expires < 0:
		return fmt.Errorf("expires %v: cannot be negative", c.Expires)
	case c.Index != "" && (!filepath.IsLocal(c.Index) || strings.Contains(c.Index, "/")):
		return fmt.Errorf("index %q: want the name of a file", c.Index)
	case c.Fallback != "" && !filepath.IsLocal(strings.TrimPrefix(c.Fallback, "/")):
		return fmt.Errorf("fallback %q: want the path of a file below the root, such as /index.html", c.Fallback)
	}
	return nil
}

// Open opens the folder.
func Open(c Config) (*Folder, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(c.Root)
	if err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	f := &Folder{config: c, root: root, index: c.Index, fallback: strings.TrimPrefix(c.Fallback, "/")}
	if f.index == "" {
		f.index = "index.html"
	}
	for _, suffix := range c.Precompressed {
		f.codings = append(f.codings, codingsBySuffix[suffix])
	}
	if c.Expires > 0 {
		f.cache = fmt.Sprintf("max-age=%d", int64(c.Expires.Seconds()))
	}
	return f, nil
}

// Find opens the file for a decoded path; accept has the values of the Accept-Encoding field.
// It returns [ErrNone] if there is none, and another error if the machine cannot open it.
// Release: Close of the File, whose owner is the caller.
func (f *Folder) Find(target string, accept []string) (*File, error) {
	file, err := f.find(target, accept)
	if !errors.Is(err, ErrNone) || f.fallback == "" {
		return file, err
	}
	if file, err = f.open(f.fallback, accept); err == nil {
		file.CacheControl = "no-cache" // the path may have a file of its own tomorrow
	}
	return file, err
}

func (f *Folder) find(target string, accept []string) (*File, error) {
	name := strings.TrimPrefix(path.Clean("/"+target), "/")
	if !f.shows(name) {
		return nil, ErrNone
	}
	if name == "" {
		return f.open(f.index, accept)
	}
	slash := strings.HasSuffix(target, "/")
	file, err := f.open(name, accept)
	switch {
	case errors.Is(err, errFolder):
		if file, err = f.open(path.Join(name, f.index), accept); err == nil {
			file.MissesSlash = !slash
		}
	case err == nil && slash:
		return nil, errors.Join(ErrNone, file.Close())
	}
	if errors.Is(err, errFolder) {
		err = ErrNone
	}
	return file, err
}

// shows reports whether a name may be served.
func (f *Folder) shows(name string) bool {
	if strings.Contains(name, "\x00") {
		return false
	}
	if f.config.Dotfiles {
		return true
	}
	hidden := strings.TrimPrefix(name, wellKnown)
	return !strings.HasPrefix(hidden, ".") && !strings.Contains(hidden, "/.")
}

// wellKnown is where files are that clients look for (RFC 8615).
const wellKnown = ".well-known/"

var errFolder = errors.New("a folder")

// open opens the file of a name, in the coding that the client prefers.
func (f *Folder) open(name string, accept []string) (*File, error) {
	file, err := f.openOne(name)
	if err != nil {
		return nil, err
	}
	file.ContentType, file.CacheControl, file.Varies = contentTypeOf(name), f.cache, len(f.codings) > 0
	for _, coding := range rank(accept, f.codings) {
		if packed, err := f.openOne(name + suffixes[coding]); err == nil {
			packed.ContentType, packed.CacheControl, packed.Varies = file.ContentType, f.cache, true
			packed.Coding = coding
			return packed, file.Close()
		}
	}
	return file, nil
}

// openOne opens a regular file.
func (f *Folder) openOne(name string) (*File, error) {
	opened, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not keep us waiting
	if err != nil {
		return nil, notFound(err)
	}
	info, err := opened.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = errFolder
	case !info.Mode().IsRegular():
		err = ErrNone
	default:
		return &File{File: opened, Info: info}, nil
	}
	return nil, errors.Join(err, opened.Close())
}

// machineErrors are those for which the path is not to blame.
var machineErrors = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, fs.ErrClosed}

// notFound returns [ErrNone] for an error that depends on the path. A file that may not be
// read, or a symlink that leads out of the folder, is none.
func notFound(err error) error {
	if slices.ContainsFunc(machineErrors, func(e error) bool { return errors.Is(err, e) }) {
		return err
	}
	return ErrNone
}
