package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// replacement is a file that is about to take the place of another, whose readers see either
// the one or the other. Release: discard.
type replacement struct {
	name      string // of the file in whose place it comes
	temporary string // empty: it has taken the place
}

// prepareReplacement writes a text into a file beside another, with the same owner and
// permissions. It refuses if the other cannot be written, or does not have the text that it is
// expected to have. A symbolic link stays one.
func prepareReplacement(name string, expected, text []byte) (*replacement, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	if err := unix.Access(name, unix.W_OK); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, expected) {
		return nil, errors.Join(err, fmt.Errorf("%s has changed since the server read it: reload it first", name))
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	r := &replacement{name: name, temporary: file.Name()}
	if err := errors.Join(fill(file, info, text), file.Close()); err != nil {
		r.discard()
		return nil, err
	}
	return r, nil
}

// fill gives a file its text, and the owner and permissions of another.
func fill(file *os.File, like fs.FileInfo, text []byte) error {
	if _, err := file.Write(text); err != nil {
		return err
	}
	if owner, ok := like.Sys().(*syscall.Stat_t); ok {
		if err := file.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if err := file.Chmod(like.Mode().Perm()); err != nil {
		return err
	}
	return file.Sync()
}

// commit puts the file into its place.
func (r *replacement) commit() error {
	if err := os.Rename(r.temporary, r.name); err != nil {
		return err
	}
	r.temporary = ""
	folder, err := os.Open(filepath.Dir(r.name))
	if err != nil {
		return nil // it may be written and not read: the new file is in its place
	}
	defer folder.Close()
	_ = folder.Sync() // some file systems cannot
	return nil
}

// discard removes the file, unless it has taken its place.
func (r *replacement) discard() {
	if r.temporary != "" {
		_ = os.Remove(r.temporary)
	}
}
